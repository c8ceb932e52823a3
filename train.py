"""Train models and release them: `train.py PRESET --help` lists every setting."""

import dataclasses
import enum
import json
import pathlib
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple, Union

import tyro

from stemjax.config.presets import PRESETS, fit_to_codec
from stemjax.config.runs import CodecRun, Run, StemGenRun

PREPARE = "python -m data.prepare --layout slakh|musdb|folder --input DIR --out DIR"
TINY_CODEC_SEED = 0
EVAL_SEED = 0  # of validation examples, whatever the run's seed


class Dtype(enum.Enum):
    FLOAT32 = "f32"
    BFLOAT16 = "bf16"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tokens:
    """Fill a token store: encode random submixes of every segment once."""

    data: str
    """Prepared folder."""
    codec: str
    """Bundled name or folder."""
    draws: int
    """Random submixes per segment."""
    out: str
    """Token store to write; the same command goes on where it stopped."""
    seed: int = 0
    batch_size: int = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Export:
    """Write a release folder from a workdir's best step."""

    workdir: str
    out: str
    dtype: Dtype = Dtype.FLOAT32
    name: str = ""
    version: str = ""
    card: str = ""
    """Markdown file to ship as README.md."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImportCodec:
    """Turn a published EnCodec folder (config.json + model.safetensors) into ours."""

    source: tyro.conf.Positional[str]
    out: tyro.conf.Positional[str]


TOOLS = {"tokens": Tokens, "export": Export, "import-codec": ImportCodec}


def parse(argv: list[str]) -> tuple[str, object]:
    """(subcommand, its dataclass). Imports neither jax nor TensorFlow."""
    kinds = [
        Annotated[
            type(run),
            tyro.conf.subcommand(name, default=run, description=f"Preset {name}."),
        ]
        for name, run in PRESETS.items()
    ]
    kinds += [Annotated[t, tyro.conf.subcommand(name)] for name, t in TOOLS.items()]
    config = (tyro.conf.EnumChoicesFromValues,)
    choice = Union[tuple(kinds)]  # noqa: UP007  (made from a table)
    value = tyro.cli(choice, args=argv, config=config, description=__doc__)
    return argv[0], value


def main(argv: list[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    preset, value = parse(argv)
    # until `fit` takes over there is nothing to save
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))

    from data.errors import DataError
    from stemjax.io.errors import exit_on_bad_input

    with exit_on_bad_input(DataError):
        match value:
            case Tokens():
                fill_tokens(value)
            case Export():
                release(value)
            case ImportCodec():
                import_codec(value)
            case _:
                sys.exit(train(preset, value))


def check(preset: str, run: Run) -> None:
    """What can be said before anything is loaded."""
    from stemjax.io.errors import UserError

    if run.dry_run:
        return
    if not run.workdir:
        raise UserError(f"train.py {preset}: give --workdir DIR")
    if not run.data and not preset.endswith("-tiny"):
        raise UserError(
            f"train.py {preset}: give --data DIR, a prepared folder; make one with"
            f" `{PREPARE}`"
        )


def train(preset: str, run: Run) -> int:
    """Build the parts of a run and fit; returns the exit code."""
    check(preset, run)
    import jax

    from stemjax.io.cache import use_compilation_cache
    from stemjax.io.errors import UserError
    from stemjax.tasks import codec as codec_task
    from stemjax.train import dry_run
    from stemjax.train.initial import initial_weights
    from stemjax.train.loop import fit

    is_cpu = jax.default_backend() == "cpu"
    if run.paper_size and is_cpu and not (run.allow_cpu or run.dry_run):
        raise UserError(
            f"train.py {preset}: the paper's size would take months on a CPU; use an"
            " accelerator, the preset stemgen-mini, or --allow-cpu"
        )
    use_compilation_cache()
    start = initial_weights(run)
    run = start.run
    codec = None
    if isinstance(run, StemGenRun):
        codec = codec_of(preset, run)
        if codec is not None:
            run = dataclasses.replace(run, model=fit_to_codec(run.model, codec.config))
    source = None if run.dry_run else open_source(preset, run, codec)
    if isinstance(run, CodecRun):
        task = codec_task.make(run)
    else:
        from stemjax.tasks import stemgen as stemgen_task

        task = stemgen_task.make(
            run,
            codec.config if codec else None,
            batches_are_tokens=source is not None and source.is_tokens,
        )
    if run.dry_run:
        print(json.dumps(dry_run.report(task, run)))
        return 0
    identity = {"data": source.identity, "init_from": start.sha256}
    if codec is not None:
        identity["codec"] = {"name": codec.name, "sha256": codec.sha256}
    hooks = ()
    if run.loop.clips_every:
        from stemjax.train.clips import clips_hook

        hooks = clips_hook(run, codec, source.evaluate)
    return fit(
        task,
        run,
        frozen=codec.variables if codec and not source.is_tokens else {},
        train_batches=source.train,
        eval_batches=source.evaluate,
        workdir=run.workdir,
        hooks=hooks,
        identity=identity,
        tokens_per_step=dry_run.tokens_per_step(run),
        initial=start.weights,
    )


class Source(NamedTuple):
    """Where batches come from.

    train: first step -> endless batches.  evaluate: -> the same finite batches each
    time; None where there is no validation song.
    """

    is_tokens: bool
    identity: str
    train: Callable[[int], Iterator[dict]]
    evaluate: Callable[[], Iterator[dict]] | None


def open_source(preset: str, run: Run, codec: Any) -> Source:
    """The batches of `--data`, or of the set made in memory for tiny presets."""
    from data.crops import codec_batches, codec_eval_batches
    from data.records import open_prepared

    assert isinstance(run, CodecRun)
    prepared = open_prepared(run.data)
    has_validation = len(prepared.index("validation").songs) > 0
    if not has_validation:
        print(f"{run.data}: no validation song: nothing is evaluated, no best is kept")

    def train_batches(start_step):
        return codec_batches(
            prepared,
            crop_seconds=run.objective.crop_seconds,
            batch_size=run.batch_size,
            seed=run.seed,
            start_step=start_step,
        )

    def eval_batches():
        return codec_eval_batches(
            prepared,
            crop_seconds=run.objective.crop_seconds,
            split="validation",
            batch_size=run.batch_size,
            count=run.loop.eval_batches * run.batch_size,
            seed=EVAL_SEED,
        )

    return Source(
        is_tokens=False,
        identity=prepared.content_hash,
        train=train_batches,
        evaluate=eval_batches if has_validation else None,
    )


def codec_of(preset: str, run: StemGenRun):
    """The codec whose tokens the model speaks; None where a dry run names none."""
    from stemjax import codec
    from stemjax.config.presets import CODEC_TINY
    from stemjax.io.errors import UserError
    from stemjax.train.export import OWN_CODEC

    if run.codec:
        return codec.load(run.codec)
    if not preset.endswith("-tiny"):
        if run.dry_run:
            return None
        raise UserError(f"train.py {preset}: give --codec NAME|DIR, e.g. codec-mini")
    own = pathlib.Path(run.workdir) / OWN_CODEC
    if run.dry_run or not own.is_dir():
        made = codec.random(CODEC_TINY.model, TINY_CODEC_SEED)
        if run.dry_run:
            return made
        made.save(own)
    return codec.load(own)


def fill_tokens(value: Tokens) -> None:
    """`tokens`: encode K random submixes of every segment."""


def release(value: Export) -> None:
    """`export`: a release folder from a workdir."""
    from stemjax.train.export import export

    card = pathlib.Path(value.card).read_text(encoding="utf-8") if value.card else ""
    config = export(
        value.workdir,
        value.out,
        is_half=value.dtype is Dtype.BFLOAT16,
        name=value.name,
        version=value.version,
        card=card,
    )
    print(f"{value.out}: {config['kind']} of step {config['steps']}")


def import_codec(value: ImportCodec) -> None:
    """`import-codec`: the published layout in, a release folder out."""
    from stemjax import codec

    made = codec.load(value.source)
    made.save(value.out)
    print(f"{value.out}: {made.config.num_codebooks} codebooks, sha256 {made.sha256}")


if __name__ == "__main__":
    main()
