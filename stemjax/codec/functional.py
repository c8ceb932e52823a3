"""The codec as pure functions of plain pytrees: what training and decoding call.

`variables = {"params": {"encoder", "decoder"}, "codebooks": {"quantizer"}}`; codebooks
are state, not parameters: they move by averages, not by gradients (EnCodec, sec. 3.2).
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

HALVES = {
    CodecConfig: (Encoder, Decoder),
    OscillatorCodecConfig: (SpectralEncoder, OscillatorDecoder),
}


def init(key: jax.Array, cfg: AnyCodecConfig) -> tuple[dict, dict]:
    """Fresh (params, codebooks).

    Convolutions are normal with variance 1 / fan-in, the LSTM's weights with a third of
    it, biases zero.  Codebooks are zero with `inited` 0: training begins by replacing
    them with k-means of its first latents.
    """
    encoder, decoder = HALVES[type(cfg)]
    audio = jnp.zeros((1, cfg.hop))
    latents = jnp.zeros((1, 1, cfg.hidden_size))
    deviations = {
        "encoder": encoder(cfg).init(key, audio)["params"],
        "decoder": decoder(cfg).init(key, latents)["params"],
    }
    embeddings = jnp.zeros((cfg.num_codebooks, cfg.codebook_size, cfg.hidden_size))
    return noise_like(key, deviations), codebook_tree(embeddings, is_inited=False)


def noise_like(key: jax.Array, deviations: Tree) -> dict:
    """Normal noise of the given deviations.

    One draw for all leaves: XLA compiles it in 1 s, one draw per leaf in 12.
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
    """[Q, V, D] embeddings as the tree of published names, averages at one use each."""
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
    """One field of all levels, coarse first: [Q, ...]; embeddings are [Q, V, D]."""
    layers = codebooks["quantizer"]
    return jnp.stack(
        [layers[f"layers_{q}"]["codebook"][name] for q in range(len(layers))]
    )


def encode_latents(
    params: Tree, cfg: AnyCodecConfig, audio: jax.Array, length: jax.Array | None = None
) -> jax.Array:
    """Samples [B, N] to latent frames [B, ceil(N / hop), D]; differentiable.

    length: [] int32 where only the first `length` samples are the signal; frames past
      it mean nothing.  N must then be whole frames.
    """
    return HALVES[type(cfg)][0](cfg).apply({"params": params["encoder"]}, audio, length)


def decode_latents(
    params: Tree,
    cfg: AnyCodecConfig,
    latents: jax.Array,
    length: jax.Array | None = None,
) -> jax.Array:
    """Latent frames [B, T, D] to samples [B, T * hop]; differentiable.

    length: [] int32 where only the first `length` frames are the signal.
    """
    return HALVES[type(cfg)][1](cfg).apply(
        {"params": params["decoder"]}, latents, length
    )


def decode_with_spectra(
    params: Tree, cfg: OscillatorCodecConfig, latents: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Samples as `decode_latents`, and the spectra [B, T, F] they were played from."""
    variables = {"params": params["decoder"]}
    return OscillatorDecoder(cfg).apply(variables, latents, method="with_spectra")


def quantize(
    codebooks: Tree, latents: jax.Array, scales: np.ndarray | None = None
) -> jax.Array:
    """Latent frames [B, T, D] to codes [B, Q, T] int32; `scales` as `scales_of`."""
    batch, frames, width = latents.shape
    flat = latents.reshape(-1, width)
    codes, _, _ = quantize_residual(flat, stack_codebooks(codebooks), scales)
    return codes.reshape(-1, batch, frames).swapaxes(0, 1)


def scales_of(cfg: AnyCodecConfig) -> np.ndarray | None:
    """What each quantizer level multiplies the channels by to choose a code: [Q, D].

    None: nothing.  It puts a level that is coded apart first or last.
    """
    if not isinstance(cfg, OscillatorCodecConfig) or not cfg.level_units:
        return None
    scales = np.ones((cfg.num_codebooks, cfg.hidden_size), np.float32)
    scales[:, 0] = cfg.level_priority
    return scales


def dequantize(codebooks: Tree, codes: jax.Array) -> jax.Array:
    """Codes [B, Q, T] to latent frames [B, T, D]: the sum of the levels."""
    tables = stack_codebooks(codebooks)
    return sum(tables[level][codes[:, level]] for level in range(codes.shape[1]))


def encode(
    variables: Tree,
    cfg: AnyCodecConfig,
    audio: jax.Array,
    length: jax.Array | None = None,
) -> jax.Array:
    """Samples [B, N] in -1..1 to codes [B, Q, ceil(N / hop)] int32.

    Products are full float32 on every backend: codes are data, and what a GPU calls
    its default would move some of them.  `length` as in `encode_latents`.
    """
    with jax.default_matmul_precision("highest"):
        latents = encode_latents(variables["params"], cfg, audio, length)
        return quantize(variables["codebooks"], latents, scales_of(cfg))


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
