"""The whole analysis: a clip's facts whatever its batch, and what is not tonal."""

import numpy as np
import pytest

from stemjax.analysis import extract
from stemjax.analysis.analysis import NO_CHORD, NO_KEY, NO_METER
from stemjax.eval.selftest.synthetic import make_clip
from stemjax.io.errors import UserError


@pytest.fixture(scope="module")
def mixes():
    """A clip of music, silence, and white noise: [3, N]."""
    music = make_clip(3, 0).mix[: 8 * 16_000]
    noise = np.random.default_rng(0).normal(0, 0.1, len(music))
    return np.stack([music, np.zeros_like(music), noise]).astype(np.float32)


@pytest.fixture(scope="module")
def found(mixes):
    return extract.analyse_music(mixes)


def test_music_has_all_its_facts(found):
    music, truth = found[0], make_clip(3, 0).truth
    assert music.is_tonal and music.beats_per_bar in (3, 4)
    assert len(music.notes) > 20 and len(music.beats) >= 8
    wanted = {int(p) for _, _, p in truth.notes if p < 108}
    assert {int(p) for _, _, p in music.notes} <= wanted
    assert music.chords[0, 0] == 0 and music.chords[-1, 1] == 8.0
    assert music.percussive_density > 0


def test_silence_and_noise_have_no_pitches(found):
    for clip in found[1:]:
        assert not clip.is_tonal and clip.key == NO_KEY and len(clip.notes) == 0
        np.testing.assert_array_equal(clip.chords, [[0, 8, NO_CHORD]])
    silence = found[1]
    assert len(silence.beats) == 0 and silence.beats_per_bar == NO_METER
    assert silence.percussive_density == 0


def test_a_clip_does_not_depend_on_its_batch(mixes, found):
    alone = extract.analyse_music(mixes[[1, 2, 0]])[2]
    for a, b in zip(alone, found[0], strict=True):
        np.testing.assert_array_equal(a, b)


def test_basic_pitch_asks_for_its_packages(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install --no-deps basic-pitch"):
        extract.basic_pitch_analyser()
