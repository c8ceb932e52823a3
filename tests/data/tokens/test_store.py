"""Token stores: codes of the planned mixes, resumable, drawn like audio pairs."""

import itertools
import json
import shutil

import numpy as np
import pytest

from stemjax.config.runs import Loader
from stemjax.config.train import PairConfig
from stemjax.data.drawing.draw import usable
from stemjax.data.drawing.mixture import Mixture
from stemjax.data.prepared.segments import RMS_SAMPLES
from stemjax.data.prepared.synthetic import SyntheticSet
from stemjax.data.tokens.draw import usable_tokens
from stemjax.data.tokens.format import StoreCodec, hash_of
from stemjax.data.tokens.index import check_index
from stemjax.data.tokens.plan import mix_audio, stored_entries
from stemjax.data.tokens.store import open_tokens, token_batches, token_eval_batches
from stemjax.io.errors import UserError
from tests.data.tables import MemorySource, noise, token_draw
from tests.data.tokens.made_stores import SECOND, codes_of, encode, filled


@pytest.fixture(scope="module")
def songs():
    return SyntheticSet(0, songs=(4, 3, 1), seconds=5.0)


@pytest.fixture(scope="module")
def store(songs, tmp_path_factory):
    return filled(tmp_path_factory.mktemp("store") / "t", songs)


def test_codes_are_those_of_the_mixes(songs, store):
    entries = stored_entries(store)
    codes = codes_of(store)
    assert codes.shape == (len(entries), 2, 250) and codes.dtype == np.uint16
    for entry, own in zip(entries, codes, strict=True):
        np.testing.assert_array_equal(
            own, encode(mix_audio(songs, entry, 160_000)[None])[0]
        )
    unique = {(e.split, e.segment, frozenset(e.stems), e.gain) for e in entries}
    assert len(unique) == len(entries)


def test_pairs_keep_the_rules_of_draws(songs, store):
    entries = stored_entries(store)
    first = 0
    for split in ("train", "validation", "test"):
        table, audio = store.index(split), songs.index(split)
        assert table.songs == audio.songs
        assert len(table.segment_song) == len(usable(audio, SECOND).segments)
        np.testing.assert_array_equal(np.diff(table.draw_offset), 3)
        np.testing.assert_array_equal(table.segment_frames, 250)
        for pair in range(len(table.draw_context)):
            context = entries[table.draw_context[pair]]
            target = entries[table.draw_target[pair]]
            assert context.split == target.split == split
            assert context.segment == target.segment
            (stem,) = target.stems
            assert stem not in context.stems
            assert table.draw_instrument[pair] == audio.stem_category[stem]
            stems = range(*audio.stem_offset[target.segment : target.segment + 2])
            assert {*context.stems, stem} <= set(stems)
        first += len(table.segment_song)
    assert first == 8


def test_gains_are_common_and_part_of_the_codes(tmp_path):
    loud = [(c, noise(n, 3.0, peak=20_000)) for n, c in enumerate((-1, -1, 4))]
    source = MemorySource({"train": [loud]})
    store = filled(tmp_path / "t", source, draws_per_segment=12)
    entries = stored_entries(store)
    table = store.index("train")
    gains = set()
    for context, target in zip(table.draw_context, table.draw_target, strict=True):
        pair = entries[context], entries[target]
        sums = [sum(loud[s][1].astype(np.int64) for s in entry.stems) for entry in pair]
        gain = min(1.0, 32_767 / max(np.abs(s).max() for s in sums))
        assert pair[0].gain == pair[1].gain == pytest.approx(gain, rel=1e-4)
        gains.add(pair[0].gain)
        for entry, mix in zip((context, target), sums, strict=True):
            expected = np.round(mix * pair[0].gain).astype(np.int16)
            np.testing.assert_array_equal(store.codes(entry), encode(expected[None])[0])
    assert 1.0 in gains and min(gains) < 0.9
    # one target, at the gain of each context it goes with
    targets = {e.gain for e in entries if e.stems == (2,)}
    assert targets == gains


def test_levels_are_those_of_the_mixes(songs, store):
    for number, entry in enumerate(stored_entries(store)[:6]):
        frames = mix_audio(songs, entry).reshape(50, RMS_SAMPLES) / 32_768
        power = np.maximum(np.mean(frames**2, axis=1), 1e-12)
        table = store.index("train").entry_rms[number]
        # rounded to 0.1 dB
        np.testing.assert_allclose(table[:50] / 10, 10 * np.log10(power), atol=0.051)
        assert (table[50:] == -1200).all()


