"""The set made in memory: the same each time, and a context that informs."""

import numpy as np
import pytest

from stemjax.data.prepared.segments import RECORD_SAMPLES, SAMPLE_RATE
from stemjax.data.prepared.synthetic import (
    Sheet,
    SyntheticSet,
    bass_line,
    comping,
    song,
)
from stemjax.io.errors import UserError


@pytest.fixture(scope="module")
def made():
    return SyntheticSet(0, songs=(3, 1, 1), seconds=11.0)


def test_a_seed_fixes_the_set(made):
    again = SyntheticSet(0, songs=(3, 1, 1), seconds=11.0)
    other = SyntheticSet(1, songs=(3, 1, 1), seconds=11.0)
    assert made.content_hash == again.content_hash != other.content_hash
    first = made.index("train").stem_record[:1]
    np.testing.assert_array_equal(made.read(first), again.read(first))


def test_records_and_tables_agree(made):
    for split, count in (("train", 3), ("validation", 1), ("test", 1)):
        table = made.index(split)
        assert len(table.songs) == count
        np.testing.assert_array_equal(table.segment_samples, [352_000] * count)
        for segment in range(count):
            stems = range(*table.stem_offset[segment : segment + 2])
            assert len({int(table.stem_category[s]) for s in stems}) == len(stems) == 4
            for stem in stems:
                first = table.stem_record[stem]
                audio = made.read([first, first + 1])
                assert audio.shape == (2, RECORD_SAMPLES) and audio.dtype == np.int16
                audio = audio.ravel()
                assert not audio[352_000:].any()
                frames = audio[:352_000].reshape(110, 3_200) / 32_768
                with np.errstate(divide="ignore"):
                    level = 20 * np.log10(np.sqrt(np.mean(frames**2, axis=1)))
                # the table is rounded to 0.1 dB
                expected = np.maximum(level, -120)
                np.testing.assert_allclose(
                    table.stem_rms_db[stem, :110], expected, atol=0.051
                )
                assert (table.stem_rms_db[stem, 110:] == -120).all()
                # each stem sounds, and none all the time and loudly enough to clip
                assert np.mean(level > -60) > 0.4
    assert 4 * np.abs(made.read(range(8)).astype(int)).max() < 32_768


def test_songs_differ():
    first, second = (song(0, number, 64_000)[0] for number in range(2))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, song(0, 0, 64_000)[0])


def loudest_hertz(audio: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    return float(np.argmax(spectrum)) * SAMPLE_RATE / len(audio)


def test_stems_share_the_chord():
    sheet = Sheet(beat=0.5, key=220.0, chords=((0, 4, 7), (5, 9, 12)), seconds=4.0)
    assert [sheet.chord_at(t)[0] for t in (0.0, 0.99, 1.0, 1.99, 2.0)] == [
        0,
        0,
        5,
        5,
        0,
    ]

    class Roots:  # a generator whose pattern has no fifths
        def choice(self, options, size):
            return np.zeros(size, int)

    bass = bass_line(sheet, Roots())
    chords = comping(sheet, step=2.0, decay=5.0)
    for start, root in ((0, 0), (1, 5)):
        beat = slice(start * SAMPLE_RATE, start * SAMPLE_RATE + SAMPLE_RATE // 2)
        resolution = 2  # Hz, of half a second
        expected = 220 * 2 ** ((root - 12) / 12)
        assert abs(loudest_hertz(bass[beat]) - expected) <= resolution
        notes = [220 * 2 ** ((n + 12) / 12) for n in sheet.chord_at(start)]
        assert min(abs(loudest_hertz(chords[beat]) - n) for n in notes) <= resolution


def test_bad_requests_are_named(made):
    with pytest.raises(UserError, match="split 'training' must be one of"):
        made.index("training")
    with pytest.raises(UserError, match="up to 60 s, not 61 s"):
        SyntheticSet(0, seconds=61)
