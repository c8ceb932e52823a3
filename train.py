"""Train models and release them: `train.py PRESET --help` lists every setting."""

import dataclasses
import functools
import json
import pathlib
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple, Union

import tyro

from stemjax.config.presets import PRESETS, fit_to_codec
from stemjax.config.runs import CodecRun, Run
from stemjax.config.train import PairConfig, traced_steps
from stemjax.config.train_commands import Dtype, Export, ImportCodec, Runs, Tokens
from stemjax.io.errors import UserError, exit_on_bad_input
from stemjax.train.sweep import chosen
from stemjax.train.targets import check_request, set_up

PREPARE = "python -m data.prepare --layout slakh|musdb|folder --input DIR --out DIR"
SEED = 0  # of the synthetic set and of the validation examples


TOOLS = {
    "tokens": Tokens,
    "export": Export,
    "import-codec": ImportCodec,
    "runs": Runs,
}


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
    from stemjax.io.allocator import keep_memory

    keep_memory()
    with exit_on_bad_input(DataError):
        match value:
            case Tokens():
                fill_tokens(value)
            case Export():
                release(value)
            case ImportCodec():
                import_codec(value)
            case Runs():
                show_runs(value)
            case _:
                value = chosen(value)
                if value is None:
                    return  # the sweep's table was all that was asked for
                check(preset, value)
                from stemjax.train.processes import ending_together, join

                if not value.dry_run:
                    join(value)
                with ending_together(UserError, DataError, OSError):
                    sys.exit(train(preset, value))


def check(preset: str, run: Run) -> None:
    """What can be said before anything is loaded."""
    check_request(run)
    if run.profile_steps:
        try:
            traced_steps(run.profile_steps)
        except ValueError as error:
            raise UserError(str(error)) from None
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
    import jax

    from stemjax.config.codec import CodecConfig
    from stemjax.io.cache import use_compilation_cache
    from stemjax.tasks import codec as codec_task
    from stemjax.train import dry_run
    from stemjax.train.initial import codebook_weights, initial_weights
    from stemjax.train.loop import Outcome, fit, mesh_of
    from stemjax.train.processes import share_of_batch
    from stemjax.train.speed import step_cost

    set_up(run)
    is_cpu = jax.default_backend() == "cpu"
    if run.paper_size and is_cpu and not (run.allow_cpu or run.dry_run):
        raise UserError(
            f"train.py {preset}: the paper's size would take months on a CPU; use an"
            " accelerator, the preset stemgen-mini, or --allow-cpu"
        )
    use_compilation_cache()
    start = initial_weights(run)
    run = start.run
    source = None
    if not run.dry_run:
        source = open_source(run, share_of_batch(mesh_of(run), run.batch_size))
    elif run.data:
        source = open_source(run, (0, 1))
    codec, identity, about = None, {}, {}
    if isinstance(run, CodecRun):
        make, listens = codec_task.make, None
    else:
        from stemjax.tasks import stemgen as stemgen_task
        from stemjax.train import codecs

        is_tiny = preset.endswith("-tiny")
        # a dry run without data is of the faster source
        is_tokens = source.is_tokens if source else not is_tiny
        if source and source.is_tokens:
            codec, shape = codecs.codec_of_tokens(run, source.codec)
        else:
            codec = codecs.codec_of_audio(run, is_tiny=is_tiny)
            shape = codec.config if codec else CodecConfig()
        run = dataclasses.replace(run, model=fit_to_codec(run.model, shape))
        make = functools.partial(
            stemgen_task.make, codec_config=shape, batches_are_tokens=is_tokens
        )
        listens = None if is_tokens else shape
    if run.dry_run:
        print(json.dumps(dry_run.report(run, make, listens)))
        return Outcome.DONE
    task = make(run)
    if (spoken := codec or source.codec) is not None:
        identity = {"codec": spoken.sha256}
        about = {"codec": codecs.about_codec(run, spoken)}
    weights = start.weights
    if weights is None and codec is not None and run.objective.codebook_init:
        weights = codebook_weights(task, run, codec.variables)
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
        identity={"data": source.identity, "init_from": start.sha256} | identity,
        about=about,
        cost=step_cost(run),
        initial=weights,
    )


