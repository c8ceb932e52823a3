"""`evaluate.py context-gain`: does a model listen to its context?"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

import stemjax
from stemjax.cli.evaluate.arguments import ContextGain
from stemjax.cli.evaluate.decoding import bar
from stemjax.config.train import PairConfig
from stemjax.data.drawing import pairs
from stemjax.data.spec import open_data
from stemjax.data.tokens import store
from stemjax.eval.metrics.context_gain import (
    by_level,
    pair_losses,
    paired_difference,
    shuffle_weights,
)
from stemjax.io.errors import UserError

Batches = Callable[[], Iterable[Mapping[str, np.ndarray]]]
"""The same batches at each call; `stemjax.eval.metrics.context_gain.measure` says what of."""
Encode = Callable[[np.ndarray], np.ndarray] | None
"""Audio [B, N] -> codes [B, Q, T], for batches of audio."""


def run(command: ContextGain) -> dict[str, Any]:
    """Print the table of one model; returns the report.

    Raises:
      UserError: bad data, no such model, or tokens of another codec.
    """
    opened = open_data(command.data)
    if not opened.has(command.split):
        raise UserError(f"{command.data}: no song in the split {command.split!r}")
    model = stemjax.load(command.checkpoint, codec=command.codec)
    opened.check_codec(command.data, model.codec.name, model.codec.sha256)
    settings = PairConfig(crop_seconds=model.trained_frames / model.config.frame_rate)
    make = store.token_eval_batches if opened.is_tokens else pairs.pair_eval_batches
    batches = functools.partial(
        make,
        opened.data,
        settings,
        split=command.split,
        count=command.pairs,
        batch_size=command.batch_size,
        seed=command.seed,
    )
    other = (
        stemjax.load(command.against, codec=command.codec) if command.against else None
    )
    encode = None if opened.is_tokens else model.codec.encode
    return run_context_gain(command, model, other, batches, encode)


def run_context_gain(
    command: ContextGain,
    model: Any,
    other: Any | None,
    batches: Batches,
    encode: Encode,
) -> dict[str, Any]:
    """Print the table of a model; returns the report, as JSON values.

    model, other: `stemjax.api.Model`; the second is set beside the first.

    Raises:
      UserError: another codec's model to set beside it.
    """
    if other is not None and other.codec.sha256 != model.codec.sha256:
        raise UserError(
            f"--against {command.against}: speaks the codec {other.codec.name}, not"
            f" {model.codec.name}; gains of two codecs have no difference"
        )

    def losses_of(model: Any, is_shuffled: bool) -> tuple[np.ndarray, np.ndarray]:
        params = model.params
        if is_shuffled:
            params = shuffle_weights(params, jax.random.key(command.seed))
        counted = _counted(batches(), model.name, command.pairs)
        return pair_losses(
            params, model.config, counted, encode=encode, num_pairs=command.pairs
        )

    losses, songs = losses_of(model, command.shuffle_weights)
    report = {
        "weights": "shuffled" if command.shuffle_weights else "trained",
        "unit": "nats per token",
        "levels": _with_text_keys(by_level(losses, songs)),
        **_about(model),
        "split": command.split,
        "seed": command.seed,
    }
    if other is not None:
        theirs, _ = losses_of(other, is_shuffled=False)
        report["against"] = _about(other) | {
            "levels": _with_text_keys(by_level(theirs, songs)),
            "difference": _with_text_keys(paired_difference(losses, theirs, songs)),
        }
    print(table(report))
    return report


def _counted(
    batches: Iterable[Mapping[str, np.ndarray]], name: str, total: int | None
) -> Iterator[Mapping[str, np.ndarray]]:
    """The batches, and on stderr how many pairs have been measured."""
    with bar(name, total, "pair") as advance:
        for batch in batches:
            try:
                yield batch
            finally:  # also where enough pairs are there and no more is asked for
                advance(int(np.sum(batch["is_valid"])))


def _about(model: Any) -> dict[str, Any]:
    return {
        "checkpoint": {"name": model.name, "version": model.version},
        "sha256": model.sha256,
    }


def _with_text_keys(levels: Mapping[int, Any]) -> dict[str, Any]:
    return {str(level): values for level, values in levels.items()}


def table(report: Mapping[str, Any]) -> str:
    """The report as lines of text, one per level, coarsest first."""
    lines = [
        f"Context gain, {report['unit']}, {report['weights']} weights: cross-entropy"
        " with another song's context minus with its own",
        *_rows(report["levels"]),
    ]
    other = report.get("against")
    if other:
        name = " ".join(map(str, other["checkpoint"].values()))
        lines += ["", f"{name} on the same pairs", *_rows(other["levels"])]
        lines += [
            "",
            f"Difference from {name}, paired: of the gain, and of the cross-entropy"
            " with the own context (below 0: less)",
            "level    gain   95 % interval        own   95 % interval",
            *(
                f"{level:>5} {row['gain_nats']:+.4f}  {_interval(row):<18}"
                f" {row['own']['gain_nats']:+.4f}  {_interval(row['own'])}"
                for level, row in other["difference"].items()
            ),
        ]
    return "\n".join(lines)


def _rows(levels: Mapping[str, Any]) -> list[str]:
    lines = [
        "level    gain   95 % interval        own   other    none  over none"
        "  95 % interval       pairs  songs",
    ]
    for level, row in levels.items():
        over = row["over_null"]
        lines.append(
            f"{level:>5} {row['gain_nats']:+.4f}  {_interval(row):<18}"
            f" {row['own_nats']:7.4f} {row['other_nats']:7.4f} {row['null_nats']:7.4f}"
            f"    {over['gain_nats']:+.4f}  {_interval(over):<18}"
            f" {row['n_pairs']:6d} {row['n_songs']:6d}"
        )
    return lines


def _interval(row: Mapping[str, Any]) -> str:
    if row["low"] is None:
        return "needs 2 songs"
    return f"{row['low']:+.4f} to {row['high']:+.4f}"
