"""`--init-from`: a run that starts from released weights with a fresh optimiser."""

import dataclasses
import pathlib
from typing import Any, NamedTuple

import numpy as np

from stemjax.codec import names
from stemjax.config.codec import CodecConfig
from stemjax.config.model import StemGenConfig
from stemjax.config.runs import CommonRun, StemGenRun, from_json
from stemjax.io.release import locate, read_release
from stemjax.io.weights import unflatten
from stemjax.train.export import restore_model
from stemjax.train.resume import RUN


class Initial(NamedTuple):
    """Where a run starts.

    run: with the shapes of the weights.  weights: (params, model_state), or None for
    the task's own.  sha256: their digest, "" for none.
    """

    run: CommonRun
    weights: tuple[Any, Any] | None
    sha256: str


def initial_weights(run: CommonRun) -> Initial:
    """Read `run.init_from`: a release folder, a bundled name or a workdir.

    The architecture comes from there, never from the preset; so does the codec where
    the command names none.

    Raises:
      UserError: no such weights, or weights of another kind.
    """
    if not run.init_from:
        return Initial(run, None, "")
    is_stemgen = isinstance(run, StemGenRun)
    kind = "stemgen" if is_stemgen else "codec"
    folder = pathlib.Path(locate(run.init_from))
    if (folder / RUN).is_file():
        config, flat, sha256 = restore_model(folder, kind=kind)
    else:
        release = read_release(folder, kind=kind)
        config, flat, sha256 = release.config, release.weights, release.sha256
    shape = from_json(StemGenConfig if is_stemgen else CodecConfig, config["model"])
    run = dataclasses.replace(run, model=shape)
    if is_stemgen and not run.codec:
        name = config["codec"]["name"]
        beside = folder / name  # a codec that travels with the model
        name = str(beside) if beside.is_dir() else name
        run = dataclasses.replace(run, codec=name)
    flat = {k: np.asarray(v) for k, v in flat.items()}
    if is_stemgen:
        return Initial(run, (unflatten(flat), {}), sha256)
    variables = names.from_public(flat)
    return Initial(run, (variables["params"], variables["codebooks"]), sha256)
