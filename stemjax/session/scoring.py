"""Rank variations of a stem by context gain.

The context gain is the cross-entropy of the stem's coarsest tokens under the model
without a context minus that with the context, in nats per token, with all tokens masked.
The model judges its own output: a high gain means that the stem depends strongly on the
context, not that it sounds better.
"""

from collections.abc import Sequence

import numpy as np

from stemjax.tasks.context_loss import ScoringModel, gains_over_none

SCORE = "context_gain_over_none"
"""Name of the score in session.json."""


def context_gains(
    model: ScoringModel, category: int, context: np.ndarray, stems: Sequence[np.ndarray]
) -> list[float]:
    """Context gain of each stem, nats per token.

    Args:
      category: instrument of the stems.
      context: codes [Q, T] int32.
      stems: codes [Q, T] int32 each.
    """
    contexts = np.repeat(context[None], len(stems), axis=0)
    gains = gains_over_none(model, [category] * len(stems), contexts, np.stack(stems))
    return [float(gain) for gain in gains]


def best(scores: Sequence[float]) -> int:
    """Number, from 1, of the highest score; the first one if several are equal."""
    return int(np.argmax(scores)) + 1
