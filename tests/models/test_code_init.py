"""Initialization of code embeddings from the codec's codebooks (Assumption A25)."""

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.config.model import StemGenConfig, TransformerConfig
from stemjax.models import stemgen
from stemjax.models.code_init import start_from_codebooks

CFG = StemGenConfig(
    num_codebooks=2,
    codebook_size=32,
    transformer=TransformerConfig(width=16, layers=1, heads=2, mlp_hidden=16),
)
init = jax.jit(stemgen.init, static_argnums=1)


def test_the_sum_over_levels_is_the_latent_half_whitened():
    params = init(jax.random.key(0), CFG)
    scale = jnp.array([3.0, 2, 1, 1, 1, 1, 0.5, 0.1])
    books = jax.random.normal(jax.random.key(1), (2, 32, 8)) * scale
    books = books * jnp.array([1, 0.5])[:, None, None]
    made = start_from_codebooks(jax.random.key(2), params, books, CFG)
    target, context = (made[n]["embedding"] for n in ("target_embed", "context_embed"))
    np.testing.assert_array_equal(target[:, :32], context[:, :32])
    codes = np.random.default_rng(0).integers(0, 32, (2, 500))
    stream = sum(np.asarray(target[q, codes[q]], np.float64) for q in range(2))
    latent = sum(np.asarray(books[q, codes[q]], np.float64) for q in range(2))
    centre = np.asarray(books, np.float64).mean(axis=1).sum(axis=0)
    # |W^(1/2) z| for z whitened by the codes' covariance: axes and rotation drop out
    free = np.asarray(books, np.float64) - np.asarray(books, np.float64).mean(
        axis=1, keepdims=True
    )
    power, axes = np.linalg.eigh(np.einsum("qvd,qve->de", free, free) / 32)
    expected = np.linalg.norm((latent - centre) @ axes * power**-0.25, axis=1)
    got = np.linalg.norm(stream, axis=1)
    np.testing.assert_allclose(got / got.mean(), expected / expected.mean(), rtol=1e-3)
    variance = jnp.mean(target[:, :32] ** 2, axis=(1, 2))
    np.testing.assert_allclose(variance.sum(), 2 / 3, rtol=1e-4)
    assert variance[0] > 1.5 * variance[1]  # the levels keep their order


def test_nothing_else_moves():
    params = init(jax.random.key(0), CFG)
    books = jax.random.normal(jax.random.key(1), (2, 32, 128))
    made = start_from_codebooks(jax.random.key(2), params, books, CFG)
    for name in ("target_embed", "context_embed"):
        np.testing.assert_array_equal(
            made[name]["embedding"][:, 32], params[name]["embedding"][:, 32]
        )
    assert made["backbone"] is params["backbone"] and made["heads"] is params["heads"]
