"""Context gain of a model on held-out pairs, alone or paired with a second model."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np

from stemjax.eval.metrics.context_gain import (
    by_level,
    paired_difference,
    shuffle_weights,
)
from stemjax.eval.populations.progress import StageProgress, advance
from stemjax.tasks.context_loss import pair_losses

Batches = Callable[[], Iterable[Mapping[str, np.ndarray]]]
"""Returns the same batches at each call; see `metrics.context_gain.measure`."""
Encode = Callable[[np.ndarray], np.ndarray] | None
"""Audio [B, N] -> codes [B, Q, T]; None if the batches hold codes."""


def measure(
    model: Any,
    batches: Batches,
    encode: Encode,
    *,
    num_pairs: int,
    shuffle_seed: int | None = None,
    against: Any | None = None,
    progress: StageProgress = lambda what, done, total: None,
) -> dict[str, Any]:
    """Context gain by level as JSON values.

    Args:
      model: a `stemjax.api.Model`.
      num_pairs: number of held-out pairs.
      shuffle_seed: seed that shuffles the weights as a control; None keeps them.
      against: a second model with the same codec; adds the paired difference.
    """

    def losses_of(model: Any, params: Any) -> tuple[np.ndarray, np.ndarray]:
        step = advance(progress, model.name, num_pairs)
        counted = _counted(batches(), step)
        return pair_losses(
            params, model.config, counted, encode=encode, num_pairs=num_pairs
        )

    params = model.params
    if shuffle_seed is not None:
        params = shuffle_weights(params, jax.random.key(shuffle_seed))
    losses, songs = losses_of(model, params)
    report = {
        "weights": "trained" if shuffle_seed is None else "shuffled",
        "unit": "nats per token",
        "levels": _with_text_keys(by_level(losses, songs)),
        **_identity(model),
    }
    if against is not None:
        other_losses, _ = losses_of(against, against.params)
        difference = paired_difference(losses, other_losses, songs)
        report["against"] = _identity(against) | {
            "levels": _with_text_keys(by_level(other_losses, songs)),
            "difference": _with_text_keys(difference),
        }
    return report


def _counted(
    batches: Iterable[Mapping[str, np.ndarray]], step: Callable[[int], None]
) -> Iterable[Mapping[str, np.ndarray]]:
    """The batches; reports their valid pairs once each batch was measured."""
    for batch in batches:
        try:
            yield batch
        finally:  # also if the consumer stops after this batch
            step(int(np.sum(batch["is_valid"])))


def _identity(model: Any) -> dict[str, Any]:
    return {
        "checkpoint": {"name": model.name, "version": model.version},
        "sha256": model.sha256,
    }


def _with_text_keys(levels: Mapping[int, Any]) -> dict[str, Any]:
    return {str(level): values for level, values in levels.items()}
