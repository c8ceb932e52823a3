"""`train.py PRESET`: train a model."""

import dataclasses
import functools
import json

from stemjax.config.presets import fit_to_codec
from stemjax.config.runs import CodecRun, Run
from stemjax.config.train import traced_steps
from stemjax.io.errors import UserError
from stemjax.train.planning.targets import check_request, set_up

PREPARE = "python -m data.prepare --layout slakh|musdb|folder --input DIR --out DIR"


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

    from stemjax.cli.train.source import open_source
    from stemjax.config.codec import CodecConfig
    from stemjax.io.cache import use_compilation_cache
    from stemjax.tasks import codec as codec_task
    from stemjax.train.initial import codebook_weights, initial_weights
    from stemjax.train.loop import Outcome, fit, mesh_of
    from stemjax.train.planning import dry_run
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
