"""Releases from training workdirs: config.json, and weights under their public names.

`restore_model` reads a workdir as a release; `export` writes the same as a folder.
"""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import ml_dtypes
import numpy as np

import stemjax
from stemjax.codec import names
from stemjax.config.categories import CATEGORIES
from stemjax.config.decode import DecodeConfig
from stemjax.config.plain_values import to_json
from stemjax.config.releases import (
    CodecReference,
    CodecRelease,
    ReleaseConfig,
    StemGenRelease,
)
from stemjax.io.errors import UserError
from stemjax.io.json_file import typed
from stemjax.io.release import FILES, FORMAT, RUN, C, Release, write_release
from stemjax.io.remote import Path, absolute, as_path, publish, stage
from stemjax.io.weights import flatten
from stemjax.train.checkpoint import restore_params
from stemjax.train.layout import OWN_CODEC
from stemjax.train.metrics import EVALUATION, read_lines
from stemjax.train.resume import MEND, SavedRun, read_run

LICENCE = "Apache-2.0"
_CODEBOOK = "codebook.embed"
RELEASES = {kind.KIND: kind for kind in (StemGenRelease, CodecRelease)}


def restore_model(workdir: str | os.PathLike, kind: type[C]) -> Release[C]:
    """A workdir as a release: weights of its best step, averaged if an average was kept.

    The digest is that of the names and values of the weights.

    Args:
      kind: `StemGenRelease` or `CodecRelease`.

    Raises:
      UserError: another kind, no workdir, no checkpoint, or a codec without codebooks.
    """
    workdir = as_path(workdir)
    saved = read_run(workdir)
    if saved.kind != kind.KIND:
        raise UserError(
            f"{workdir}: holds a {saved.kind!r}, not a {kind.KIND!r}; give another"
        )
    params, model_state, step = restore_params(workdir)
    flat = public_names(saved.kind, params, model_state, workdir)
    if kind is CodecRelease and not any(
        v.any() for k, v in flat.items() if k.endswith(_CODEBOOK)
    ):
        raise UserError(
            f"{workdir}: at step {step} the codebooks are empty; train past step"
            f" {saved.run.objective.continuous_steps}"
        )
    digest = hashlib.sha256()
    for name, array in flat.items():
        digest.update(name.encode())
        digest.update(array.tobytes())
    config = _release_config(workdir, saved, step)
    return Release(workdir, config, flat, digest.hexdigest())


def public_names(
    kind: str, params: Mapping, model_state: Mapping, source: Any
) -> dict[str, np.ndarray]:
    """Weights by their names in a release, sorted: paths joined by dots.

    Codecs have the names of the published EnCodec, codebooks included.

    source: the workdir, for error messages.

    Raises:
      UserError: a codec's checkpoint without one of its parts.
    """
    if kind == CodecRelease.KIND:
        try:
            return names.to_public({"params": params, "codebooks": model_state})
        except KeyError as error:
            raise UserError(
                f"{source}: its checkpoint has no {error}; restore it from a copy"
            ) from None
    return {k: np.asarray(v) for k, v in flatten(jax.device_get(params)).items()}


def _release_config(workdir: Path, saved: SavedRun, step: int) -> ReleaseConfig:
    run = saved.run
    lines = [line for line in read_lines(workdir / EVALUATION) if line["step"] == step]
    common = {
        "format": FORMAT,
        "kind": saved.kind,
        "name": absolute(workdir).name,
        "version": stemjax.__version__,
        "model": run.model,
        "steps": step,
        "licence": LICENCE,
        "metrics": {k: v for k, v in (lines or [{}])[-1].items() if k != "step"},
        "run": saved.id,
    }
    if saved.kind == CodecRelease.KIND:
        return CodecRelease(**common)
    entry = saved.about.get("codec")
    codec = typed(CodecReference, entry, f"{workdir / RUN}: about.codec", mend=MEND)
    if (workdir / OWN_CODEC).is_dir():
        own = str(absolute(workdir / OWN_CODEC))
        codec = dataclasses.replace(codec, name=own)
    return StemGenRelease(
        **common,
        codec=codec,
        categories=CATEGORIES,
        decode=DecodeConfig(),
        keeps_prefix=run.objective.keep_prefix,
        trained_frames=round(run.pairs.crop_seconds * run.model.frame_rate),
    )


def export(
    workdir: str | os.PathLike,
    out: str | os.PathLike,
    *,
    is_half: bool,
    name: str | None = None,
    version: str | None = None,
    card: str | None = None,
) -> dict[str, Any]:
    """Write a release folder from a workdir's best step.

    Args:
      is_half: store bfloat16.  Codes stay float32, so that every frame keeps its code.
      name: of the release; None: the name of the folder `out`.
      version: of the release; None: the package's version.
      card: text of README.md; None: a short card.

    Returns:
      The release's config.
    """
    workdir, out = as_path(workdir), as_path(out)
    saved = read_run(workdir)
    if saved.kind not in RELEASES:
        raise UserError(f"{workdir}: holds a {saved.kind!r}; no release has this kind")
    release = restore_model(workdir, RELEASES[saved.kind])
    kind, flat = saved.kind, release.weights
    config = to_json(release.config) | {"name": name or absolute(out).name}
    config |= {"version": version} if version else {}
    if kind == "stemgen":
        config["codec"]["name"] = pathlib.Path(config["codec"]["name"]).name
    if kind == "stemgen" and (workdir / OWN_CODEC).is_dir():
        # no other place has this codec: it becomes part of the release
        publish(stage(workdir / OWN_CODEC, FILES), out / OWN_CODEC)
        config["codec"]["name"] = OWN_CODEC
    if is_half:
        flat = {
            k: v.astype(ml_dtypes.bfloat16)
            if v.dtype == np.float32 and not k.endswith(_CODEBOOK)
            else v
            for k, v in flat.items()
        }
    write_release(out, config, flat, card or _short_card(config))
    return config


def _short_card(config: Mapping[str, Any]) -> str:
    rows = "\n".join(f"| {k} | {v:.4f} |" for k, v in config["metrics"].items())
    return (
        f"# {config['name']} {config['version']}\n\n"
        f"A {config['kind']} of stemjax {stemjax.__version__}, step {config['steps']}"
        f" of run {config['run']}; licence {config['licence']}.\n\n"
        f"Validation at that step:\n\n| metric | value |\n|---|---|\n{rows}\n\n"
        "Data, commands and limits: not written yet.\n"
    )
