"""VGGish as a pure function over a dict of arrays (Hershey et al. 2017, arXiv 1609.09430;
released network: tensorflow/models research/audioset/vggish/vggish_slim.py).

Parameters are `<layer>.weight`, `<layer>.bias` in float32; convolutions are HWIO, dense
layers (in, out).  The last convolution is flattened in the order height, width, channel.
Widths are those of the arrays: tests run a narrow net.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from stemjax.eval.metrics.vggish.features import BANDS, FRAMES, FadPreset

Params = Mapping[str, jax.Array | np.ndarray]

WIDTH = 128  # of an embedding
BATCH = (
    20  # patches per compiled call: a 20 s clip of preset gudgud, half one of google
)

# (layer, whether a 2 x 2 max pool follows)
CONVOLUTIONS = (
    ("conv1", True),
    ("conv2", True),
    ("conv3_1", False),
    ("conv3_2", True),
    ("conv4_1", False),
    ("conv4_2", True),
)
DENSE = ("fc1_1", "fc1_2", "fc2")

_WEIGHTS = {
    "conv1": (3, 3, 1, 64),
    "conv2": (3, 3, 64, 128),
    "conv3_1": (3, 3, 128, 256),
    "conv3_2": (3, 3, 256, 256),
    "conv4_1": (3, 3, 256, 512),
    "conv4_2": (3, 3, 512, 512),
    "fc1_1": (6 * 4 * 512, 4096),
    "fc1_2": (4096, 4096),
    "fc2": (4096, WIDTH),
}
SHAPES: dict[str, tuple[int, ...]] = {
    f"{layer}.{part}": shape if part == "weight" else shape[-1:]
    for layer, shape in _WEIGHTS.items()
    for part in ("weight", "bias")
}


def embed(params: Params, patches: jax.Array) -> jax.Array:
    """Embeddings before any last ReLU: [P, 96, 64] -> [P, 128] float32."""
    x = jnp.asarray(patches, jnp.float32)[..., None]  # [P, 96, 64, 1]
    for layer, has_pool in CONVOLUTIONS:
        x = lax.conv_general_dilated(
            x,
            params[f"{layer}.weight"],
            window_strides=(1, 1),
            padding="SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            precision=lax.Precision.HIGHEST,
        )
        x = jax.nn.relu(x + params[f"{layer}.bias"])
        if has_pool:
            box = (1, 2, 2, 1)
            x = lax.reduce_window(x, -jnp.inf, lax.max, box, box, "VALID")
    x = x.reshape(len(x), -1)  # [P, 6 * 4 * 512]
    for layer in DENSE:
        x = jnp.dot(x, params[f"{layer}.weight"], precision=lax.Precision.HIGHEST)
        x = x + params[f"{layer}.bias"]
        if layer != DENSE[-1]:
            x = jax.nn.relu(x)
    return x


_embed_batch = jax.jit(embed)


def embed_in_batches(params: Params, patches: jax.Array | np.ndarray) -> np.ndarray:
    """`embed` by one compiled program of 20 patches: [P, 96, 64] -> [P, 128] on the host.

    The last batch is filled with zeros, whose embeddings are dropped.  Patches of many
    clips may be joined to fill batches.

    Raises:
      ValueError: not [P, 96, 64] with P >= 1.
    """
    patches = np.asarray(patches, np.float32)
    if patches.shape[1:] != (FRAMES, BANDS) or not len(patches):
        raise ValueError(
            f"patches must be [P >= 1, {FRAMES}, {BANDS}], got {patches.shape}"
        )
    filled = np.pad(patches, ((0, -len(patches) % BATCH), (0, 0), (0, 0)))
    batches = filled.reshape(-1, BATCH, FRAMES, BANDS)
    params = dict(params)  # a pytree
    embeddings = [_embed_batch(params, batch) for batch in batches]
    return np.concatenate([np.asarray(e) for e in embeddings])[: len(patches)]


def finish(embeddings: np.ndarray, preset: FadPreset) -> np.ndarray:
    """The vectors that FAD's statistics take: [P, 128], after a ReLU if the preset has one.

    Embeddings are kept without it, so that presets share them.
    """
    return np.maximum(embeddings, 0.0) if preset.has_relu else embeddings


def random_params(
    seed: int, shapes: Mapping[str, tuple[int, ...]] = SHAPES
) -> dict[str, np.ndarray]:
    """He-normal weights and small biases: for tests of shapes, cost and parity alone.

    They never make a `vggish_weights.VerifiedWeights`, which FAD asks for.
    """
    rng = np.random.Generator(np.random.Philox(seed))
    params = {}
    for name, shape in shapes.items():
        draw = rng.standard_normal(shape, dtype=np.float32)
        is_bias = len(shape) == 1
        scale = 0.1 if is_bias else np.sqrt(2 / np.prod(shape[:-1]))
        params[name] = draw * np.float32(scale)
    return params
