"""Eq. 1 and the exact count of kept candidates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.arrays.ranking import keep_top, rank_candidates


def test_eq_1_by_hand():
    scores = rank_candidates(
        jnp.array([0.5, 0.25, 1.0, 0.0]),
        jnp.array([0.0, 1.0, 0.5, 0.25]),
        w_conf=2.0,
        w_causal=10.0,
        w_rand=4.0,
        length=4,
    )
    # 2 c + 10 (1 - n/4) + 4 x
    np.testing.assert_allclose(scores, [11.0, 12.0, 9.0, 3.5], rtol=1e-6)


def test_n_is_the_true_length_and_padding_moves_nothing():
    def earliness(frames):
        return rank_candidates(
            jnp.zeros(frames),
            jnp.zeros(frames),
            w_conf=0.0,
            w_causal=1.0,
            w_rand=0.0,
            length=3,
        )

    np.testing.assert_allclose(earliness(3), [1, 2 / 3, 1 / 3], rtol=1e-6)
    np.testing.assert_array_equal(earliness(8)[:3], earliness(3))


def test_each_weight_alone_gives_its_order():
    confidence = jnp.array([0.1, 0.9, 0.5])
    noise = jnp.array([0.5, 0.1, 0.9])

    def order(**weights):
        weights = {"w_conf": 0.0, "w_causal": 0.0, "w_rand": 0.0} | weights
        scores = rank_candidates(confidence, noise, length=3, **weights)
        return np.argsort(-np.asarray(scores)).tolist()

    assert order(w_conf=1.0) == [1, 2, 0]
    assert order(w_causal=1.0) == [0, 1, 2]
    assert order(w_rand=1.0) == [2, 0, 1]


def test_keep_top_by_hand():
    scores = jnp.array([0.1, 0.9, 0.5, 0.7])
    assert keep_top(scores, 2).tolist() == [False, True, False, True]
    assert keep_top(scores, 0).tolist() == [False] * 4
    assert keep_top(scores, 4).tolist() == [True] * 4


def test_of_equal_scores_the_earlier_are_kept():
    assert keep_top(jnp.zeros(5), 3).tolist() == [True, True, True, False, False]
    scores = jnp.array([-jnp.inf, 1.0, -jnp.inf, 1.0, 1.0])
    assert keep_top(scores, 2).tolist() == [False, True, False, True, False]


@pytest.mark.parametrize("seed", range(5))
def test_the_count_is_exact_with_ties_and_traced(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, 50).astype(np.float32)
    for count in (0, 1, 17, 49, 50):
        kept = np.asarray(jax.jit(keep_top)(scores, count))
        assert kept.sum() == count
        if 0 < count < 50:
            assert scores[kept].min() >= scores[~kept].max()
