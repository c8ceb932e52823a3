"""Stores of another codec's tokens: what is written is what is drawn."""

import itertools

import numpy as np
import pytest

from stemjax.config.train import PairConfig
from stemjax.data.drawing.mixture import Mixture
from stemjax.data.tokens.draw import crop_frames, usable_tokens
from stemjax.data.tokens.foreign import TokenPair, TokenSegment, write_store
from stemjax.data.tokens.format import StoreCodec
from stemjax.data.tokens.store import open_tokens, token_batches, token_eval_batches
from stemjax.io.errors import UserError
from tests.data.tables import token_draw

RATE, HOP, Q, V = 24_000, 1_920, 3, 1_000  # 12.5 frames per second
CODEC = StoreCodec("foreign", "", HOP, Q, V, RATE)
SECOND = PairConfig(crop_seconds=1.0)  # 13 frames


def segment(song, split="train", frames=40, first=0, **changes):
    """Three entries whose codes tell entry, level and frame apart."""
    q, t = np.ogrid[:Q, :frames]
    codes = [(first + n) * 100 + 30 * q + t % 30 for n in range(3)]
    pairs = [TokenPair(0, 1, 4), TokenPair(0, 2, 16), TokenPair(1, 2, 16)]
    settings = {"song": song, "split": split, "codes": codes, "pairs": pairs}
    return TokenSegment(**settings | changes)


def test_codes_and_pairs_come_back(tmp_path, monkeypatch):
    monkeypatch.setattr("stemjax.data.tokens.format.SHARD_BYTES", 2 * Q * 40 * 4)
    made = [segment("a", "test"), segment("b", first=3), segment("a2", "validation")]
    made += [segment("b", first=6, frames=25)]
    manifest = write_store(tmp_path / "t", iter(made), codec=CODEC, frames=40)
    assert manifest["shard_entries"] == 4 and len(manifest["files"]) == 4
    assert manifest["codec"] == {"name": "foreign", "sha256": "", "config_sha256": ""}
    store = open_tokens(tmp_path / "t")
    store.verify()
    assert store.frame_rate == 12.5 and store.entries == 12
    for number, (part, n) in enumerate(itertools.product(made, range(3))):
        codes, own = store.codes(number), part.codes[n]
        np.testing.assert_array_equal(codes[:, : own.shape[1]], own)
        assert (codes[:, own.shape[1] :] == 0).all()
    train = store.index("train")
    assert train.songs == ("b",)
    np.testing.assert_array_equal(train.segment_frames, [40, 25])
    np.testing.assert_array_equal(train.draw_context, [3, 3, 4, 9, 9, 10])
    np.testing.assert_array_equal(train.draw_target, [4, 5, 5, 10, 11, 11])
    np.testing.assert_array_equal(train.draw_instrument, [4, 16, 16] * 2)
    np.testing.assert_array_equal(store.index("test").draw_context, [0, 0, 1])
    assert store.index("validation").songs == ("a2",)
    assert [p.name for p in tmp_path.iterdir()] == ["t"]


def test_crops_are_cut_at_the_stores_own_rate(tmp_path):
    assert crop_frames(SECOND, RATE, HOP) == 13  # ceil(12.5)
    assert crop_frames(PairConfig(crop_seconds=10), 44_100, 512) == 862
    assert crop_frames(PairConfig(crop_seconds=20), 32_000, 640) == 1_000
    write_store(tmp_path / "t", [segment("a"), segment("b")], codec=CODEC, frames=40)
    store = open_tokens(tmp_path / "t")
    settings = {"split": "train", "batch_size": 4, "seed": 1}
    starts = set()
    for step, batch in enumerate(
        itertools.islice(token_batches(store, SECOND, **settings), 12)
    ):
        assert batch["context_codes"].shape == (4, Q, 13)
        for row in range(4):
            d = token_draw(store.index("train"), 1, *divmod(4 * step + row, 2), SECOND)
            crop = slice(d.start, d.start + 13)
            starts.add(d.start)
            for name, entry in (("context", d.context), ("target", d.target)):
                expected = store.codes(entry)[:, crop]
                np.testing.assert_array_equal(batch[f"{name}_codes"][row], expected)
            assert batch["instrument"][row] == d.instrument
    assert min(starts) == 0 and max(starts) == 27  # every place but past the end


