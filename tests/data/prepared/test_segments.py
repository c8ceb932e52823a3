"""One song's audio as segments, levels and records, and the plan of the shards."""

import pathlib

import numpy as np
import pytest
import soundfile

from stemjax.data.layouts.song import Song, StemFile
from stemjax.data.prepared import segments
from stemjax.data.prepared.records import Encoding
from stemjax.data.prepared.segments import read_song, read_stem, segment_lengths
from stemjax.data.prepared.shards import MeasuredSong, Shard, plan_shards
from stemjax.io.errors import UserError
from tests.data.made_songs import sine, write_audio


def song_of(*paths):
    stems = tuple(StemFile(path.stem, 0, path) for path in paths)
    return Song("song", "song", "train", "folder", stems)


def test_stereo_at_another_rate_becomes_mono_at_32k(tmp_path):
    left = sine(2, peak=0.6, rate=44_100)
    right = sine(2, peak=0.2, rate=44_100)
    path = write_audio(tmp_path / "a.wav", np.stack([left, right], axis=1), 44_100)
    audio = read_stem(path)
    assert audio.shape == (64_000,) and audio.dtype == np.float32
    # The mean of two sines in phase.  Away from the ends, where soxr rings; 3e-5 is one
    # step of the 16-bit file, doubled.
    expected = sine(2, peak=0.4)
    np.testing.assert_allclose(audio[2000:-2000], expected[2000:-2000], atol=6e-5)


def test_a_file_at_32k_mono_comes_back_bit_for_bit(tmp_path):
    noise = np.random.default_rng(0).integers(-32768, 32768, 40_000).astype(np.int16)
    path = tmp_path / "a.flac"
    soundfile.write(path, noise, 32_000)
    np.testing.assert_array_equal(read_song(song_of(path)).stems[0], noise)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (3, [3]),
        (60, [60]),
        (61, [60]),  # a rest under 5 s is dropped ...
        (64.99, [60]),
        (65, [60, 5]),
        (120, [60, 60]),
        (130.5, [60, 60, 10.5]),
        (0.5, [0.5]),  # ... unless it is all there is
    ],
)
def test_segments_of_a_song(seconds, expected):
    assert segment_lengths(round(seconds * 32_000)) == [e * 32_000 for e in expected]


def test_shorter_stems_are_padded_and_over_a_second_is_said(tmp_path):
    a = write_audio(tmp_path / "a.wav", sine(4))
    b = write_audio(tmp_path / "b.wav", sine(3.1))
    c = write_audio(tmp_path / "c.wav", sine(2.5))
    near = read_song(song_of(a, b))
    assert near.stems.shape == (2, 128_000) and near.warnings == ()
    np.testing.assert_array_equal(near.stems[1, 99_200:], 0)
    np.testing.assert_array_equal(near.stems[1, :99_200], near.stems[0, :99_200])
    (warning,) = read_song(song_of(a, c)).warnings
    assert "c.wav ends 1.5 s before" in warning


def test_a_peak_over_one_scales_the_whole_song_and_keeps_the_balance(tmp_path):
    for name, peak in [("a", 1.6), ("b", 0.4)]:
        soundfile.write(tmp_path / f"{name}.wav", sine(2, peak=peak), 32_000, "FLOAT")
    audio = read_song(song_of(tmp_path / "a.wav", tmp_path / "b.wav"))
    assert audio.gain == pytest.approx(1 / 1.6, rel=1e-3)  # the sine's sampled peak
    peaks = np.abs(audio.stems.astype(int)).max(axis=1)
    assert peaks[0] in (32_767, 32_768) and peaks[1] == pytest.approx(8192, abs=1)
    assert "scaled" in audio.warnings[0]


def test_levels_follow_a_slow_twin():
    rng = np.random.default_rng(1)
    audio = (rng.normal(size=10_000) * np.linspace(0, 9000, 10_000)).astype(np.int16)
    audio[3200:6400] = 0
    tenths = segments.rms_tenths(audio)
    assert tenths.shape == (600,) and tenths.dtype == np.int16
    for frame in range(600):
        piece = [float(x) / 32768 for x in audio[frame * 3200 : (frame + 1) * 3200]]
        power = sum(x * x for x in piece) / 3200
        expected = -1200 if power == 0 else round(100 * np.log10(power))
        assert tenths[frame] == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda p: p.write_bytes(b"no audio"), "not an audio file"),
        (lambda p: soundfile.write(p, np.zeros(0), 32_000), "holds no samples"),
        (
            lambda p: soundfile.write(p, np.full(40_000, np.nan), 32_000, "FLOAT"),
            "holds NaN or Inf",
        ),
        (lambda p: soundfile.write(p, np.zeros(31_999), 32_000), "shorter than 1 s"),
    ],
)
def test_a_stem_that_cannot_be_used_is_named(tmp_path, content, message):
    content(tmp_path / "a.wav")
    with pytest.raises(UserError, match=message) as error:
        read_song(song_of(tmp_path / "a.wav"))
    assert str(tmp_path) in str(error.value)


# --- the plan ---------------------------------------------------------------------


def sized(number, split, records):
    song = Song(f"s{number}", "", split, "", ())
    return MeasuredSong(song, records, 10.0 * records, ())


def test_shards_hold_whole_songs_of_one_split_in_order():
    songs = [sized(n, "train", 5) for n in range(5)] + [sized(9, "test", 1)]
    shards = plan_shards(songs, Encoding.INT16, 8)
    names = [(shard.name, [one.song.id for one in shard.songs]) for shard in shards]
    assert names == [
        ("train-00000", ["s0", "s1"]),
        ("train-00001", ["s2", "s3"]),
        ("train-00002", ["s4"]),
        ("test-00000", ["s9"]),
    ]


@pytest.mark.parametrize(
    ("songs", "records", "shards"),
    # 64 shards of a middling set, at least 64 records, at most 398 (test_shards.py)
    [(10, 8, 2), (640, 32, 64), (640, 64, 107), (1000, 2048, 1000)],
)
def test_the_size_of_shards_follows_the_data_set(songs, records, shards):
    made = plan_shards(
        [sized(n, "train", records) for n in range(songs)], Encoding.INT16
    )
    assert len(made) == shards


def test_the_plan_of_a_shard_changes_with_what_it_is_made_from():
    def shard(encoding=Encoding.INT16, **more):
        song = Song("a", "a", "train", "x", (StemFile("b", 4, pathlib.Path("/x/b")),))
        return Shard(
            "train", 0, (MeasuredSong(song, 1, 10.0, (("b", 99),)),), encoding, **more
        )

    base = shard()
    other_path = Song("a", "a", "train", "x", (StemFile("b", 4, pathlib.Path("/y/b")),))
    moved = Shard(
        "train", 0, (MeasuredSong(other_path, 1, 10.0, (("b", 99),)),), Encoding.INT16
    )
    resized = Shard(
        "train",
        0,
        (MeasuredSong(base.songs[0].song, 1, 10.0, (("b", 98),)),),
        base.encoding,
    )
    assert base.plan == shard().plan == moved.plan  # the data set may be moved
    assert len({base.plan, shard(Encoding.FLAC).plan, resized.plan}) == 3
