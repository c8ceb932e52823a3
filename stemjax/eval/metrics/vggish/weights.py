"""VGGish's weights: search, reading, and the check that they are VGGish's.

FAD requires a `VerifiedWeights`, whose constructor runs the official smoke test
(tensorflow/models research/audioset/vggish/vggish_smoke_test.py); other arrays fail it.
Nothing is downloaded.

Files: the release of harritaylor/torchvggish (`vggish-10086976.pth`), or a safetensors
file with the names and layout of `network.embed`, whose metadata holds the source and the
result of the smoke test.
"""

import dataclasses
import hashlib
import os
import pathlib
import re
import types
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.eval.metrics.vggish import network as vggish
from stemjax.eval.metrics.vggish.features import GUDGUD, SAMPLE_RATE, patches
from stemjax.eval.metrics.vggish.torch_state_dict import read_state_dict
from stemjax.io.cache import cache_base, home_folder
from stemjax.io.errors import UserError
from stemjax.io.json_file import json_text
from stemjax.io.release import own_weights
from stemjax.io.weights import load_safetensors, save_safetensors, sha256_of

VARIABLE = "STEMJAX_VGGISH"
FILE = "vggish.safetensors"
TORCH_FILE = "vggish-10086976.pth"
TORCH_URL = "https://github.com/harritaylor/torchvggish/releases/tag/v0.1"

_TORCH_LAYERS = {
    "features.0": "conv1",
    "features.3": "conv2",
    "features.6": "conv3_1",
    "features.8": "conv3_2",
    "features.11": "conv4_1",
    "features.13": "conv4_2",
    "embeddings.0": "fc1_1",
    "embeddings.2": "fc1_2",
    "embeddings.4": "fc2",
}
_POSTPROCESSOR = "pproc."  # torchvggish's PCA, which FAD does not use


class SmokeStatistics(NamedTuple):
    """Statistics of the embeddings [3, 128] of 3 s of a 1 kHz sine."""

    mean: float
    """Mean before a ReLU."""
    std: float
    """Standard deviation before a ReLU."""
    relu_mean: float
    """Mean after a ReLU."""
    relu_std: float
    """Standard deviation after a ReLU."""


# Published to three digits: without the ReLU since August 2020, with it until then.
EXPECTED = SmokeStatistics(mean=0.000657, std=0.343, relu_mean=0.131, relu_std=0.238)
# 2 % (the official test allows 10 %); a mean near zero has no relative tolerance
TOLERANCE = SmokeStatistics(
    mean=2e-3, std=0.02 * 0.343, relu_mean=0.02 * 0.131, relu_std=0.02 * 0.238
)


def smoke_statistics(params: vggish.Params) -> SmokeStatistics:
    """Statistics of the official smoke test for weights of VGGish's shapes."""
    time = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    sine = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    embeddings = vggish.embed_in_batches(params, patches(sine, GUDGUD)).astype(
        np.float64
    )
    relu = np.maximum(embeddings, 0)
    return SmokeStatistics(*_moments(embeddings), *_moments(relu))


def _moments(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std())


def has_passed(statistics: SmokeStatistics) -> bool:
    """Whether every statistic is within its tolerance; NaN fails."""
    return all(
        abs(value - expected) <= tolerance
        for value, expected, tolerance in zip(
            statistics, EXPECTED, TOLERANCE, strict=True
        )
    )


class VerifiedWeights:
    """Weights of VGGish on the device that passed the smoke test.

    Raises:
      UserError: names or shapes that are not VGGish's, or a failed smoke test; the
        message names `source`.
    """

    __slots__ = ("_params", "_sha256", "_statistics")

    def __init__(self, params: Mapping[str, np.ndarray], source: str):
        _check_shapes(params, source)
        host = {name: np.asarray(params[name], "<f4") for name in vggish.SHAPES}
        # a copy: on a CPU device_put may share the caller's memory, which can change
        on_device = {name: jnp.array(value) for name, value in host.items()}
        statistics = smoke_statistics(on_device)
        if not has_passed(statistics):
            raise UserError(
                f"{source}: not VGGish's weights: the smoke test gives"
                f" {_render(statistics)}, expected {_render(EXPECTED)};"
                f" use {TORCH_FILE} of {TORCH_URL}"
            )
        self._params = types.MappingProxyType(on_device)
        self._sha256 = _digest(host)
        self._statistics = statistics

    @property
    def params(self) -> Mapping[str, jax.Array]:
        """Arrays for `network.embed`."""
        return self._params

    @property
    def sha256(self) -> str:
        """Hex digest of names and arrays, independent of the file format."""
        return self._sha256

    @property
    def statistics(self) -> SmokeStatistics:
        """Result of the smoke test."""
        return self._statistics


@dataclasses.dataclass(frozen=True)
class Unavailable:
    """No weights were found."""

    reason: str
    """The paths searched and how to get the weights."""


def _render(statistics: SmokeStatistics) -> str:
    return ", ".join(
        f"{name} {value:.3g}" for name, value in statistics._asdict().items()
    )


