"""Codes revealed per step: tables by hand, 50-digit cosines, properties."""

import decimal
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.decode.schedule import hidden_counts, hidden_table, reveal_counts

HALF_PI = decimal.Decimal("1.5707963267948966192313216916397514420985846996875529")
PAPER = [(1000, 128), (50, 128), (50, 64), (1, 32)]
CASES = [*PAPER, (1000, 64), (1000, 32), (999, 129), (7, 3), (6, 3), (500, 12), (0, 8)]


@functools.cache
def cosine(numerator: int, denominator: int) -> decimal.Decimal:
    """cos(pi/2 a/b) by its series, to 50 digits."""
    if numerator == denominator:
        return decimal.Decimal(0)
    if 3 * numerator == 2 * denominator:
        return decimal.Decimal("0.5")
    with decimal.localcontext(prec=60):
        x = HALF_PI * numerator / denominator
        total = term = decimal.Decimal(1)
        for k in range(1, 40):
            term *= -x * x / ((2 * k - 1) * (2 * k))
            total += term
        return total


def hidden_by_hand(total: int, steps: int) -> list[int]:
    """Numbers of hidden codes by their definition, in integers and decimals."""
    used = min(steps, total)
    hidden = [total]
    for t in range(1, used + 1):
        n = int(total * cosine(t, used))
        n = max(n, used - t)
        hidden.append(min(n, hidden[-1] - 1))
    return hidden + [0] * (steps - used)


@pytest.mark.parametrize(("total", "steps"), CASES)
def test_equals_fifty_digit_cosines(total, steps):
    got = hidden_counts(jnp.asarray(total), steps, 1000)
    np.testing.assert_array_equal(got, hidden_by_hand(total, steps))


def test_all_totals_of_the_papers_steps_equal_fifty_digit_cosines():
    for steps in (128, 64, 32, 8):
        table = hidden_table(1500, steps)
        for total in range(0, 1501, 1 if steps < 64 else 7):
            assert table[total].tolist() == hidden_by_hand(total, steps), total


def test_tables_by_hand():
    # 1000 cos(pi/2 t/128) = 999.92, 999.70, 999.32, 998.80; the first four floors are
    # 999, 999, 999, 998: the clamp n_{t-1} - 1 makes them differ.
    long = hidden_table(1000, 128)[1000]
    assert long[:6].tolist() == [1000, 999, 998, 997, 996, 995]
    assert long[64] == 707 and long[127] == 12 and long[128] == 0
    # fewer codes than steps: one code a step, then nothing
    assert hidden_table(1000, 128)[50].tolist() == [*range(50, -1, -1), *[0] * 78]
    assert hidden_table(50, 64)[50].tolist() == [*range(50, -1, -1), *[0] * 14]
    assert hidden_table(5, 32)[1].tolist() == [1, *[0] * 32]
    # 9 cos(30, 60, 90 degrees) = 7.79, 4.5, 0; at two thirds M/2 is exact
    assert hidden_table(9, 3)[9].tolist() == [9, 7, 4, 0]
    assert hidden_table(1000, 3)[1000].tolist() == [1000, 866, 500, 0]


@pytest.mark.parametrize("steps", [1, 2, 12, 32, 128])
def test_reveals_sum_to_the_total_and_fall_strictly(steps):
    totals = jnp.arange(301)
    hidden = np.asarray(hidden_counts(totals, steps, 300))
    reveals = np.asarray(reveal_counts(totals, steps, 300))
    used = np.minimum(totals, steps)
    np.testing.assert_array_equal(reveals.sum(-1), totals)
    np.testing.assert_array_equal(hidden[:, 0], totals)
    is_step = np.arange(steps) < used[:, None]
    assert (reveals[is_step] >= 1).all() and (reveals[~is_step] == 0).all()


def test_totals_are_traced_and_per_example():
    traced = jax.jit(lambda m: reveal_counts(m, 32, 500))
    both = traced(jnp.array([[500, 3], [1, 0]]))
    assert both.shape == (2, 2, 32)
    np.testing.assert_array_equal(both[0, 0], reveal_counts(jnp.asarray(500), 32, 500))
    assert both[0, 1, :4].tolist() == [1, 1, 1, 0] and both[1, 1].sum() == 0


def test_bad_counts_are_refused():
    with pytest.raises(ValueError, match="steps >= 1"):
        hidden_table(5, 0)
