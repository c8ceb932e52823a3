"""Bidirectional LLaMA-type transformer (StemGen, sec. 3).

Pre-RMSNorm, rotary positions, SwiGLU, no biases (Assumption A8).  Every frame attends to
all frames within the length: decoding is not autoregressive.  Parameters are float32 and
matrix products `dtype`.  Norms, softmax and rotary tables are float32: with bfloat16's 8
bits of mantissa, positions past 256 would collide.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from stemjax.config.model import TransformerConfig
from stemjax.nn.axes import (
    ACT_EMBED,
    BATCH,
    EMBED,
    HEADS,
    MLP,
    TIME,
    constrain,
    target_platform,
)

NORM_EPSILON = 1e-6


def rope_tables(num_frames: int, head_width: int, theta: float):
    """Cosine and sine of the rotary angles, [T, K/2] float32 each (K = head width)."""
    rates = theta ** (-jnp.arange(0, head_width, 2, dtype=jnp.float32) / head_width)
    angles = jnp.arange(num_frames, dtype=jnp.float32)[:, None] * rates
    return jnp.cos(angles), jnp.sin(angles)


def rotate(x: jax.Array, cos: jax.Array, sin: jax.Array) -> jax.Array:
    """Rotate the pairs (k, k + K/2) of [B, T, H, K] by the angles [T, K/2], float32."""
    a, b = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    cos, sin = cos[:, None], sin[:, None]
    turned = jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)
    return turned.astype(x.dtype)


def attend(q, k, v, lengths=None) -> jax.Array:
    """Softmax attention over the frames within each example's length.

    Args:
      q, k, v: [B, T, H, K].
      lengths: [B] int32, at least 1; None: T.

    Returns: [B, T, H, K]; frames past the length are undefined.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if target_platform() == "cpu" and mesh.size <= 1:
        # One example at a time.  The backward pass recomputes its weights [H, T, T], so
        # no array [B, H, T, T] is kept.
        one = jax.checkpoint(lambda args: _attend_one(*args))
        return jax.lax.map(one, (q, k, v, lengths))
    # This machine's GPU; for another machine, assume a current one.
    capability = getattr(jax.devices()[0], "compute_capability", "8.0")
    flash = has_flash(target_platform(), capability, q.dtype, q.shape[-1])
    return jax.nn.dot_product_attention(
        q,
        k,
        v,
        query_seq_lengths=lengths,
        key_value_seq_lengths=lengths,
        implementation="cudnn" if flash else "xla",
    )


def has_flash(
    platform: str, capability: str, dtype: jnp.dtype, head_width: int
) -> bool:
    """Whether cuDNN's flash attention supports such queries, forward and backward.

    capability: compute capability of the GPU; "8.0" and later support it.  AMD GPUs
      report names instead of numbers.
    """
    generation = capability.partition(".")[0]
    is_new = platform == "gpu" and generation.isdecimal() and int(generation) >= 8
    is_half = dtype in (jnp.bfloat16, jnp.float16)
    return is_new and is_half and head_width <= 128 and head_width % 8 == 0


def _attend_one(q, k, v, length):  # [T, H, K] x 3, [] or None
    # Head-major, with padding as a sum: XLA maps all of it to one CPU kernel.
    q, k, v = (x.transpose(1, 0, 2) for x in (q * q.shape[-1] ** -0.5, k, v))
    scores = jnp.einsum("htk,hsk->hts", q, k, preferred_element_type=jnp.float32)
    if length is not None:
        is_key = jnp.arange(q.shape[1]) < length
        scores += jnp.where(is_key, 0.0, jnp.finfo(jnp.float32).min)
    weights = jax.nn.softmax(scores).astype(v.dtype)
    mixed = jnp.einsum("hts,hsk->htk", weights, v, preferred_element_type=jnp.float32)
    return mixed.astype(v.dtype).transpose(1, 0, 2)


