"""Token cross-entropy by hand, against a slow twin, and its gradient."""

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.arrays.cross_entropy import token_cross_entropy


def test_by_hand():
    logits = jnp.log(jnp.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
    nats = token_cross_entropy(logits, jnp.array([1, 2]))
    np.testing.assert_allclose(nats, [np.log(4), -np.log(0.8)], rtol=1e-6)


def test_large_logits_stay_finite_and_bfloat16_is_read_as_float32():
    nats = token_cross_entropy(jnp.array([1e4, 0.0]), jnp.array(1))
    np.testing.assert_allclose(nats, 1e4, rtol=1e-6)
    assert token_cross_entropy(jnp.zeros(4, jnp.bfloat16), jnp.array(0)).dtype == (
        jnp.float32
    )


def test_gradient_is_softmax_minus_one_hot():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(5, 7)).astype(np.float32)
    codes = rng.integers(0, 7, 5)
    grad = jax.grad(lambda x: token_cross_entropy(x, codes).sum())(logits)
    softmax = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    # rounding of one exponential and one division in float32
    np.testing.assert_allclose(grad, softmax - np.eye(7)[codes], atol=1e-6)
