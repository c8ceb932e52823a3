"""Pure functions of the codecs, for training and decoding (EnCodec, sec. 3).

`variables = {"params": {"encoder", "decoder"}, "codebooks": {"quantizer"}}`.  Codebooks
are state, not parameters: they follow moving averages, not gradients (EnCodec, sec. 3.2).
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.arrays.vq import quantize_residual
from stemjax.codec.oscillators import OscillatorDecoder
from stemjax.codec.seanet import Decoder, Encoder
from stemjax.codec.spectral_encoder import SpectralEncoder
from stemjax.config.codec import AnyCodecConfig, CodecConfig, OscillatorCodecConfig

Tree = Mapping[str, Any]

NETWORKS = {
    CodecConfig: (Encoder, Decoder),
    OscillatorCodecConfig: (SpectralEncoder, OscillatorDecoder),
}
"""Encoder and decoder per type of config."""


def init(key: jax.Array, cfg: AnyCodecConfig) -> tuple[dict, dict]:
    """Random parameters and empty codebooks: (params, codebooks).

    Weights of convolutions are normal with variance 1 / fan-in, those of the LSTM with a
    third of it; biases are zero.  Codebooks are zero with `inited` 0: training replaces
    them by k-means of its first latents.
    """
    encoder, decoder = NETWORKS[type(cfg)]
    audio = jnp.zeros((1, cfg.hop))
    latents = jnp.zeros((1, 1, cfg.hidden_size))
    deviations = {
        "encoder": encoder(cfg).init(key, audio)["params"],
        "decoder": decoder(cfg).init(key, latents)["params"],
    }
    embeddings = jnp.zeros((cfg.num_codebooks, cfg.codebook_size, cfg.hidden_size))
    return noise_like(key, deviations), codebook_tree(embeddings, is_inited=False)


def noise_like(key: jax.Array, deviations: Tree) -> dict:
    """Normal noise with the given standard deviations.

    One draw for all leaves: XLA compiles it in 1 s, one draw per leaf in 12 s.
    """
    leaves, structure = jax.tree.flatten(deviations)
    noise = jax.random.normal(key, (sum(leaf.size for leaf in leaves),))
    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
    parts = jnp.split(noise, ends)
    scaled = [
        leaf * part.reshape(leaf.shape)
        for leaf, part in zip(leaves, parts, strict=True)
    ]
    return jax.tree.unflatten(structure, scaled)


def codebook_tree(embeddings: jax.Array, *, is_inited: bool) -> dict:
    """Codebooks [Q, V, D] as a tree with the published names.

    Each code has the cluster size 1.
    """
    layers = {
        f"layers_{level}": {
            "codebook": {
                "embed": embed,
                "embed_avg": embed,
                "cluster_size": jnp.ones(embed.shape[:1]),
                "inited": jnp.full((1,), float(is_inited)),
            }
        }
        for level, embed in enumerate(embeddings)
    }
    return {"quantizer": layers}


def stack_codebooks(codebooks: Tree, name: str = "embed") -> jax.Array:
    """Stack one field of all levels, coarse first: [Q, ...]; "embed" is [Q, V, D]."""
    layers = codebooks["quantizer"]
    return jnp.stack(
        [layers[f"layers_{q}"]["codebook"][name] for q in range(len(layers))]
    )


def encode_latents(
    params: Tree, cfg: AnyCodecConfig, audio: jax.Array, length: jax.Array | None = None
) -> jax.Array:
    """Samples [B, N] to latent frames [B, ceil(N / hop), D]; differentiable.

    length: [] int32, the number of samples that are signal; later frames are undefined,
      and N must be a multiple of the hop.  None: N.
    """
    encoder, _ = NETWORKS[type(cfg)]
    return encoder(cfg).apply({"params": params["encoder"]}, audio, length)


def decode_latents(
    params: Tree,
    cfg: AnyCodecConfig,
    latents: jax.Array,
    length: jax.Array | None = None,
) -> jax.Array:
    """Latent frames [B, T, D] to samples [B, T * hop]; differentiable.

    length: [] int32, the number of frames that are signal; None: T.
    """
    _, decoder = NETWORKS[type(cfg)]
    return decoder(cfg).apply({"params": params["decoder"]}, latents, length)


def decode_with_spectra(
    params: Tree, cfg: OscillatorCodecConfig, latents: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Samples as from `decode_latents`, and the spectra [B, T, F] behind them."""
    variables = {"params": params["decoder"]}
    return OscillatorDecoder(cfg).apply(variables, latents, method="with_spectra")


def quantize(
    codebooks: Tree, latents: jax.Array, scales: np.ndarray | None = None
) -> jax.Array:
    """Latent frames [B, T, D] to codes [B, Q, T] int32; `scales`: `distance_scales`."""
    batch, frames, width = latents.shape
    flat = latents.reshape(-1, width)
    codes, _, _ = quantize_residual(flat, stack_codebooks(codebooks), scales)
    return codes.reshape(-1, batch, frames).swapaxes(0, 1)


def distance_scales(cfg: AnyCodecConfig) -> np.ndarray | None:
    """Factor of each channel in the distances of each codebook level: [Q, D].

    The channel that holds the level of a frame has the factors `cfg.level_priority`: with
    a large factor a codebook mainly reduces the error of that level.  None: a codec
    without such a channel, whose factors are all 1.
    """
    if not isinstance(cfg, OscillatorCodecConfig) or not cfg.level_channels:
        return None
    scales = np.ones((cfg.num_codebooks, cfg.hidden_size), np.float32)
    priority = cfg.level_priority or (1.0,)
    factors = (priority[0],) * cfg.num_codebooks + priority
    scales[:, 0] = factors[-cfg.num_codebooks :]
    return scales


def dequantize(codebooks: Tree, codes: jax.Array) -> jax.Array:
    """Codes [B, Q, T] to latent frames [B, T, D], the sum over levels."""
    tables = stack_codebooks(codebooks)
    return sum(tables[level][codes[:, level]] for level in range(codes.shape[1]))


def encode(
    variables: Tree,
    cfg: AnyCodecConfig,
    audio: jax.Array,
    length: jax.Array | None = None,
) -> jax.Array:
    """Samples [B, N] in -1..1 to codes [B, Q, ceil(N / hop)] int32.

    Matrix products are full float32 on every backend: a GPU's default precision would
    change some codes.  `length` as in `encode_latents`.
    """
    with jax.default_matmul_precision("highest"):
        latents = encode_latents(variables["params"], cfg, audio, length)
        return quantize(variables["codebooks"], latents, distance_scales(cfg))


def decode(
    variables: Tree,
    cfg: AnyCodecConfig,
    codes: jax.Array,
    length: jax.Array | None = None,
) -> jax.Array:
    """Codes [B, Q, T] to samples [B, T * hop]; `length` as in `decode_latents`."""
    with jax.default_matmul_precision("highest"):
        latents = dequantize(variables["codebooks"], codes)
        return decode_latents(variables["params"], cfg, latents, length)
