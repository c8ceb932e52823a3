"""Releases from training workdirs: config.json, and weights under their public names.

`restore_model` reads a workdir as a release; `export` writes the same as a folder.
"""

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
from stemjax.io.errors import UserError
from stemjax.io.release import FILES, write_release
from stemjax.io.remote import Path, absolute, as_path, publish, stage
from stemjax.io.weights import flatten
from stemjax.train.checkpoint import restore_params
from stemjax.train.layout import OWN_CODEC
from stemjax.train.metrics import EVALUATION, read_lines
from stemjax.train.resume import read_run

LICENCE = "Apache-2.0"


def restore_model(
    workdir: str | os.PathLike, *, kind: str
) -> tuple[dict[str, Any], dict[str, np.ndarray], str]:
    """A workdir as a release: weights of its best step, averaged if an average was kept.

    Args:
      kind: "stemgen" or "codec".

    Returns:
      Config of the release, flat float32 weights, and their digest.

    Raises:
      UserError: another kind, no workdir, no checkpoint.
    """
    workdir = as_path(workdir)
    saved = read_run(workdir)
    if saved["kind"] != kind:
        raise UserError(
            f"{workdir}: holds a {saved['kind']!r}, not a {kind!r}; give another"
        )
    params, model_state, step = restore_params(workdir)
    flat = public_names(kind, params, model_state)
    digest = hashlib.sha256()
    for name, array in flat.items():
        digest.update(name.encode())
        digest.update(array.tobytes())
    return _release_config(workdir, saved, step), flat, digest.hexdigest()


def public_names(kind: str, params: Mapping, model_state: Mapping) -> dict:
    """Weights by their names in a release, sorted: paths joined by dots.

    Codecs have the names of the published EnCodec, codebooks included.
    """
    if kind == "codec":
        return names.to_public({"params": params, "codebooks": model_state})
    return {k: np.asarray(v) for k, v in flatten(jax.device_get(params)).items()}


def _release_config(workdir: Path, saved: dict, step: int) -> dict[str, Any]:
    run = saved["run"]
    lines = [line for line in read_lines(workdir / EVALUATION) if line["step"] == step]
    config = {
        "kind": saved["kind"],
        "name": absolute(workdir).name,
        "version": stemjax.__version__,
        "model": run["model"],
        "steps": step,
        "licence": LICENCE,
        "metrics": {k: v for k, v in (lines or [{}])[-1].items() if k != "step"},
        "run": saved["id"],
    }
    if saved["kind"] == "stemgen":
        codec = dict(saved["about"]["codec"])
        if (workdir / OWN_CODEC).is_dir():
            codec["name"] = str(absolute(workdir / OWN_CODEC))
        config |= {
            "codec": codec,
            "categories": list(CATEGORIES),
            "decode": to_json(DecodeConfig()),
            "keeps_prefix": run["objective"]["keep_prefix"],
            "trained_frames": round(
                run["pairs"]["crop_seconds"] * run["model"]["frame_rate"]
            ),
        }
    return config


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
    kind = read_run(workdir)["kind"]
    config, flat, _ = restore_model(workdir, kind=kind)
    config |= {"name": name or absolute(out).name}
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
            if v.dtype == np.float32 and not k.endswith("codebook.embed")
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
