"""`stemjax doctor`: versions, devices, disk space and weights of this machine."""

import dataclasses
import importlib.metadata
import importlib.util
import json
import pathlib
import platform
import shutil
from typing import Any

import tyro

from stemjax import __version__
from stemjax.io.errors import UserError
from stemjax.io.release import PRETRAINED, bundled_names, own_weights, read_config

PACKAGES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "numpy",
    "librosa",
    "soundfile",
    "soxr",
    "tensorflow-datasets",
)
OPTIONAL = {  # module -> what is missed without it
    "tensorflow": "the tf.data pipeline; training uses the NumPy loader without it",
    "tinysoundfont": "rendering MIDI: pip install --no-deps tinysoundfont",
    "pretty_midi": "the default soundfont: pip install -e '.[midi]'",
    "torch": "live parity tests and peer benchmarks: pip install -e '.[parity]'",
}
ENCODEC = "encodec-32k"
VGGISH = "vggish"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Doctor:
    """Print devices, disk space, weights and versions, and what is missing."""

    json: bool = False
    """Print one JSON object."""


def main(argv: list[str], *, prog: str) -> None:
    """Print the findings."""
    command = tyro.cli(Doctor, args=argv, prog=prog)
    findings = examine()
    print(json.dumps(findings, indent=2) if command.json else render(findings))


def examine() -> dict[str, Any]:
    """All findings as plain JSON values. Loads every bundled weight to check it."""
    import jax

    return {
        "stemjax": __version__,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "optional": {
            name: importlib.util.find_spec(name) is not None for name in OPTIONAL
        },
        "backend": jax.default_backend(),
        "devices": [f"{d.platform}:{d.id} {d.device_kind}" for d in jax.devices()],
        "disk_free_gb": round(shutil.disk_usage(pathlib.Path.cwd()).free / 1e9, 1),
        "bundled": {name: _check(name) for name in bundled_names()},
        "own": {ENCODEC: _check_published(), VGGISH: _check_vggish()},
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _check(name: str) -> str:
    """Load one bundled release, codec match included: "ok", or what is wrong."""
    from stemjax import api, codec

    try:
        kind = read_config(PRETRAINED / name).get("kind")
        loaded = codec.load(name) if kind == "codec" else api.load(name)
    except UserError as error:
        return f"broken: {error}"
    return f"ok ({kind}, sha256 {loaded.sha256[:12]})"


def _check_published() -> str:
    from stemjax import codec

    if not (own_weights() / ENCODEC).is_dir():
        return "not found (docs/slakh.md says where to get it)"
    try:
        return f"ok (sha256 {codec.load(ENCODEC).sha256[:12]})"
    except UserError as error:
        return f"broken: {error}"


def _check_vggish() -> str:
    from stemjax.eval.metrics.vggish.weights import Unavailable, find

    try:
        found = find()
    except UserError as error:
        return f"broken: {error}"
    if isinstance(found, Unavailable):
        return "not found (needed for FAD only; docs/evaluation.md says how)"
    return f"ok (smoke test passed, sha256 {found.sha256[:12]})"


def render(findings: dict[str, Any]) -> str:
    """The findings for people."""
    lines = [f"stemjax {findings['stemjax']}, Python {findings['python']}"]
    lines += [
        f"  {name:22} {version}" for name, version in findings["packages"].items()
    ]
    for name, is_there in findings["optional"].items():
        lines.append(f"  {name:22} {'yes' if is_there else 'no: ' + OPTIONAL[name]}")
    lines.append(f"backend {findings['backend']}: {', '.join(findings['devices'])}")
    lines.append(f"disk free here: {findings['disk_free_gb']} GB")
    for title in ("bundled", "own"):
        lines.append(f"{title} weights:")
        for name, state in findings[title].items():
            lines.append(f"  {name:22} {state}")
    return "\n".join(lines)
