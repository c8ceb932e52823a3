"""EnCodec as pure functions of plain arrays; no Linen object leaves this module.

`variables = {"params": ..., "codebooks": ...}`: params of encoder and decoder, codebooks
in the published nesting (`quantizer.layers.0.codebook.embed`, ...).
"""

from typing import Any

import jax
import jax.numpy as jnp

from stemjax.arrays.vq import lookup, quantize_residual
from stemjax.codec.seanet import Decoder, Encoder
from stemjax.config.codec import CodecConfig


def init(key: jax.Array, cfg: CodecConfig) -> tuple[dict, dict]:
    """Fresh params, and codebooks that are all zero with `inited` = 0."""
    k_encoder, k_decoder = jax.random.split(key)
    audio = jnp.zeros((1, 2 * cfg.hop))
    latents = jnp.zeros((1, 2, cfg.hidden_size))
    params = {
        "encoder": Encoder(cfg).init(k_encoder, audio)["params"],
        "decoder": Decoder(cfg).init(k_decoder, latents)["params"],
    }
    shape = (cfg.codebook_size, cfg.hidden_size)
    layers = {
        f"layers_{q}": {
            "codebook": {
                "embed": jnp.zeros(shape),
                "embed_avg": jnp.zeros(shape),
                "cluster_size": jnp.zeros(cfg.codebook_size),
                "inited": jnp.zeros(1),
            }
        }
        for q in range(cfg.num_codebooks)
    }
    return params, {"quantizer": layers}


def stack_codebooks(codebooks: Any, name: str = "embed") -> jax.Array:
    """One field of all levels, coarse first: [Q, ...]."""
    layers = codebooks["quantizer"]
    return jnp.stack(
        [layers[f"layers_{q}"]["codebook"][name] for q in range(len(layers))]
    )


def encode_latents(params: Any, cfg: CodecConfig, audio: jax.Array) -> jax.Array:
    """Audio [B, N] in [-1, 1] -> latent frames [B, ceil(N / hop), D]."""
    return Encoder(cfg).apply({"params": params["encoder"]}, audio)


def decode_latents(params: Any, cfg: CodecConfig, latents: jax.Array) -> jax.Array:
    """Latent frames [B, T, D] -> audio [B, T * hop]."""
    return Decoder(cfg).apply({"params": params["decoder"]}, latents)


def quantize(codebooks: Any, latents: jax.Array) -> jax.Array:
    """Latent frames [B, T, D] -> codes [B, Q, T] int32."""
    batch, frames, width = latents.shape
    flat = latents.reshape(-1, width)
    codes, _, _ = quantize_residual(flat, stack_codebooks(codebooks))
    return codes.reshape(-1, batch, frames).swapaxes(0, 1)


def dequantize(codebooks: Any, codes: jax.Array) -> jax.Array:
    """Codes [B, Q, T] -> latent frames [B, T, D]."""
    return lookup(codes.swapaxes(0, 1), stack_codebooks(codebooks))


def encode(variables: Any, cfg: CodecConfig, audio: jax.Array) -> jax.Array:
    """Audio [B, N] -> codes [B, Q, T] int32."""
    latents = encode_latents(variables["params"], cfg, audio)
    return quantize(variables["codebooks"], latents)


def decode(variables: Any, cfg: CodecConfig, codes: jax.Array) -> jax.Array:
    """Codes [B, Q, T] -> audio [B, T * hop]."""
    latents = dequantize(variables["codebooks"], codes)
    return decode_latents(variables["params"], cfg, latents)
