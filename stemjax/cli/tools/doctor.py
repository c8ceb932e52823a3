"""Command `stemjax doctor`: versions, devices, disk space and weights."""

import dataclasses
import importlib.metadata
import importlib.util
import pathlib
import platform
import shutil
from typing import Any

from stemjax import __version__
from stemjax.io.errors import UserError
from stemjax.io.json_file import json_text
from stemjax.io.process.command_line import parse
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
OPTIONAL = {
    "tensorflow": "the tf.data pipeline; training uses the NumPy loader without it",
    "tinysoundfont": "rendering MIDI: pip install --no-deps tinysoundfont",
    "pretty_midi": "the default soundfont: pip install -e '.[midi]'",
    "torch": "live parity tests and peer benchmarks: pip install -e '.[parity]'",
}
"""Optional modules, and their use."""
ENCODEC = "encodec-32k"
VGGISH = "vggish"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DoctorArguments:
    """Show versions, devices, disk space and weights, and what is missing."""

    json: bool = False
    """Print JSON instead of text."""


def main(argv: list[str], *, prog: str) -> None:
    """Examine the machine and print the report."""
    arguments = parse(DoctorArguments, argv, prog=prog)
    report = examine()
    print(json_text(report, indent=2) if arguments.json else format_report(report))


def examine() -> dict[str, Any]:
    """Examine the machine; loads all bundled weights.  Returns JSON values."""
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
        "own": {ENCODEC: _check_encodec(), VGGISH: _check_vggish()},
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _check(name: str) -> str:
    """Load a bundled release and its codec; returns "ok ..." or "broken: ..."."""
    from stemjax import api, codec

    try:
        kind = read_config(PRETRAINED / name).get("kind")
        loaded = codec.load(name) if kind == "codec" else api.load(name)
    except UserError as error:
        return f"broken: {error}"
    return f"ok ({kind}, sha256 {loaded.sha256[:12]})"


def _check_encodec() -> str:
    """Load the EnCodec weights that the user imported."""
    from stemjax import codec

    if not (own_weights() / ENCODEC).is_dir():
        return "not found (docs/slakh.md: how to get it)"
    try:
        return f"ok (sha256 {codec.load(ENCODEC).sha256[:12]})"
    except UserError as error:
        return f"broken: {error}"


def _check_vggish() -> str:
    """Load the VGGish weights that the user converted."""
    from stemjax.eval.metrics.vggish.weights import Unavailable, find

    try:
        weights = find()
    except UserError as error:
        return f"broken: {error}"
    if isinstance(weights, Unavailable):
        return "not found (needed for FAD only; docs/evaluation.md: how to get it)"
    return f"ok (smoke test passed, sha256 {weights.sha256[:12]})"


def format_report(report: dict[str, Any]) -> str:
    """Format the report of `examine` as text."""
    lines = [f"stemjax {report['stemjax']}, Python {report['python']}"]
    lines += [f"  {name:22} {version}" for name, version in report["packages"].items()]
    for name, is_installed in report["optional"].items():
        lines.append(
            f"  {name:22} {'yes' if is_installed else 'no: ' + OPTIONAL[name]}"
        )
    lines.append(f"backend {report['backend']}: {', '.join(report['devices'])}")
    lines.append(f"disk free here: {report['disk_free_gb']} GB")
    for title in ("bundled", "own"):
        lines.append(f"{title} weights:")
        for name, state in report[title].items():
            lines.append(f"  {name:22} {state}")
    return "\n".join(lines)
