"""`python evaluate.py context-gain`: does a model listen to its context?"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np

from stemjax.config.model import StemGenConfig
from stemjax.eval.commands.arguments import ContextGain
from stemjax.eval.context_gain import measure, shuffle_weights


def run(
    params: Any,
    cfg: StemGenConfig,
    batches: Iterable[Mapping[str, np.ndarray]],
    *,
    encode: Callable[[np.ndarray], np.ndarray] | None = None,
    num_pairs: int = 100,
    is_shuffled: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """The report as JSON values; `table` makes it readable.

    batches, encode: see `stemjax.eval.context_gain.measure`.
    is_shuffled: measure the control whose weights are permuted by `seed`.
    """
    if is_shuffled:
        params = shuffle_weights(params, jax.random.key(seed))
    levels = measure(params, cfg, batches, encode=encode, num_pairs=num_pairs)
    return {
        "weights": "shuffled" if is_shuffled else "trained",
        "unit": "nats per token",
        "levels": {str(level): values for level, values in levels.items()},
    }


def run_context_gain(
    command: ContextGain,
    model: Any,
    batches: Iterable[Mapping[str, np.ndarray]],
    encode: Callable[[np.ndarray], np.ndarray] | None,
) -> dict[str, Any]:
    """Print the table of a model; returns the report with what it is of.

    model: `stemjax.api.Model`.  batches, encode: as in `run`.
    """
    report = run(
        model.params,
        model.config,
        batches,
        encode=encode,
        num_pairs=command.pairs,
        is_shuffled=command.shuffle_weights,
        seed=command.seed,
    )
    print(table(report))
    return report | {
        "checkpoint": {"name": model.name, "version": model.version},
        "sha256": model.sha256,
        "split": command.split,
        "seed": command.seed,
    }


def table(report: Mapping[str, Any]) -> str:
    """The report as lines of text, one per level, coarsest first."""
    lines = [
        f"Context gain, {report['unit']}, {report['weights']} weights: cross-entropy"
        " with another song's context minus with its own",
        "level    gain   95 % interval        own   other    none  over none"
        "  95 % interval       pairs  songs",
    ]
    for level, row in report["levels"].items():
        over = row["over_null"]
        lines.append(
            f"{level:>5} {row['gain_nats']:+.4f}  {_interval(row):<18}"
            f" {row['own_nats']:7.4f} {row['other_nats']:7.4f} {row['null_nats']:7.4f}"
            f"    {over['gain_nats']:+.4f}  {_interval(over):<18}"
            f" {row['n_pairs']:6d} {row['n_songs']:6d}"
        )
    return "\n".join(lines)


def _interval(row: Mapping[str, Any]) -> str:
    if row["low"] is None:
        return "needs 2 songs"
    return f"{row['low']:+.4f} to {row['high']:+.4f}"
