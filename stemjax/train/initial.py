"""Where a run starts: released weights (`--init-from`), or the codec's codebooks."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from stemjax.codec import names
from stemjax.codec.functional import stack_codebooks
from stemjax.config.model import StemGenConfig
from stemjax.config.runs import (
    CodecRun,
    CommonRun,
    StemGenRun,
    codec_from_json,
    from_json,
)
from stemjax.io.errors import UserError
from stemjax.io.release import locate, read_release
from stemjax.io.weights import unflatten
from stemjax.models.code_init import start_from_codebooks
from stemjax.tasks.task import Task
from stemjax.train.export import restore_model
from stemjax.train.resume import RUN
from stemjax.train.sharding import unbox


class Initial(NamedTuple):
    """Where a run starts.

    run: with the shapes of the weights.  weights: (params, model_state), or None for
    the task's own.  sha256: their digest, "" for none.
    """

    run: CommonRun
    weights: tuple[Any, Any] | None
    sha256: str


def codebook_weights(task: Task, run: StemGenRun, variables: Any) -> tuple[Any, Any]:
    """(params, model_state) of a new run whose code embeddings the codec gives."""
    k_params, k_projection = jax.random.split(jax.random.key(run.seed))
    params, model_state = unbox(jax.jit(task.init)(k_params))
    books = stack_codebooks(variables["codebooks"])
    return start_from_codebooks(k_projection, params, books, run.model), model_state


def initial_weights(run: CommonRun) -> Initial:
    """Read `run.init_from`: a release folder, a bundled name or a workdir.

    The architecture comes from there, never from the preset; so does the codec where
    the command names none.

    Raises:
      UserError: no such weights, or weights of another kind; no weights where a codec's
        codes are to stay.
    """
    if not run.init_from:
        is_stuck = isinstance(run, CodecRun) and run.objective.freeze_codes
        if is_stuck and not run.dry_run:
            raise UserError(
                "--objective.freeze-codes: give --init-from DIR, the codec whose codes"
                " are to stay"
            )
        return Initial(run, None, "")
    is_stemgen = isinstance(run, StemGenRun)
    kind = "stemgen" if is_stemgen else "codec"
    folder = locate(run.init_from)
    if (folder / RUN).is_file():
        config, flat, sha256 = restore_model(folder, kind=kind)
    else:
        release = read_release(folder, kind=kind)
        config, flat, sha256 = release.config, release.weights, release.sha256
    if is_stemgen:
        shape = from_json(StemGenConfig, config["model"])
    else:
        shape = codec_from_json(config["model"])
    run = dataclasses.replace(run, model=shape)
    # "": made by a codec that is not one of stemjax, which nothing here can load
    if is_stemgen and not run.codec and config["codec"]["sha256"]:
        name = config["codec"]["name"]
        beside = folder / name  # a codec that travels with the model
        name = str(beside) if beside.is_dir() else name
        run = dataclasses.replace(run, codec=name)
    flat = {k: np.asarray(v) for k, v in flat.items()}
    if is_stemgen:
        return Initial(run, (unflatten(flat), {}), sha256)
    names.check_shapes(flat, shape, folder)
    variables = names.from_public(_with_whole_averages(flat))
    return Initial(run, (variables["params"], variables["codebooks"]), sha256)


def _with_whole_averages(flat: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A codec's weights, its codebooks' running sums such that no code jumps.

    A code is its running sum over its running count.  A release may hold those in half
    precision beside the codes in full, and the first update would then round the codes.
    """
    whole = dict(flat)
    for name in flat:
        book, _, last = name.rpartition(".")
        if last == "embed_avg":
            size = flat[f"{book}.cluster_size"][:, None]
            whole[name] = (flat[f"{book}.embed"] * size).astype(np.float32)
    return whole
