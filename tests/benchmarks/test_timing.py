"""Ratios of interleaved times, and peers that fail or take too long."""

import time

import pytest

from benchmarks.peers.timing import compare, interleaved, speed_over


def test_programs_take_turns():
    calls = []
    programs = {name: lambda n=name: calls.append(n) for name in "ab"}
    times = interleaved(programs, 3)
    assert calls == list("ababab")
    assert [len(times[name]) for name in "ab"] == [3, 3]


def test_ratios_are_of_medians():
    assert speed_over([1.0, 2.0, 50.0], [3.0, 1.0, 5.0]) == 1.5


def test_a_peer_that_fails_is_its_reason():
    def fails():
        raise RuntimeError("no\n  compiler")

    programs = {
        "ours": lambda: time.sleep(0.004),
        "eager": lambda: time.sleep(0.02),
        "compiled": fails,
        "slow": lambda: time.sleep(5),
    }
    result = compare(programs, 3, calls=2, first_seconds=0.3)
    assert result["compiled"] == "RuntimeError: no compiler"
    assert result["slow"] == "TimeoutError: took over 0.3 s"
    assert "slow_ms" not in result and "ours_over_slow" not in result
    eager, ours = result["eager_ms"], result["ours_ms"]
    assert 10 <= eager["min"] <= eager["median"] <= eager["max"]  # of two calls
    ratio = eager["median"] / ours["median"]
    assert result["ours_over_eager"] == pytest.approx(ratio, rel=0.01)


def test_our_own_failure_is_not_hidden():
    with pytest.raises(TimeoutError):
        compare({"ours": lambda: time.sleep(5)}, 1, first_seconds=0.1)