class Source(NamedTuple):
    """Where batches come from.

    train: first step -> endless batches.  evaluate: -> the same finite batches each
    time; None where there is no validation song.
    """

    is_tokens: bool
    identity: str
    codec: Any  # what a token store was made with (`codecs.MadeWith`); None: audio
    train: Callable[[int], Iterator[dict]]
    evaluate: Callable[[], Iterator[dict]] | None


def open_source(run: Run, share: tuple[int, int]) -> Source:
    """The batches of `--data`, or of the set made in memory for tiny presets.

    share: (index, count) of the equal shares of a batch: the rows to make here.
    """
    from data import crops, pairs
    from data.spec import Opened, open_data
    from data.synthetic import SyntheticSet

    opened = open_data(run.data) if run.data else Opened(False, SyntheticSet(SEED))
    if isinstance(run, CodecRun):
        if opened.is_tokens:
            raise UserError(f"{run.data}: a codec trains on audio; give a prepared one")
        settings = {"crop_seconds": run.objective.crop_seconds}
        train, evaluate = crops.codec_batches, crops.codec_eval_batches
    else:
        settings = {"pairs": run.pairs}
        train, evaluate = pairs.numpy_batches, pairs.eval_batches
        if opened.is_tokens:
            from data import tokens

            train, evaluate = tokens.token_batches, tokens.token_eval_batches
    settings |= {
        "batch_size": run.batch_size,
        "process_index": share[0],
        "process_count": share[1],
    }

    def train_batches(start_step):
        return train(
            opened.data,
            split="train",
            seed=run.seed,
            start_step=start_step,
            loader=run.loader,
            **settings,
        )

    def eval_batches():
        count = run.loop.eval_batches * run.batch_size
        return evaluate(
            opened.data, split="validation", seed=SEED, count=count, **settings
        )

    has_validation = opened.has("validation")
    if not has_validation:
        print(f"{run.data}: no validation song: nothing is evaluated, no best is kept")
    return Source(
        is_tokens=opened.is_tokens,
        identity=opened.data.content_hash,
        codec=opened.sources[0].codec if opened.is_tokens else None,
        train=train_batches,
        evaluate=eval_batches if has_validation else None,
    )


def fill_tokens(value: Tokens) -> None:
    """`tokens`: encode K random submixes of every segment; killed, it goes on."""
    import jax
    import numpy as np
    from tqdm import tqdm

    from data.spec import open_audio
    from data.token_format import StoreCodec
    from data.token_writer import TokenWriter
    from stemjax import codec
    from stemjax.config.train import MeshConfig
    from stemjax.io.cache import use_compilation_cache
    from stemjax.nn.axes import make_mesh

    use_compilation_cache()
    loaded = codec.load(value.codec).on(make_mesh(MeshConfig()))
    writer = TokenWriter(
        value.out,
        open_audio(value.data),
        codec=StoreCodec(
            name=loaded.name,
            sha256=loaded.sha256,
            sample_rate=loaded.config.sample_rate,
            hop=loaded.config.hop,
            num_codebooks=loaded.config.num_codebooks,
            codebook_size=loaded.config.codebook_size,
        ),
        draws_per_segment=value.draws,
        seed=value.seed,
        pairs=PairConfig(crop_seconds=value.crop_seconds),
    )
    devices = jax.device_count()
    with tqdm(desc="encoding", unit="mix", file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        made = writer.fill(
            lambda audio: loaded.encode(audio.astype(np.float32) / 32_768),
            batch_size=-(-value.batch_size // devices) * devices,
            progress=progress,
        )
    print(f"{value.out}: {made['entries']} mixes of {made['frames']} frames")


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
    from stemjax.codec.import_published import convert

    config = convert(value.source, value.out)
    print(f"{value.out}: {config['model']['num_codebooks']} codebooks")


def show_runs(value: Runs) -> None:
    """`runs`: what differs between runs, and what has become of each."""
    from stemjax.train import runs_table

    text = runs_table.report(
        value.folder, stale=value.stale, sort=value.sort, is_json=value.json
    )
    print(text)


if __name__ == "__main__":
    main()
