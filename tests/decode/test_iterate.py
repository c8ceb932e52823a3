"""The decoding loop on networks whose logits are tables."""

import dataclasses

import jax
import numpy as np
import pytest

from stemjax.config.decode import DECODE_PRESETS, FAST, DecodeConfig, Guidance
from stemjax.decode.iterate import decode
from stemjax.decode.keep import Kept
from stemjax.decode.schedule import hidden_table
from tests.decode.slow_decoder import slow_decode
from tests.decode.stub_networks import OracleNetwork, TableNetwork, inputs, keys_of

TABLE = TableNetwork(num_codebooks=3, codebook_size=12)
PARAMS = TABLE.init(0)
FRAMES = 24
SHORT = dataclasses.replace(FAST, steps=(7, 18, 4))  # under, over and within a chunk


def decode_random(config, batch=2, frames=FRAMES, rows=slice(None), **options):
    """Codes and order of random contexts; row b is the same in any batch."""
    context, conditions, keys = inputs(TABLE, batch, frames)
    result = decode(
        TABLE,
        PARAMS,
        config,
        context[rows],
        {"instrument": conditions["instrument"][rows]},
        keys[rows],
        **options,
    )
    return np.asarray(result.codes), np.asarray(result.order)


@pytest.mark.parametrize(
    "config",
    [
        SHORT,
        dataclasses.replace(SHORT, guidance=Guidance.NONE, scales=(9.0, 9.0)),
        dataclasses.replace(SHORT, guidance=Guidance.SINGLE, scales=(2.0, 9.0)),
        dataclasses.replace(
            SHORT,
            scales=(1.5, 0.5),
            w_conf=1.0,
            w_causal=0.5,
            w_rand=0.8,
            w_rand_final=0.1,
            temperature=1.3,
            temperature_final=0.4,
            top_p=0.8,
        ),
    ],
    ids=["multi", "none", "single", "every knob"],
)
def test_equals_the_slow_decoder(config):
    rng = np.random.default_rng(3)
    lengths = [FRAMES, 17]
    is_kept = rng.random((2, 3, FRAMES)) < 0.2
    kept_codes = rng.integers(0, 12, is_kept.shape)
    codes, order = decode_random(
        config, lengths=lengths, kept=Kept(kept_codes, is_kept)
    )
    context, conditions, keys = inputs(TABLE, 2, FRAMES)
    for b, length in enumerate(lengths):
        want_codes, want_order = slow_decode(
            PARAMS,
            config,
            context[b],
            conditions["instrument"][b],
            keys[b],
            length,
            kept_codes[b],
            is_kept[b],
        )
        np.testing.assert_array_equal(order[b, :, :length], want_order)
        np.testing.assert_array_equal(codes[b, :, :length], want_codes)


@pytest.mark.parametrize("keeps_prefix", [False, True])
def test_a_kept_prefix_is_seen_on_every_level_if_the_model_learned_so(keeps_prefix):
    """Of two rows the first has a prefix of 6 whole frames, the second none."""
    network = dataclasses.replace(TABLE, keeps_prefix=keeps_prefix)
    rng = np.random.default_rng(8)
    is_kept = rng.random((2, 3, FRAMES)) < 0.3
    is_kept[0, :, :6], is_kept[:, :, 18:] = True, True
    is_kept[:, 0, 6] = is_kept[1, 2, 0] = False
    kept_codes = rng.integers(0, 12, is_kept.shape)
    context, conditions, keys = inputs(TABLE, 2, FRAMES)
    config = dataclasses.replace(SHORT, guidance=Guidance.NONE)
    result = decode(
        network,
        PARAMS,
        config,
        context,
        conditions,
        keys,
        kept=Kept(kept_codes, is_kept),
    )
    for b in range(2):
        want_codes, want_order = slow_decode(
            PARAMS,
            config,
            context[b],
            conditions["instrument"][b],
            keys[b],
            FRAMES,
            kept_codes[b],
            is_kept[b],
            keeps_prefix,
        )
        np.testing.assert_array_equal(result.order[b], want_order)
        np.testing.assert_array_equal(result.codes[b], want_codes)


def wrong_codes(strength: float) -> int:
    """Codes that a decoding of an oracle of that strength gets wrong."""
    network = OracleNetwork(3, 12)
    answer = np.random.default_rng(5).permutation(12)
    context, conditions, keys = inputs(network, 2, FRAMES)
    params = {"answer": answer, "strength": np.float32(strength)}
    result = decode(network, params, SHORT, context, conditions, keys)
    return int((np.asarray(result.codes) != answer[context]).sum())


