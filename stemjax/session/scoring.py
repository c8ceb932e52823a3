"""Which of several variations is kept: by the context gain over hearing nothing.

The cross-entropy of a stem's coarsest tokens under the model without a context, minus
that with its own, in nats per token, all of them hidden.  The judge is the model itself:
it says which answer depends most on what was heard, not which sounds best.
"""

from collections.abc import Sequence

import numpy as np

from stemjax.tasks.context_loss import Listener, gains_over_none

SCORE = "context_gain_over_none"


def score(
    model: Listener, category: int, context: np.ndarray, stems: Sequence[np.ndarray]
) -> list[float]:
    """The gain of each stem; codes [Q, T] int32 of the context and of each stem."""
    contexts = np.repeat(context[None], len(stems), axis=0)
    gains = gains_over_none(model, [category] * len(stems), contexts, np.stack(stems))
    return [float(gain) for gain in gains]


def best(scores: Sequence[float]) -> int:
    """The number, from 1, of the highest; the first of equals."""
    return int(np.argmax(scores)) + 1