def test_levels_keep_silence_out(tmp_path):
    # 40 frames are 3.2 s; entry 2 sounds in the last 0.8 s alone
    levels = np.full((3, 32), -20.0)
    levels[2, :24] = -np.inf
    made = [segment("a", levels=levels)]
    write_store(tmp_path / "t", made, codec=CODEC, frames=50)
    store = open_tokens(tmp_path / "t")
    assert store.index_arrays["entry_rms"].shape == (3, 40)
    np.testing.assert_array_equal(
        store.index_arrays["entry_rms"][2, 20:36],
        [-1200] * 4 + [-200] * 8 + [-1200] * 4,
    )
    table = store.index("train")
    drawn = [token_draw(table, 0, epoch, 0, SECOND) for epoch in range(200)]
    late = [d for d in drawn if d.target == 2]
    assert len(late) > 20 and not any(d.is_fallback for d in late)
    # at least half of 1 s sounds: the crop ends past 2.4 + 0.5 s, frame 36.25
    assert min(d.start + d.frames for d in late) >= 36
    assert min(d.start for d in drawn if d.target == 1) < 5
    with pytest.raises(UserError, match=r"levels are \(3, 31\), not \(3, 32\)"):
        again = segment("a", levels=levels[:, 1:])
        write_store(tmp_path / "u", [again], codec=CODEC, frames=50)
    with pytest.raises(UserError, match="levels for every segment or for none"):
        write_store(tmp_path / "u", [*made, segment("b")], codec=CODEC, frames=50)


def test_short_segments_need_the_codes_of_silence(tmp_path):
    made = [segment("a", frames=40), segment("b", frames=9), segment("c", frames=6)]
    write_store(tmp_path / "t", made, codec=CODEC, frames=40)
    assert usable_tokens(
        open_tokens(tmp_path / "t").index("train"), SECOND
    ).segments == [0]
    silence = np.array([7, 8, 9])
    write_store(tmp_path / "u", made, codec=CODEC, frames=40, silence=silence)
    store = open_tokens(tmp_path / "u")
    # 9 of 13 frames sound, 6 do not suffice
    assert usable_tokens(store.index("train"), SECOND).segments.tolist() == [0, 1]
    np.testing.assert_array_equal(store.codes(3)[:, 9:], np.tile(silence, (31, 1)).T)


def test_evaluation_has_other_songs(tmp_path):
    made = [segment("a", "validation"), segment("b", "validation", first=3)]
    write_store(tmp_path / "t", made, codec=CODEC, frames=40)
    settings = {"split": "validation", "count": 4, "batch_size": 4, "seed": 0}
    (batch,) = token_eval_batches(open_tokens(tmp_path / "t"), SECOND, **settings)
    own, other = batch["context_codes"] // 300, batch["other_context_codes"] // 300
    assert (own != other).all() and batch["is_valid"].all()


def test_foreign_stores_mix_by_name_and_shape(tmp_path):
    other = StoreCodec("other", "", HOP, Q, V, RATE)
    slower = StoreCodec("foreign", "", 2 * HOP, Q, V, RATE)
    for name, codec in (("a", CODEC), ("b", CODEC), ("c", other), ("d", slower)):
        write_store(tmp_path / name, [segment("s")], codec=codec, frames=40)
    a, b, c, d = (open_tokens(tmp_path / name) for name in "abcd")
    settings = {"split": "train", "batch_size": 4, "seed": 0}
    batch = next(token_batches(Mixture((a, b), (1.0, 1.0)), SECOND, **settings))
    assert batch["target_codes"].shape == (4, Q, 13)
    for strange in (c, d):
        with pytest.raises(UserError, match="tokens of different codecs"):
            token_batches(Mixture((a, strange), (1.0, 1.0)), SECOND, **settings)


FAULTS = [
    ([segment("a", codes=[np.zeros((Q, 5))] * 3)], "song 'a'.*float64"),
    ([segment("a", codes=[np.zeros((2, 5), int)] * 3)], "not integers .3, T."),
    ([segment("a", codes=[np.full((Q, 5), V)] * 3)], "outside of the 1000"),
    ([segment("a", codes=[])], "codes of one shape"),
    ([segment("a", frames=41)], "holds .3, 1..40.: cut them"),
    ([segment("a"), segment("b", pairs=[])], "segment 1 .song 'b'.: no pair"),
    ([segment("a", pairs=[TokenPair(0, 3, 4)])], "pair .0, 3. must name two"),
    ([segment("a", pairs=[TokenPair(1, 1, 4)])], "pair .1, 1. must name two"),
    ([segment("a", pairs=[TokenPair(0, 1, 18)])], "instrument 18 must be in 0..17"),
    ([segment("a", split="dev")], "split 'dev' must be one of"),
    ([segment("a"), segment("a", "test")], "in train already"),
    ([], "no segment was given"),
]


@pytest.mark.parametrize(("made", "said"), FAULTS, ids=[said for _, said in FAULTS])
def test_faults_are_named_and_leave_nothing(made, said, tmp_path):
    with pytest.raises(UserError, match=said):
        write_store(tmp_path / "t", made, codec=CODEC, frames=40)
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_left_alone(tmp_path):
    with pytest.raises(UserError, match="exists: give a new folder"):
        write_store(tmp_path, [segment("a")], codec=CODEC, frames=40)
    with pytest.raises(UserError, match="codebook_size must be 1 or more"):
        StoreCodec("x", "", HOP, Q, 0, RATE)
    with pytest.raises(UserError, match="codes must fit 16 bits"):
        StoreCodec("x", "", HOP, Q, 2**16 + 1, RATE)