def test_an_oracle_is_followed_and_constant_logits_are_not():
    assert wrong_codes(strength=100.0) == 0
    assert wrong_codes(strength=0.0) > 100  # of 144


def test_every_code_is_revealed_once_by_the_steps_that_the_schedule_says():
    lengths = [FRAMES, 5]
    _, order = decode_random(SHORT, lengths=lengths)
    for b, length in enumerate(lengths):
        assert (order[b, :, length:] == -1).all()
        for level, steps in enumerate(SHORT.steps):
            hidden = hidden_table(FRAMES, steps)[length]
            counts = np.bincount(order[b, level, :length], minlength=steps + 1)
            np.testing.assert_array_equal(counts[1:], hidden[:-1] - hidden[1:])
            assert counts[0] == 0


@pytest.mark.parametrize("w_causal", [1e5, 3e38])
def test_a_strong_causal_bias_reveals_left_to_right(w_causal):
    _, order = decode_random(dataclasses.replace(SHORT, w_causal=w_causal))
    assert (np.diff(order, axis=-1) >= 0).all()
    assert order.max() > 4  # not all at once
    _, free = decode_random(dataclasses.replace(SHORT, w_causal=0.0))
    assert (np.diff(free, axis=-1) < 0).any()


def test_confidence_alone_reveals_the_surest_first():
    """Two context codes: one whose target is certain, one that leaves it open."""
    network = TableNetwork(num_codebooks=1, codebook_size=4)
    params = {name: 0 * rows for name, rows in network.init(0).items()}
    params["context"][0, 1] = [0, 30, 0, 0]
    context = np.tile([0, 1], 8)[None, None]
    config = DecodeConfig(
        steps=(16,), w_conf=1.0, w_rand=0.0, w_causal=0.0, guidance=Guidance.NONE
    )
    instrument = {"instrument": np.zeros(1, np.int32)}
    result = decode(network, params, config, context, instrument, keys_of(0))
    order = np.asarray(result.order)[0, 0]
    assert order[1::2].max() < order[::2].min()


def test_a_row_is_the_same_alone_and_in_any_batch():
    codes, order = decode_random(SHORT, batch=8)
    for rows in (slice(0, 1), slice(5, 6), slice(2, 4)):
        alone = decode_random(SHORT, batch=8, rows=rows)
        np.testing.assert_array_equal(alone[0], codes[rows])
        np.testing.assert_array_equal(alone[1], order[rows])
    assert len(np.unique(codes.reshape(8, -1), axis=0)) == 8


def test_padding_changes_nothing():
    context, conditions, keys = inputs(TABLE, 2, FRAMES)
    short = decode(TABLE, PARAMS, SHORT, context[..., :17], conditions, keys, [17, 9])
    padded = decode(TABLE, PARAMS, SHORT, context, conditions, keys, [17, 9])
    for a, b, empty in zip(short[:2], padded[:2], (0, -1), strict=True):
        np.testing.assert_array_equal(a, b[..., :17])
        assert (b[..., 17:] == empty).all() and (a[1, :, 9:] == empty).all()


def test_settings_are_per_example():
    other = dataclasses.replace(
        SHORT, scales=(0.0, 1.0), w_rand=0.1, temperature=0.5, top_p=0.5
    )
    context, conditions, keys = inputs(TABLE, 2, FRAMES)
    same = np.zeros(2, int)  # row 0 twice, under different settings
    mixed = decode(
        TABLE,
        PARAMS,
        [SHORT, other],
        context[same],
        {"instrument": conditions["instrument"][same]},
        keys[same],
    )
    for row, config in enumerate((SHORT, other)):
        codes, order = decode_random(config)
        np.testing.assert_array_equal(mixed.codes[row], codes[0])
        np.testing.assert_array_equal(mixed.order[row], order[0])
    assert (mixed.codes[0] != mixed.codes[1]).any()


def test_presets_give_distinct_results():
    results = {name: decode_random(config) for name, config in DECODE_PRESETS.items()}
    assert set(results) >= {"best", "naive", "fast", "vampnet", "soundstorm"}
    for i in results:
        for j in set(results) - {i}:
            assert (results[i][0] != results[j][0]).any(), (i, j)
            assert (results[i][1] != results[j][1]).any(), (i, j)


def test_branches_one_by_one_equal_branches_together():
    together = decode_random(SHORT, branches_together=True)
    apart = decode_random(SHORT, branches_together=False)
    np.testing.assert_array_equal(together[0], apart[0])
    np.testing.assert_array_equal(together[1], apart[1])


