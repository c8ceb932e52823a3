"""From a training workdir to a release: config.json, weights under their public names.

What the API reads straight from a workdir (`restore_model`) and what `train.py export`
writes (`export`) come from the same function.
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
from stemjax.config.runs import to_json
from stemjax.io.errors import UserError
from stemjax.io.release import FILES, write_release
from stemjax.io.remote import Path, absolute, as_path, publish, stage
from stemjax.io.weights import flatten
from stemjax.train.checkpoint import restore_params
from stemjax.train.metrics import EVALUATION, read_lines
from stemjax.train.resume import read_run

OWN_CODEC = "codec"  # release folder inside a workdir whose codec was made for it
LICENCE = "Apache-2.0"


def restore_model(
    workdir: str | os.PathLike, *, kind: str
) -> tuple[dict[str, Any], dict[str, np.ndarray], str]:
    """A workdir as if it were a release: its best step, averaged where that was kept.

    Returns:
      config (release fields of contracts.md), flat float32 weights, digest of them.

    Raises:
      UserError: another kind, no workdir, no checkpoint.
    """
    workdir = as_path(workdir)
    saved = read_run(workdir)
    if saved["kind"] != kind:
        raise UserError(f"{workdir}: holds a {saved['kind']!r}, not a {kind!r}")
    params, model_state, step = restore_params(workdir)
    flat = public_names(kind, params, model_state)
    digest = hashlib.sha256()
    for name, array in flat.items():
        digest.update(name.encode())
        digest.update(array.tobytes())
    return _release_config(workdir, saved, step), flat, digest.hexdigest()


def public_names(kind: str, params: Mapping, model_state: Mapping) -> dict:
    """Weights by their names in a release, sorted: paths joined by dots.

    Codecs have the published EnCodec names, codebooks among them.
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
    name: str = "",
    version: str = "",
    card: str = "",
) -> dict[str, Any]:
    """Write a release folder from a workdir's best step; returns its config.

    Args:
      is_half: store bfloat16 (codes stay float32: a frame's nearest one must not move).
      name, version: of the release; empty: the workdir's name, the package's version.
      card: text of README.md; empty: a short one is written.
    """
    workdir, out = as_path(workdir), as_path(out)
    kind = read_run(workdir)["kind"]
    config, flat, _ = restore_model(workdir, kind=kind)
    config |= {"name": name or absolute(out).name}
    config |= {"version": version} if version else {}
    if kind == "stemgen":
        config["codec"]["name"] = pathlib.Path(config["codec"]["name"]).name
    if kind == "stemgen" and (workdir / OWN_CODEC).is_dir():
        # nobody else has this codec: it travels with the model
        publish(stage(workdir / OWN_CODEC, FILES), out / OWN_CODEC)
        config["codec"]["name"] = OWN_CODEC
    if is_half:
        flat = {
            k: v.astype(ml_dtypes.bfloat16)
            if v.dtype == np.float32 and not k.endswith("codebook.embed")
            else v
            for k, v in flat.items()
        }
    write_release(out, config, flat, card or _short_card(config, workdir))
    return config


def _short_card(config: Mapping[str, Any], workdir: Path) -> str:
    rows = "\n".join(f"| {k} | {v:.4f} |" for k, v in config["metrics"].items())
    return (
        f"# {config['name']} {config['version']}\n\n"
        f"A {config['kind']} of stemjax {stemjax.__version__}, step {config['steps']}"
        f" of run {config['run']}; licence {config['licence']}.\n\n"
        f"Validation at that step:\n\n| metric | value |\n|---|---|\n{rows}\n\n"
        "Data, commands and limits: to be written by whoever releases it.\n"
    )
