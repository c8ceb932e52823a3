"""Eq. 2 and 3: limits by hand, weights, any number of sources."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.arrays.guidance import (
    branch_patterns,
    combine_guidance,
    guidance_weights,
)
from stemjax.config.decode import Guidance

RNG = np.random.default_rng(0)


def test_branches_by_hand():
    assert branch_patterns(Guidance.NONE, 2).tolist() == [[False, False]]
    assert branch_patterns(Guidance.SINGLE, 2).tolist() == [
        [False, False],
        [True, True],
    ]
    assert branch_patterns(Guidance.MULTI, 2).tolist() == [
        [False, True],  # the audio alone
        [True, False],  # the instrument alone
        [True, True],
    ]


@pytest.mark.parametrize("sources", [1, 3, 4])
def test_multi_has_one_source_per_branch_and_never_the_joint(sources):
    patterns = branch_patterns(Guidance.MULTI, sources)
    assert (~patterns).sum(axis=1).tolist() == [1] * sources + [0]
    assert (~patterns).sum(axis=0).tolist() == [1] * sources


def test_branch_patterns_refuses_a_word():
    with pytest.raises(ValueError, match="Guidance"):
        branch_patterns("multi", 2)


def test_eq_3_by_hand():
    logits = jnp.array([[[1.0, 2.0]], [[0.0, 4.0]], [[3.0, -1.0]]])  # [3, T=1, V=2]
    # 3 x (1, 2) + 2 x (0, 4) - 4 x (3, -1)
    got = combine_guidance(logits, jnp.array([3.0, 2.0]))
    np.testing.assert_array_equal(got, [[-9.0, 18.0]])


def test_eq_2_by_hand_and_its_limits():
    logits = jnp.array([[2.0, 0.0], [9.0, 5.0]])  # [full condition, none]
    combine = combine_guidance
    np.testing.assert_array_equal(combine(logits, jnp.array([1.0])), logits[0])
    np.testing.assert_array_equal(combine(logits, jnp.array([0.0])), logits[1])
    np.testing.assert_array_equal(combine(logits, jnp.array([3.0])), [-12.0, -10.0])


def test_without_scales_the_only_branch_is_the_result():
    logits = RNG.normal(size=(1, 4, 8)).astype(np.float32)
    np.testing.assert_array_equal(combine_guidance(logits, jnp.zeros(0)), logits[0])


def test_scales_one_and_zero_leave_the_audio_branch():
    logits = RNG.normal(size=(3, 4, 8)).astype(np.float32)
    got = combine_guidance(logits, jnp.array([1.0, 0.0]))
    np.testing.assert_array_equal(got, logits[0])
    got = combine_guidance(logits, jnp.array([0.0, 0.0]))
    np.testing.assert_array_equal(got, logits[2])


@pytest.mark.parametrize("sources", [1, 2, 5])
def test_weights_sum_to_one_so_logits_serve_as_log_probabilities(sources):
    scales = jnp.asarray(RNG.uniform(0, 4, sources), jnp.float32)
    np.testing.assert_allclose(guidance_weights(scales).sum(), 1, atol=1e-6)
    logits = jnp.asarray(10 * RNG.normal(size=(sources + 1, 6, 16)), jnp.float32)
    raw = jax.nn.softmax(combine_guidance(logits, scales))
    logs = jax.nn.softmax(combine_guidance(jax.nn.log_softmax(logits), scales))
    # logits of some 100 after scaling: 100 x 6e-8 relative in float32
    np.testing.assert_allclose(raw, logs, rtol=2e-4, atol=1e-7)


def test_products_of_probabilities_twin():
    """Eq. 3 as it stands: p(t) prod (p(t|c_i) / p(t))^lambda_i, normalised, float64."""
    probabilities = RNG.dirichlet(np.ones(7), size=4)
    scales = np.array([0.5, 2.0, 1.5])
    null = probabilities[-1]
    want = null * np.prod((probabilities[:-1] / null) ** scales[:, None], axis=0)
    logits = jnp.asarray(np.log(probabilities), jnp.float32)
    got = jax.nn.softmax(combine_guidance(logits, jnp.asarray(scales)))
    np.testing.assert_allclose(got, want / want.sum(), rtol=1e-4)  # float32 exponents


def test_a_wrong_number_of_scales_is_refused():
    with pytest.raises(ValueError, match="3 branches need 2 scales"):
        combine_guidance(jnp.zeros((3, 2)), jnp.ones(3))