def test_kept_codes_are_kept_and_seen():
    rng = np.random.default_rng(4)
    kept_codes = rng.integers(0, 12, (2, 3, FRAMES))
    is_kept = np.zeros(kept_codes.shape, bool)
    is_kept[..., :10] = True
    codes, order = decode_random(SHORT, kept=Kept(kept_codes, is_kept))
    np.testing.assert_array_equal(codes[is_kept], kept_codes[is_kept])
    assert (order[is_kept] == 0).all() and (order[~is_kept] > 0).all()
    other, _ = decode_random(SHORT, kept=Kept((kept_codes + 1) % 12, is_kept))
    assert (other[~is_kept] != codes[~is_kept]).any()
    full, order = decode_random(SHORT, kept=Kept(kept_codes, np.ones_like(is_kept)))
    np.testing.assert_array_equal(full, kept_codes)
    assert not order.any()


def test_kept_finer_codes_stay_hidden_from_coarser_levels():
    is_kept = np.zeros((2, 3, FRAMES), bool)
    is_kept[:, 2] = True
    codes, _ = decode_random(SHORT, kept=Kept(np.full((2, 3, FRAMES), 7), is_kept))
    free, _ = decode_random(SHORT)
    np.testing.assert_array_equal(codes[:, :2], free[:, :2])
    assert (codes[:, 2] == 7).all()


def test_progress_rises_to_the_end_and_a_second_call_compiles_nothing():
    decode_random(SHORT)
    reports = []
    context, conditions, keys = inputs(TABLE, 2, FRAMES)
    result = decode(
        TABLE,
        PARAMS,
        dataclasses.replace(SHORT, steps=(40, 7, 2), w_conf=0.7, scales=(1.0, 2.0)),
        context,
        conditions,
        keys,
        progress=lambda done, total: reports.append((done, total)),
    )
    done = [16, 32, 40, 47, 49]  # chunks of 16, 16, 8; 7; 2
    assert reports == [(d, 49) for d in done]
    # new scales, weights, steps: the program of all levels is the one there was
    from stemjax.decode import iterate

    before = iterate._run_chunk._cache_size()
    decode_random(dataclasses.replace(SHORT, steps=(3, 5, 7), w_causal=0.9))
    assert iterate._run_chunk._cache_size() == before
    again = decode(TABLE, PARAMS, SHORT, context, conditions, keys)
    assert again.compile_seconds == 0.0 and isinstance(result.compile_seconds, float)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"context_codes": np.zeros((2, 2, 8), int)}, r"\[B, Q=3, T\]"),
        ({"keys": keys_of(0)}, r"keys must be \[B=2\]"),
        ({"keys": np.zeros((2, 2), np.uint32)}, "jax.random.key"),
        ({"lengths": [8, 9]}, "within 1..8"),
        ({"lengths": [0, 8]}, "within 1..8"),
        ({"conditions": {"instrument": np.zeros(3, int)}}, "instrument"),
        ({"conditions": {}}, "1 guidance sources"),
        (
            {"kept": Kept(np.zeros((2, 3, 7), int), np.zeros((2, 3, 8), bool))},
            r"kept codes and mask must be \(2, 3, 8\), got \(2, 3, 7\)",
        ),
        ({"configs": [SHORT]}, "1 settings for 2 contexts"),
        ({"configs": [SHORT, FAST]}, "steps must be the same"),
        (
            {"configs": [SHORT, dataclasses.replace(SHORT, guidance=Guidance.NONE)]},
            "guidance must be the same",
        ),
        ({"configs": dataclasses.replace(SHORT, scales=(3.0,))}, "2 guidance sources"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    arguments = {
        "configs": SHORT,
        "context_codes": np.zeros((2, 3, 8), int),
        "conditions": {"instrument": np.zeros(2, int)},
        "keys": keys_of(0, 1),
    }
    with pytest.raises(ValueError, match=message):
        decode(TABLE, PARAMS, **(arguments | change))


def test_keys_choose_the_result():
    context, conditions, _ = inputs(TABLE, 2, FRAMES)
    first, second = (
        decode(TABLE, PARAMS, SHORT, context, conditions, keys_of(*seeds))
        for seeds in ((0, 1), (0, 2))
    )
    np.testing.assert_array_equal(first.codes[0], second.codes[0])
    assert (first.codes[1] != second.codes[1]).any()
    assert isinstance(first.codes, jax.Array)