def product(spec: str, x: jax.Array, kernel: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """`einsum` with factors of type `dtype`, accumulated in float32.

    The result is float32 on a CPU and `dtype` elsewhere.  XLA's CPU kernels for bfloat16
    factors, twice as fast as float32, require a float32 result.
    """
    result = jnp.float32 if target_platform() == "cpu" else dtype
    return jnp.einsum(
        spec, x.astype(dtype), kernel.astype(dtype), preferred_element_type=result
    )


def kernel_init(names, *, in_axis=0, out_axis=-1, gain: float = 1.0):
    """Normal initializer with variance gain^2 / fan-in, boxed with its logical axes."""
    init = nn.initializers.variance_scaling(
        gain**2, "fan_in", "normal", in_axis=in_axis, out_axis=out_axis
    )
    return nn.with_logical_partitioning(init, names)


class RMSNorm(nn.Module):
    """x / rms(x) * scale over the last axis, computed in float32."""

    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x):  # [..., D]
        init = nn.with_logical_partitioning(nn.initializers.ones_init(), (None,))
        scale = self.param("scale", init, (x.shape[-1],), jnp.float32)
        x = x.astype(jnp.float32)
        power = jnp.mean(jnp.square(x), axis=-1, keepdims=True)
        return (x * jax.lax.rsqrt(power + NORM_EPSILON) * scale).astype(self.dtype)


class Attention(nn.Module):
    """Self-attention over all valid frames, with rotary positions."""

    cfg: TransformerConfig
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, rope, lengths):  # [B, T, D], ([T, K/2], [T, K/2]), [B]|None
        width, heads = x.shape[-1], self.cfg.heads
        shape = (width, 3, heads, width // heads)
        init = kernel_init((EMBED, None, HEADS, None), out_axis=(1, 2, 3))
        qkv_kernel = self.param("qkv", init, shape, jnp.float32)
        gain = (2 * self.cfg.layers) ** -0.5  # keeps the size of the residual sum
        init = kernel_init((HEADS, None, EMBED), in_axis=(0, 1), gain=gain)
        out_kernel = self.param("out", init, (*shape[2:], width), jnp.float32)

        qkv = product("btd,dchk->btchk", x, qkv_kernel, self.dtype)
        qkv = constrain(qkv, (BATCH, TIME, None, HEADS, None))
        q, k, v = (qkv[:, :, i] for i in range(3))
        q, k = rotate(q, *rope).astype(self.dtype), rotate(k, *rope).astype(self.dtype)
        mixed = attend(q, k, v.astype(self.dtype), lengths)
        return product("bthk,hkd->btd", mixed, out_kernel, self.dtype)


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x))."""

    cfg: TransformerConfig
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x):  # [B, T, D]
        width, hidden = x.shape[-1], self.cfg.mlp_hidden
        init = kernel_init((EMBED, None, MLP), out_axis=(1, 2))
        gate_up = self.param("gate_up", init, (width, 2, hidden), jnp.float32)
        gain = (2 * self.cfg.layers) ** -0.5
        init = kernel_init((MLP, EMBED), gain=gain)
        down = self.param("down", init, (hidden, width), jnp.float32)

        both = product("btd,dcm->btcm", x, gate_up, self.dtype)
        both = constrain(both, (BATCH, TIME, None, MLP))
        hidden = nn.silu(both[:, :, 0]) * both[:, :, 1]
        return product("btm,md->btd", hidden, down, self.dtype)


class Block(nn.Module):
    """Pre-norm attention and SwiGLU, each with a residual: [B, T, D] -> [B, T, D]."""

    cfg: TransformerConfig
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, rope, lengths):  # [B, T, D]
        x = constrain(x, (BATCH, TIME, ACT_EMBED))
        y = RMSNorm(self.dtype, name="attention_norm")(x)
        y = Attention(self.cfg, self.dtype, name="attention")(y, rope, lengths)
        x = (x + y).astype(self.dtype)
        y = RMSNorm(self.dtype, name="mlp_norm")(x)
        return (x + SwiGLU(self.cfg, self.dtype, name="mlp")(y)).astype(self.dtype)


class Transformer(nn.Module):
    """`cfg.layers` blocks and a final norm: [B, T, D] -> [B, T, D].

    lengths: [B] int32, at least 1, the true frames of each example; the frames after
      them are padding and are not attended to.  None: T.
    """

    cfg: TransformerConfig
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, lengths=None):
        cfg = self.cfg
        rope = rope_tables(x.shape[1], cfg.width // cfg.heads, cfg.rope_theta)
        block = nn.remat(Block) if cfg.rematerialise else Block
        x = x.astype(self.dtype)
        for i in range(cfg.layers):
            x = block(cfg, self.dtype, name=f"layers_{i}")(x, rope, lengths)
        return RMSNorm(self.dtype, name="norm")(x)
