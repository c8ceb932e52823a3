"""Masks of fig. 4: a table by hand, properties, a slow twin, the ratio's distribution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.arrays.masking import (
    draw_levels,
    finer_mask,
    level_mask,
    mask_count,
    mask_ratio,
)

jitted_level_mask = jax.jit(
    level_mask, static_argnames=("num_levels", "num_frames", "keep_prefix")
)


def draw(seed, level, ratio, *, levels=4, frames=40, **options):
    mask = jitted_level_mask(
        jax.random.key(seed),
        level,
        ratio,
        num_levels=levels,
        num_frames=frames,
        **options,
    )
    return np.asarray(mask)


@pytest.mark.parametrize(
    ("ratio", "n", "count"),
    [
        (0.0, 10, 1),  # at least one, or the example has no loss
        (0.04, 10, 1),
        (0.26, 10, 3),
        (0.5, 10, 5),
        (0.999, 1000, 999),
        (1.0, 10, 10),
        (1.0, 1, 1),
        (0.3, 1, 1),
    ],
)
def test_count_by_hand(ratio, n, count):
    assert int(mask_count(jnp.float32(ratio), n)) == count


def test_fig_4_training_the_second_level():
    mask = draw(0, 1, 0.5, levels=4, frames=8)
    assert not mask[0].any()  # coarser: shown
    assert mask[1].sum() == 4  # the level trained: an exact share
    assert mask[2:].all()  # finer: hidden


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("ratio", [0.01, 0.33, 1.0])
def test_levels_and_exact_count(level, ratio):
    mask = draw(level, level, ratio)
    assert not mask[:level].any()
    assert mask[level + 1 :].all()
    assert mask[level].sum() == max(1, round(ratio * 40))


def test_every_frame_is_hidden_equally_often():
    keys = jax.random.split(jax.random.key(1), 4000)
    masks = jax.vmap(lambda k: level_mask(k, 0, 0.25, num_levels=1, num_frames=20)[0])(
        keys
    )
    share = np.asarray(masks).mean(axis=0)
    # 4000 draws of probability 1/4: standard error 0.0068, five of them
    np.testing.assert_allclose(share, 0.25, atol=0.035)


@pytest.mark.parametrize("keep_prefix", [False, True])
def test_against_a_slow_twin(keep_prefix):
    """The same permutation and prefix, applied token by token."""
    starts = []
    for seed, (level, ratio) in enumerate([(0, 0.2), (1, 0.7), (2, 1.0), (1, 0.4)]):
        k_start, k_order = jax.random.split(jax.random.key(seed))
        order = np.asarray(jax.random.permutation(k_order, 13))
        start = int(jax.random.randint(k_start, (), 0, 13)) if keep_prefix else 0
        starts.append(start)
        count = int(np.round(np.float32(ratio) * (13 - start)))
        count = min(max(count, 1), 13 - start)
        drawn = sorted(range(start, 13), key=lambda t: order[t])[:count]
        twin = np.zeros((3, 13), bool)
        for q in range(3):
            for t in range(start, 13):
                twin[q, t] = q > level or (q == level and t in drawn)
        mask = draw(
            seed,
            level,
            jnp.float32(ratio),
            levels=3,
            frames=13,
            keep_prefix=keep_prefix,
        )
        np.testing.assert_array_equal(mask, twin)
    assert (max(starts) > 0) == keep_prefix


def test_finer_levels_by_hand():
    """Fig. 4: of three levels and four frames, one row per example."""
    mask = finer_mask(jnp.array([0, 1, 0]), 3, 4, jnp.array([0, 2, 4])).astype(int)
    assert mask.tolist() == [
        [[0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]],
        [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1]],
        [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
    ]
    alone = finer_mask(1, 3, 4).astype(int)
    assert alone.tolist() == [[0] * 4, [0] * 4, [1] * 4]


def test_level_may_be_traced():
    def one(level):
        return level_mask(jax.random.key(3), level, 0.5, num_levels=4, num_frames=9)

    traced = np.asarray(jax.vmap(one)(jnp.arange(4)))
    for level in range(4):
        np.testing.assert_array_equal(traced[level], np.asarray(one(level)))


def test_prefix_is_shown_on_every_level():
    starts = []
    for seed in range(60):
        mask = draw(seed, 1, 0.5, levels=3, frames=30, keep_prefix=True)
        hidden_from = np.argmax(mask[2])  # the finest level is hidden after the prompt
        starts.append(hidden_from)
        assert not mask[:, :hidden_from].any()
        assert mask[2, hidden_from:].all()
        assert not mask[0].any()
        rest = 30 - hidden_from
        assert mask[1].sum() == max(1, int(np.round(0.5 * rest)))
    assert min(starts) < 5 and max(starts) > 24  # prompts of all lengths


def test_ratio_is_the_cosine_of_a_uniform():
    """P(cos(pi u / 2) <= r) = 1 - 2 arccos(r) / pi; the mean is 2 / pi."""
    n = 20_000
    ratios = np.sort(jax.vmap(mask_ratio)(jax.random.split(jax.random.key(2), n)))
    assert 0 <= ratios[0] and ratios[-1] <= 1
    expected = 1 - 2 * np.arccos(ratios) / np.pi
    distance = np.abs(expected - (np.arange(n) + 0.5) / n).max()
    assert distance < 1.95 / np.sqrt(n)  # Kolmogorov-Smirnov at 0.1 %
    np.testing.assert_allclose(ratios.mean(), 2 / np.pi, atol=0.01)


@pytest.mark.parametrize(
    "decay, shares",
    [(1.0, (0.25, 0.25, 0.25, 0.25)), (0.5, (8 / 15, 4 / 15, 2 / 15, 1 / 15))],
)
def test_levels_are_drawn_at_their_odds(decay, shares):
    n = 20_000
    levels = np.asarray(draw_levels(jax.random.key(0), n, 4, decay))
    share = np.bincount(levels, minlength=4) / n
    # standard error of a share: at most 0.0035
    np.testing.assert_allclose(share, shares, atol=0.015)
