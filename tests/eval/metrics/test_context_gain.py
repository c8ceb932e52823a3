"""Context gain: the jackknife by hand, and models whose gain is known."""

import dataclasses
import math
import types

import jax
import numpy as np
import pytest
from scipy import stats

from stemjax.cli.evaluate import context_gain as command
from stemjax.cli.evaluate.arguments import ContextGain
from stemjax.config.model import StemGenConfig, TransformerConfig
from stemjax.eval.metrics.context_gain import (
    gain_interval,
    measure,
    paired_difference,
    shuffle_weights,
)
from stemjax.io.errors import UserError
from tests.models.oracle import LOUD, listener, random_params

Q, V, T = 2, 8, 10
CFG = StemGenConfig(
    num_codebooks=Q,
    codebook_size=V,
    transformer=TransformerConfig(width=32, layers=1, heads=2, mlp_hidden=16),
)


def batches(count=3, size=4, seed=0, *, is_copy=True):
    rng = np.random.default_rng(seed)
    for i in range(count):
        context, other, target = rng.integers(0, V, (3, size, Q, T)).astype(np.uint16)
        yield {
            "context_codes": context,
            "other_context_codes": other,
            "target_codes": context if is_copy else target,
            "instrument": np.zeros(size, np.int32),
            "row": np.arange(size, dtype=np.int32) + i * size,
            "song": np.arange(size, dtype=np.int32) // 2 + i * size,
            "is_valid": np.array([True] * (size - 1) + [i < count - 1]),
        }


def test_jackknife_by_hand():
    """Songs a (1, 2), b (3), c (6): means without each 4.5, 3, 2."""
    got = gain_interval(np.array([1.0, 3.0, 2.0, 6.0]), np.array(list("abac")))
    without = np.array([4.5, 3.0, 2.0])
    error = math.sqrt(2 / 3 * ((without - without.mean()) ** 2).sum())
    half = 4.302653 * error  # t, 2 degrees
    assert got["gain_nats"] == 3.0 and got["n_pairs"] == 4 and got["n_songs"] == 3
    np.testing.assert_allclose([got["low"], got["high"]], [3 - half, 3 + half], 1e-6)


def test_one_pair_a_song_is_students_interval():
    gains = np.random.default_rng(0).normal(size=30)
    got = gain_interval(gains, np.arange(30))
    half = stats.t.ppf(0.975, 29) * gains.std(ddof=1) / math.sqrt(30)
    np.testing.assert_allclose(got["high"] - got["gain_nats"], half, rtol=1e-9)


def test_songs_of_equal_pairs_do_not_narrow_the_interval():
    gains = np.random.default_rng(0).normal(size=10)
    once = gain_interval(gains, np.arange(10))
    often = gain_interval(np.repeat(gains, 7), np.repeat(np.arange(10), 7))
    np.testing.assert_allclose(once["low"], often["low"], rtol=1e-9)


def test_one_song_has_no_interval():
    got = gain_interval(np.array([1.0, 2.0]), np.array([4, 4]))
    assert got["gain_nats"] == 1.5 and got["low"] is None and got["high"] is None


def test_a_listener_gains_and_shuffled_weights_do_not():
    params = listener(CFG)
    got = measure(params, CFG, batches())
    assert sorted(got) == [1, 2]
    # the normalised sum has two unit entries among 32: each is sqrt(32 / 2) = 4 high,
    # so a wrong code costs 4 x LOUD; a random one is wrong 7 times in 8
    expected = 4 * LOUD * 7 / 8
    for level in got.values():
        assert level["low"] > 0.8 * expected and level["high"] < 1.2 * expected
        assert level["own_nats"] < 1e-3
        # without a context it knows nothing, and says so
        np.testing.assert_allclose(level["null_nats"], math.log(V), rtol=1e-6)
        assert level["over_null"]["gain_nats"] == pytest.approx(math.log(V), abs=2e-3)
        assert level["n_pairs"] == 11 and level["n_songs"] == 6
        assert sorted(level["by_ratio"]) == ["0.25", "0.5", "0.75", "1.0"]
        assert level["by_ratio"]["1.0"]["gain_nats"] == level["gain_nats"]
    shuffled = shuffle_weights(params, jax.random.key(0))
    for level in measure(shuffled, CFG, batches()).values():
        assert abs(level["gain_nats"]) < 0.3 * expected
    # eight codes repeated from the context leave any fixed weights some chance; where
    # context and target are independent there is none
    dense = random_params(CFG)
    intervals = [
        level
        for seed in range(3)
        for level in measure(
            shuffle_weights(dense, jax.random.key(seed)),
            CFG,
            batches(8, seed=seed, is_copy=False),
        ).values()
    ]
    covers = [level["low"] < 0 < level["high"] for level in intervals]
    assert sum(covers) >= 5  # of six 95 % intervals
    assert min(abs(level["gain_nats"]) for level in intervals) > 1e-4


def test_a_model_that_hears_no_context_gains_exactly_nothing():
    params = listener(CFG)
    params["context_embed"]["embedding"] *= 0
    for level in measure(params, CFG, batches()).values():
        assert level["gain_nats"] == level["low"] == level["high"] == 0.0
        assert level["over_null"]["gain_nats"] == level["over_null"]["high"] == 0.0
        np.testing.assert_allclose(level["own_nats"], math.log(V), rtol=1e-6)