def test_batches_are_crops_of_the_mixes(songs, store):
    entries, table = stored_entries(store), store.index("train")
    settings = {"split": "train", "batch_size": 4, "seed": 2}
    batches = list(itertools.islice(token_batches(store, SECOND, **settings), 6))
    starts = set()
    for step, batch in enumerate(batches):
        assert batch["context_codes"].shape == (4, 2, 50)
        assert batch["context_codes"].dtype == batch["target_codes"].dtype == np.uint16
        for row in range(4):
            d = token_draw(table, 2, *divmod(4 * step + row, 4), SECOND)
            starts.add(d.start)
            assert batch["instrument"][row] == d.instrument
            for name, number in (("context", d.context), ("target", d.target)):
                audio = mix_audio(songs, entries[number])
                crop = audio[d.start * 640 : (d.start + 50) * 640]
                np.testing.assert_array_equal(
                    batch[f"{name}_codes"][row], encode(crop[None])[0]
                )
                level = table.entry_rms[number]
                window = level[
                    d.start * 640 // 3_200 : -(-(d.start + 50) * 640 // 3_200)
                ]
                assert d.is_fallback or np.mean(window > -600) >= 0.5
    assert len(starts) > 12 and max(starts) <= 200


@pytest.mark.parametrize(
    "loader", [Loader.NUMPY, pytest.param(Loader.TF, marks=pytest.mark.slow)]
)
def test_resume_processes_and_loaders_agree(store, loader):
    settings = {"split": "train", "batch_size": 4, "seed": 2}
    straight = list(itertools.islice(token_batches(store, SECOND, **settings), 4))
    resumed = next(
        token_batches(store, SECOND, **settings, start_step=3, loader=loader)
    )
    right = next(
        token_batches(
            store,
            SECOND,
            **settings,
            start_step=3,
            loader=loader,
            process_index=1,
            process_count=2,
        )
    )
    for name, array in straight[3].items():
        np.testing.assert_array_equal(resumed[name], array)
        np.testing.assert_array_equal(right[name], array[2:])


def test_an_epoch_visits_every_segment_once(store):
    table = store.index("train")
    seen = [token_draw(table, 0, 1, k, SECOND).segment for k in range(4)]
    assert sorted(seen) == [0, 1, 2, 3]


def test_evaluation_is_finite_and_has_other_songs(store):
    settings = {"split": "validation", "count": 5, "batch_size": 4, "seed": 0}
    batches = list(token_eval_batches(store, SECOND, **settings))
    assert [b["is_valid"].tolist() for b in batches] == [
        [True] * 4,
        [True] + [False] * 3,
    ]
    assert np.concatenate([b["row"] for b in batches]).tolist() == list(range(8))
    batch = batches[0]
    assert not np.array_equal(batch["other_context_codes"], batch["context_codes"])
    table, codes = store.index("validation"), codes_of(store)
    owner = store.index_arrays["entry_segment"]
    for row in range(4):
        other = batch["other_context_codes"][row]
        (found,) = [
            number
            for number in np.flatnonzero((owner >= 4) & (owner < 7))
            if any(
                np.array_equal(codes[number, :, s : s + 50], other) for s in range(201)
            )
        ]
        song = table.segment_song[owner[found] - 4]
        assert song != batch["song"][row]


@pytest.fixture
def copied(store, tmp_path):
    return shutil.copytree(store.folder, tmp_path / "copy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 1}, "has format 1, this version reads 2: make the folder again"),
        ({"kind": "prepared"}, "is of kind 'prepared', not 'tokens'"),
    ],
)
def test_other_manifests_are_refused(copied, change, message):
    path = copied / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UserError, match=message):
        open_tokens(copied)


