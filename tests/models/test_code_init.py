"""Embeddings that start from the codec's codebooks (Assumption A25)."""

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


def test_neighbours_in_the_codebook_are_neighbours_in_the_model():
    params = stemgen.init(jax.random.key(0), CFG)
    books = (
        jax.random.normal(jax.random.key(1), (2, 32, 8))
        * jnp.array([1, 0.1])[:, None, None]
    )
    made = start_from_codebooks(jax.random.key(2), params, books, CFG)
    target, context = (made[n]["embedding"] for n in ("target_embed", "context_embed"))
    np.testing.assert_array_equal(target[:, :32], context[:, :32])

    def distances(rows):
        return jnp.linalg.norm(rows[:, :, None] - rows[:, None], axis=-1)

    # an orthogonal projection of 8 into 8 dimensions keeps distances, up to the scale
    # that gives every level the variance 1 / (Q + 1); float32
    before = distances(books)
    after = distances(target[:, :32])
    scale = after.sum(axis=(1, 2)) / before.sum(axis=(1, 2))
    np.testing.assert_allclose(after, before * scale[:, None, None], atol=1e-4)
    variance = jnp.mean(target[:, :32] ** 2, axis=(1, 2))
    np.testing.assert_allclose(variance, 1 / 3, rtol=1e-4)


def test_nothing_else_moves():
    params = stemgen.init(jax.random.key(0), CFG)
    books = jax.random.normal(jax.random.key(1), (2, 32, 128))
    made = start_from_codebooks(jax.random.key(2), params, books, CFG)
    for name in ("target_embed", "context_embed"):
        np.testing.assert_array_equal(
            made[name]["embedding"][:, 32], params[name]["embedding"][:, 32]
        )
    assert made["backbone"] is params["backbone"] and made["heads"] is params["heads"]