def _check_shapes(params: Mapping[str, np.ndarray], source: str) -> None:
    for name in sorted(vggish.SHAPES.keys() | params.keys()):
        expected = vggish.SHAPES.get(name)
        shape = params[name].shape if name in params else None
        if shape != expected:
            raise UserError(
                f"{source}: {name} has shape {shape}, VGGish has {expected};"
                f" use {TORCH_FILE} of {TORCH_URL}"
            )


def _digest(params: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(params.items()):
        digest.update(f"{name} {value.shape} ".encode())
        digest.update(np.ascontiguousarray(value).data)
    return digest.hexdigest()


def from_torch(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Convert a state dict of torchvggish to our names and layout; keep unknown names.

    Convolutions OIHW -> HWIO, dense layers transposed.  The input order of the first dense
    layer is the same: torchvggish flattens height, width, channel, as the original does.
    """
    params = {}
    for name, value in state.items():
        if name.startswith(_POSTPROCESSOR):
            continue
        layer, _, part = name.rpartition(".")
        if layer in _TORCH_LAYERS:
            name = f"{_TORCH_LAYERS[layer]}.{part}"
            value = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T
        params[name] = value
    return params


def read(path: str | os.PathLike) -> VerifiedWeights:
    """Read and verify weights in our format or torchvggish's.

    Raises:
      UserError: the file is missing, broken, of another format, does not have the digest
        in its name (`NAME-<first digits of the SHA-256>.pth`), or is not VGGish's.
    """
    path = pathlib.Path(path)
    match path.suffix:
        case ".safetensors":
            params = load_safetensors(path)
        case ".pth" | ".pt":
            state = read_state_dict(path)
            _check_named_digest(path)
            params = from_torch(state)
        case _:
            raise UserError(
                f"{path}: VGGish is read from .safetensors or .pth;"
                f" convert {TORCH_FILE} of {TORCH_URL}"
            )
    return VerifiedWeights(params, str(path))


def _check_named_digest(path: pathlib.Path) -> None:
    """Check the digest that torch.hub puts in a file's name."""
    named = re.search(r"-([0-9a-f]{8,64})$", path.stem)
    if named and not (digest := sha256_of(path)).startswith(named[1]):
        raise UserError(
            f"{path}: its SHA-256 begins {digest[:8]}, not {named[1]}; download it again"
        )


def convert(source: str | os.PathLike, out: str | os.PathLike) -> VerifiedWeights:
    """Write the weights of `source` as our safetensors file; nothing after an error.

    Raises:
      UserError: as `read`; `out` is not named *.safetensors, or is the source.
    """
    source, out = pathlib.Path(source), pathlib.Path(out)
    if out.suffix != ".safetensors":
        raise UserError(f"{out}: name the converted file *.safetensors, as {FILE}")
    if out.resolve() == source.resolve():
        raise UserError(f"{out}: would overwrite the source; give another file")
    weights = read(source)
    metadata = {
        "network": "vggish",
        "source": source.name,
        "source_sha256": sha256_of(source),
        "sha256": weights.sha256,
        "smoke_test": "passed " + json_text(weights.statistics._asdict()),
    }
    params = {name: np.asarray(value) for name, value in weights.params.items()}
    save_safetensors(out, params, metadata)
    return weights


def find(explicit: str | os.PathLike | None = None) -> VerifiedWeights | Unavailable:
    """Read the first weights of: `explicit`, $STEMJAX_VGGISH, `places()`.

    Raises:
      UserError: `explicit` or $STEMJAX_VGGISH does not exist, or the first file found is
        broken or is not VGGish's; later places are not tried then.
    """
    if explicit:
        return read(_existing(explicit, "given"))
    if named := os.environ.get(VARIABLE):
        return read(_existing(named, f"named by ${VARIABLE}"))
    for place in places():
        if place.is_file():
            return read(place)
    looked = ", ".join(map(_shown, places()))
    return Unavailable(
        f"VGGish weights not found (${VARIABLE} is not set; no {looked}):"
        f" download {TORCH_FILE} from {TORCH_URL} and run: stemjax evaluate"
        f" convert-vggish {TORCH_FILE} {_shown(places()[0])}"
    )


def _shown(path: pathlib.Path) -> str:
    """The path as text for reports, with the home folder as "~"."""
    home = home_folder()
    if home is None or not path.is_relative_to(home):
        return str(path)
    return f"~/{path.relative_to(home)}"


def places() -> tuple[pathlib.Path, ...]:
    """Default paths of the weights, in the order of the search.

    The user's folder of weights, the user's cache, the checkpoints of torch.hub.
    """
    cache = cache_base()
    torch_home = pathlib.Path(os.environ.get("TORCH_HOME") or cache / "torch")
    return (
        own_weights() / FILE,
        cache / "stemjax" / FILE,
        torch_home / "hub" / "checkpoints" / TORCH_FILE,
    )


def _existing(path: str | os.PathLike, how: str) -> pathlib.Path:
    path = pathlib.Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file, {how} as the weights of VGGish")
    return path