def rewrite(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_changed_manifest_is_named(copied):
    for changes, said in (
        ({"frames": "many"}, 'field frames: expected an integer, got "many"'),
        ({"entries": 10**30}, "entries 1.*: give a whole number"),
        ({"files": {}}, "files are 0, not 2"),
        ({"codebook_size": 500}, "manifest.json: was changed since it was made"),
        ({"splits": 3}, "field splits: expected a table, got 3"),
        ({"mood": 1}, "field mood: unknown"),
    ):
        whole = (copied / "manifest.json").read_text()
        rewrite(copied, **changes)
        with pytest.raises(UserError, match=said):
            open_tokens(copied)
        (copied / "manifest.json").write_text(whole)


def test_a_store_of_an_earlier_version_is_read(copied, store):
    manifest = json.loads((copied / "manifest.json").read_text())
    del manifest["codec"]["config_sha256"]
    manifest["content_hash"] = hash_of(manifest, store.index_arrays)
    (copied / "manifest.json").write_text(json.dumps(manifest))
    old = open_tokens(copied)
    assert old.codec == store.codec
    np.testing.assert_array_equal(codes_of(old), codes_of(store))


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("draw_target", [10**6], "draw_target lies in"),
        ("draw_instrument", [18], "draw_instrument lies in"),
        ("segment_frames", [0], "segment_frames lies in 0.."),
        ("segment_song", [4], "segment_song is outside of the songs of train"),
        ("draw_offset", [1], "draw_offset does not rise from 0"),
        ("draw_context", [0.5], "draw_context is float64"),
        ("mood", [1], "unknown array 'mood'"),
    ],
)
def test_an_index_that_does_not_fit_is_named(store, name, array, said):
    arrays = dict(store.index_arrays)
    old = arrays.get(name, np.zeros(1, int))
    arrays[name] = np.concatenate([array, old[1:]])
    with pytest.raises(ValueError, match=said):
        check_index(store.manifest, arrays)
    arrays.pop(name)
    if name != "mood":
        with pytest.raises(ValueError, match=f"no array '{name}'"):
            check_index(store.manifest, arrays)


def test_codes_beyond_the_codebook_are_never_drawn(copied, monkeypatch):
    """In a store that is too large for its checksums to be compared at opening."""
    monkeypatch.setattr("stemjax.data.tokens.store.CHECKED_BYTES", 0)
    codes = np.memmap(copied / "codes-00000.bin", "<u2", mode="r+")
    codes[:] = 512
    codes.flush()
    store = open_tokens(copied)
    with pytest.raises(
        UserError, match="entry 0 holds the code 512, outside of the 512"
    ):
        store.codes(0)
    batches = token_batches(store, SECOND, split="train", batch_size=2, seed=0)
    with pytest.raises(UserError, match="codes-00000.bin: entry .* holds the code 512"):
        next(batches)
    with pytest.raises(UserError, match="codes-00000.bin is damaged"):
        store.verify()


def test_damage_is_found(copied):
    codes = copied / "codes-00000.bin"
    content = codes.read_bytes()
    codes.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match="codes-00000.bin is damaged"):
        open_tokens(copied)
    codes.write_bytes(content[:-2])
    with pytest.raises(UserError, match="codes-00000.bin is not whole"):
        open_tokens(copied)
    codes.unlink()
    with pytest.raises(UserError, match="codes-00000.bin is missing"):
        open_tokens(copied)


def test_stores_mix_when_their_codec_is_one(songs, store, tmp_path):
    other = SyntheticSet(9, songs=(2, 0, 0), seconds=4.0)
    same = filled(tmp_path / "a", other)
    settings = {"split": "train", "batch_size": 30, "seed": 0}
    batch = next(token_batches(Mixture((store, same), (1.0, 1.0)), SECOND, **settings))
    alone = next(token_batches(store, SECOND, **settings))
    is_same = (batch["target_codes"] == alone["target_codes"]).all(axis=(1, 2))
    assert 3 < is_same.sum() < 27  # 15 expected, standard deviation 2.7
    foreign = StoreCodec("other", "f" * 64, 640, 2, 512)
    strange = filled(tmp_path / "b", other, codec=foreign)
    with pytest.raises(UserError, match="tokens of different codecs"):
        token_batches(Mixture((store, strange), (1.0, 1.0)), SECOND, **settings)
    with pytest.raises(UserError, match="segments of 5 s: lower the crop's 20 s"):
        token_batches(store, PairConfig(), **settings)


def test_stored_pairs_without_a_sounding_crop_are_not_drawn(store):
    table = store.index("train")
    rms = table.entry_rms.copy()
    quiet = store.index_arrays["entry_segment"] == 1
    rms[quiet] = -1200
    changed = type(table)(**{**vars(table), "entry_rms": rms})
    assert usable_tokens(changed, SECOND).segments.tolist() == [0, 2, 3]
    drawn = {
        token_draw(changed, 0, e, k, SECOND).segment for e in (0, 1) for k in range(3)
    }
    assert drawn == {0, 2, 3}
