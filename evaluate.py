"""Measure models and codecs: `python evaluate.py --help`."""

import dataclasses
import json
import sys
from typing import Annotated, Any

import tyro


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContextGain:
    """Does a model listen? Cross-entropy of held-out targets with another song's
    context minus with their own; 95 % intervals by a jackknife over songs."""

    data: str
    """Token store of the model's codec, or prepared folder."""
    checkpoint: str = "stemgen-mini"
    """Bundled name, release folder or training workdir."""
    codec: str = ""
    """Codec folder, for a checkpoint whose codec is not bundled."""
    split: str = "test"
    pairs: int = 100
    """Held-out pairs."""
    batch_size: int = 10
    seed: int = 0
    shuffle_weights: bool = False
    """Measure a control: the same weights, shuffled. It must score 0."""
    out: str = ""
    """JSON file to write the report to."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CodecTable:
    """What a codec loses, beside an untrained one, silence, Opus and k-means."""

    data: str
    """Prepared folder."""
    codec: str = "codec-mini"
    """Bundled name or folder."""
    split: str = "test"
    clips: int = 64
    """Held-out clips; as many of the training split fit the k-means codec."""
    seconds: float = 5.0
    """Length of a clip."""
    seed: int = 0
    out: str = ""
    """JSON file to write the rows to."""


Command = (
    Annotated[ContextGain, tyro.conf.subcommand("context-gain")]
    | Annotated[CodecTable, tyro.conf.subcommand("codec-table")]
)


def main(argv: list[str] | None = None) -> None:
    command: Any = tyro.cli(Command, args=argv, description=__doc__)

    from data.errors import DataError
    from stemjax.io.allocator import keep_memory
    from stemjax.io.errors import exit_on_bad_input

    keep_memory()
    with exit_on_bad_input(DataError):
        match command:
            case ContextGain():
                report = context_gain(command)
            case CodecTable():
                report = codec_table(command)
        if command.out:
            from stemjax.io.atomic import write_text

            text = json.dumps(report, indent=2, sort_keys=True) + "\n"
            write_text(command.out, text)


def context_gain(command: ContextGain) -> dict[str, Any]:
    """Print the table of one model; returns the report."""
    import stemjax
    from data import pairs, tokens
    from data.spec import open_data
    from stemjax.config.train import PairConfig
    from stemjax.eval.commands import context_gain as body
    from stemjax.io.cache import use_compilation_cache
    from stemjax.io.errors import UserError

    use_compilation_cache()
    opened = open_data(command.data)
    if not opened.has(command.split):
        raise UserError(f"{command.data}: no song in the split {command.split!r}")
    model = stemjax.load(command.checkpoint, codec=command.codec)
    if opened.is_tokens:
        for source in opened.sources:
            if source.codec["sha256"] != model.codec.sha256:
                raise UserError(
                    f"{command.data}: tokens of codec {source.codec['name']!r}, not of"
                    f" {model.codec.name!r}; fill a store with that one"
                )
    settings = PairConfig(crop_seconds=model.trained_frames / model.config.frame_rate)
    make = tokens.token_eval_batches if opened.is_tokens else pairs.eval_batches
    batches = make(
        opened.data,
        settings,
        split=command.split,
        count=command.pairs,
        batch_size=command.batch_size,
        seed=command.seed,
    )
    report = body.run(
        model.params,
        model.config,
        batches,
        encode=None if opened.is_tokens else model.codec.encode,
        num_pairs=command.pairs,
        is_shuffled=command.shuffle_weights,
        seed=command.seed,
    )
    report |= {
        "checkpoint": {"name": model.name, "version": model.version},
        "sha256": model.sha256,
        "split": command.split,
        "seed": command.seed,
    }
    print(body.table(report))
    return report


def codec_table(command: CodecTable) -> dict[str, Any]:
    """Print the table of one codec; returns its rows."""
    import numpy as np

    from data.crops import codec_eval_batches
    from data.spec import open_data
    from stemjax import codec
    from stemjax.eval import codec_table as body
    from stemjax.io.cache import use_compilation_cache
    from stemjax.io.errors import UserError

    use_compilation_cache()
    opened = open_data(command.data)
    if opened.is_tokens:
        raise UserError(f"{command.data}: a codec is measured on audio")
    loaded = codec.load(command.codec)

    def clips(split: str) -> list[np.ndarray]:
        batches = codec_eval_batches(
            opened.data,
            crop_seconds=command.seconds,
            split=split,
            batch_size=8,
            count=command.clips,
            seed=command.seed,
        )
        rows = [b["audio"][b["is_valid"]] for b in batches]
        return list(np.concatenate(rows).astype(np.float32) / 32_768)

    rows = body.codec_table(
        loaded.variables,
        loaded.config,
        clips(command.split),
        clips("train"),
        seed=command.seed,
    )
    print(body.markdown(rows), end="")
    return {
        "codec": {"name": loaded.name, "sha256": loaded.sha256},
        "clips": command.clips,
        "seconds": command.seconds,
        "split": command.split,
        "seed": command.seed,
        "rows": [dataclasses.asdict(row) for row in rows],
    }


if __name__ == "__main__":
    main(sys.argv[1:])
