"""First weights of a run: released weights (`--init-from`), or the codec's codebooks."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from stemjax.codec import names
from stemjax.codec.functional import stack_codebooks
from stemjax.config.releases import CodecRelease, StemGenRelease
from stemjax.config.runs import CodecRun, CommonRun, StemGenRun
from stemjax.io.errors import UserError
from stemjax.io.release import locate, read_release
from stemjax.models.code_init import start_from_codebooks
from stemjax.models.weights import params_of
from stemjax.tasks.task import Task
from stemjax.train.export import restore_model
from stemjax.train.resume import RUN
from stemjax.train.sharding import unbox


class InitialWeights(NamedTuple):
    """Weights that a run starts from."""

    run: CommonRun
    """The run, with the shapes and the codec of the weights."""
    weights: tuple[Any, Any] | None
    """(params, model_state); None: those of `Task.init`."""
    sha256: str
    """Digest of the weights; "" without weights."""


def check_initial_weights(run: CommonRun) -> None:
    """Check that a run that keeps a codec's codes has a codec to start from.

    Raises:
      UserError: `freeze_codes` without `init_from`.
    """
    is_frozen = isinstance(run, CodecRun) and run.objective.freeze_codes
    if is_frozen and run.init_from is None:
        raise UserError(
            "--objective.freeze-codes: give --init-from DIR, the codec whose codes stay"
        )


def codebook_weights(task: Task, run: StemGenRun, variables: Any) -> tuple[Any, Any]:
    """(params, model_state) of a new run, code embeddings from the codec's codebooks (A25).

    Args:
      variables: the codec's, with `codebooks`.
    """
    k_params, k_projection = jax.random.split(jax.random.key(run.seed))
    params, model_state = unbox(jax.jit(task.init)(k_params))
    books = stack_codebooks(variables["codebooks"])
    return start_from_codebooks(k_projection, params, books, run.model), model_state


def initial_weights(run: CommonRun) -> InitialWeights:
    """Read the weights of `run.init_from`: a release folder, a bundled name or a workdir.

    The architecture is that of the weights, never the preset's.  So is the codec, if
    the run names none.

    Raises:
      UserError: no such weights, or weights of another kind.
    """
    if run.init_from is None:
        return InitialWeights(run, None, "")
    kind = StemGenRelease if isinstance(run, StemGenRun) else CodecRelease
    folder = locate(run.init_from)
    is_workdir = (folder / RUN).is_file()
    release = (restore_model if is_workdir else read_release)(folder, kind)
    config, flat = (
        release.config,
        {k: np.asarray(v) for k, v in release.weights.items()},
    )
    run = dataclasses.replace(run, model=config.model)
    if kind is CodecRelease:
        names.check_weights(flat, config.model, folder)
        variables = names.from_public(_with_exact_averages(flat))
        weights = (variables["params"], variables["codebooks"])
        return InitialWeights(run, weights, release.sha256)
    # a codec that is not one of stemjax has no digest and cannot be loaded
    if run.codec is None and config.codec.sha256:
        name = config.codec.name
        inside = folder / name  # a codec that is part of the release
        name = str(inside) if inside.is_dir() else name
        run = dataclasses.replace(run, codec=name)
    params = params_of(flat, config.model, folder)
    return InitialWeights(run, (params, {}), release.sha256)


def _with_exact_averages(flat: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A codec's weights, with running sums of codebooks that agree with the codes.

    A code is its running sum over its running count.  A release may hold the sums in
    half precision and the codes in full; the first update would then round the codes.
    """
    exact = dict(flat)
    for name in flat:
        book, _, last = name.rpartition(".")
        if last == "embed_avg":
            size = flat[f"{book}.cluster_size"][:, None]
            exact[name] = (flat[f"{book}.embed"] * size).astype(np.float32)
    return exact