def test_shuffling_permutes_each_tensor():
    params = listener(CFG)
    shuffled = shuffle_weights(params, jax.random.key(0))
    for a, b in zip(jax.tree.leaves(params), jax.tree.leaves(shuffled), strict=True):
        assert a.shape == b.shape
        np.testing.assert_array_equal(np.sort(np.ravel(a)), np.sort(np.ravel(b)))
    kernel = "heads", "kernel"
    moved = np.asarray(params[kernel[0]][kernel[1]] != shuffled[kernel[0]][kernel[1]])
    assert moved.any()


def test_audio_batches_are_encoded():
    def as_audio(batch):
        names = ("context", "other_context", "target")
        audio = {n: (batch[f"{n}_codes"] * 1024).astype(np.int16) for n in names}
        rest = {k: v for k, v in batch.items() if not k.endswith("_codes")}
        return {n: a.reshape(len(a), -1) for n, a in audio.items()} | rest

    def encode(audio):
        return np.round(audio * 32).astype(np.int32).reshape(-1, Q, T)

    params = listener(CFG)
    tokens = measure(params, CFG, batches())
    audio = measure(params, CFG, map(as_audio, batches()), encode=encode)
    assert tokens == audio


def test_pairs_are_counted_exactly():
    got = measure(listener(CFG), CFG, batches(), num_pairs=6)
    assert got[1]["n_pairs"] == 6


def test_what_cannot_be_measured_is_said():
    with pytest.raises(UserError, match="no held-out pair"):
        measure(listener(CFG), CFG, [])
    (batch,) = batches(1)
    del batch["other_context_codes"]
    with pytest.raises(UserError, match="no other_context"):
        measure(listener(CFG), CFG, [batch])


def test_a_difference_is_taken_pair_by_pair():
    """Two songs whose pairs differ by far more than two models do."""
    hard = np.array([5.0, 5.0, 1.0])
    songs = np.array([3, 3, 8])

    def losses(own, other):
        each = np.stack([hard + own, hard + other, hard])
        return np.stack([each, 9 * each], axis=1)[:, None]  # one level, two ratios

    ours = losses(np.array([-1.0, -1.2, -0.8]), 1.0)
    theirs = losses(np.array([-0.5, -0.6, -0.4]), 1.0)
    (row,) = paired_difference(ours, theirs, songs).values()
    own = row.pop("own")
    assert row == pytest.approx(gain_interval(np.array([0.5, 0.6, 0.4]), songs))
    assert own == pytest.approx(gain_interval(np.array([-0.5, -0.6, -0.4]), songs))
    # means of songs 0.55 and 0.4: +- 12.706 x 0.075; the pairs' levels are not in it
    assert row["gain_nats"] == pytest.approx(0.5)
    assert row["high"] - row["gain_nats"] == pytest.approx(12.7062 * 0.075, rel=1e-5)
    same = paired_difference(ours, ours, songs)[1]
    assert same["gain_nats"] == same["low"] == same["own"]["high"] == 0.0


def model(params, name="mine", codec="a"):
    of = types.SimpleNamespace(name=f"codec-{codec}", sha256=codec)
    return types.SimpleNamespace(
        params=params, config=CFG, name=name, version="1", sha256=name, codec=of
    )


def test_command_reports_and_prints(capsys):
    asked = ContextGain(data="songs", pairs=8)
    listening = model(listener(CFG))
    report = command.run_context_gain(asked, listening, None, batches, None)
    assert report["weights"] == "trained" and set(report["levels"]) == {"1", "2"}
    assert report["checkpoint"] == {"name": "mine", "version": "1"}
    printed, told = capsys.readouterr()
    assert printed.strip() == command.table(report)
    assert "mine: 100%" in told and "8/8" in told
    lines = printed.splitlines()
    assert len(lines) == 4 and lines[2].split()[0] == "1" and " to " in lines[2]
    assert report["levels"]["1"]["n_pairs"] == 8
    shuffled = dataclasses.replace(asked, shuffle_weights=True)
    control = command.run_context_gain(shuffled, listening, None, batches, None)
    assert control["weights"] == "shuffled"
    gains = [r["levels"]["1"]["gain_nats"] for r in (report, control)]
    assert gains[0] > 3 * abs(gains[1])


def test_command_sets_a_model_beside_another(capsys):
    asked = ContextGain(data="songs", pairs=8, against="deaf")
    params = listener(CFG)
    params["context_embed"]["embedding"] = params["context_embed"]["embedding"] * 0
    deaf = model(params, name="deaf")
    report = command.run_context_gain(asked, model(listener(CFG)), deaf, batches, None)
    gain = report["levels"]["1"]["gain_nats"]
    other = report["against"]
    assert other["levels"]["1"]["gain_nats"] == 0.0
    assert other["difference"]["1"]["gain_nats"] == pytest.approx(gain)
    own = other["difference"]["1"]["own"]
    assert own["gain_nats"] == pytest.approx(-math.log(V), abs=2e-3)
    lines = capsys.readouterr().out.splitlines()
    assert lines[5] == "deaf 1 on the same pairs" and len(lines) == 14
    shown = lines[-2].split()
    assert shown[:2] == ["1", f"{gain:+.4f}"]
    assert shown[5] == f"{own['gain_nats']:+.4f}"
    with pytest.raises(
        UserError, match="--against deaf: speaks the codec codec-b, not"
    ):
        command.run_context_gain(
            asked, model(listener(CFG)), model(params, "deaf", "b"), batches, None
        )
