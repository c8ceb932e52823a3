"""Draws per frame, Gumbel-max, confidence and the nucleus."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.arrays import sampling

KEY = jax.random.key(7)
sample_codes = jax.jit(sampling.sample_codes)
is_in_nucleus = jax.jit(sampling.is_in_nucleus)


@functools.partial(jax.jit, static_argnums=(0, 1))
def draws(frames, codes, key=KEY, level=0, step=1):
    return sampling.draw_step(key, level, step, frames, codes)


def test_draws_of_a_frame_do_not_depend_on_the_number_of_frames():
    short, long = draws(5, 16), draws(12, 16)
    np.testing.assert_array_equal(short.gumbel, long.gumbel[:5])
    np.testing.assert_array_equal(short.noise, long.noise[:5])


def test_draws_differ_with_key_level_step_and_frame():
    base = draws(4, 16, level=1, step=3)
    others = [
        draws(4, 16, jax.random.key(8), level=1, step=3),
        draws(4, 16, level=2, step=3),
        draws(4, 16, level=1, step=4),
        draws(4, 16, level=3, step=1),  # level and step are not interchangeable
    ]
    everything = jnp.stack([base.gumbel, *(o.gumbel for o in others)])
    assert np.unique(np.asarray(everything)).size == everything.size
    noise = jnp.stack([base.noise, *(o.noise for o in others)])
    assert np.unique(np.asarray(noise)).size == noise.size


def test_frequencies_are_the_softmax_at_the_temperature():
    frames, temperature = 20_000, 0.5
    logits = np.array([1.0, 0.0, -1.0, 0.5], np.float32)
    gumbel = draws(frames, 4).gumbel
    codes, confidence = sample_codes(gumbel, jnp.tile(logits, (frames, 1)), temperature)
    exact = np.exp(logits / temperature)
    exact /= exact.sum()
    counts = np.bincount(np.asarray(codes), minlength=4) / frames
    # four standard deviations of a share of 20,000 draws are at most 0.014
    np.testing.assert_allclose(counts, exact, atol=0.015)
    np.testing.assert_allclose(confidence, exact[codes], rtol=1e-5)


def test_noise_is_uniform():
    noise = np.asarray(draws(20_000, 1).noise)
    assert 0 <= noise.min() and noise.max() < 1
    tenths = np.histogram(noise, 10, (0, 1))[0] / noise.size
    np.testing.assert_allclose(tenths, 0.1, atol=0.01)  # 4.7 standard deviations


def test_a_small_temperature_takes_the_most_probable():
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(30, 8)), jnp.float32)
    gumbel = draws(30, 8).gumbel
    codes, confidence = sample_codes(gumbel, logits, 1e-4)
    np.testing.assert_array_equal(codes, jnp.argmax(logits, -1))
    assert codes.dtype == jnp.int32 and confidence.min() > 0.99


def test_the_nucleus_by_hand():
    p = jnp.array([0.1, 0.4, 0.3, 0.2])
    assert is_in_nucleus(p, 0.35).tolist() == [False, True, False, False]
    assert is_in_nucleus(p, 0.65).tolist() == [False, True, True, False]
    assert is_in_nucleus(p, 0.85).tolist() == [False, True, True, True]
    assert is_in_nucleus(p, 1.0).tolist() == [True] * 4
    assert is_in_nucleus(jnp.full(4, 0.25), 0.5).tolist() == [True, True, False, False]


@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.9])
def test_the_nucleus_is_the_smallest_set_that_reaches_its_mass(top_p):
    rng = np.random.default_rng(1)
    for p in rng.dirichlet(np.full(20, 0.3), size=10).astype(np.float32):
        kept = np.asarray(is_in_nucleus(p, top_p))
        assert p[kept].sum() >= top_p > p[kept].sum() - p[kept].min()
        assert p[kept].min() >= p[~kept].max(initial=0)


def test_filtered_sampling_stays_inside_and_a_filter_of_one_changes_nothing():
    logits = jnp.tile(jnp.log(jnp.array([0.1, 0.4, 0.3, 0.2])), (2_000, 1))
    gumbel = draws(2_000, 4).gumbel
    unfiltered, confidence = sample_codes(gumbel, logits, 1.0)
    same, same_confidence = sample_codes(gumbel, logits, 1.0, jnp.asarray(1.0))
    np.testing.assert_array_equal(unfiltered, same)
    np.testing.assert_array_equal(confidence, same_confidence)
    codes, confidence = sample_codes(gumbel, logits, 1.0, jnp.asarray(0.6))
    assert set(np.asarray(codes).tolist()) == {1, 2}
    # A12: the probability is that of the unfiltered distribution
    want = np.where(codes == 1, 0.4, 0.3)
    np.testing.assert_allclose(confidence, want, rtol=1e-5)
