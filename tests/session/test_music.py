"""Tempo, metre and key: checks of values and an estimate of a known recording."""

import numpy as np
import pytest

from stemjax.io.errors import UserError
from stemjax.session.music import MusicInfo, check_music, estimate_music


def test_keys_are_spelled_in_one_way():
    for key in ("A:min", "A minor"):
        assert check_music(MusicInfo(key=key)).key == "A:min"
    assert check_music(MusicInfo(key="Bb major")).key == "A#:maj"
    assert check_music(MusicInfo()) == MusicInfo(None, None, None)


@pytest.mark.parametrize(
    ("music", "message"),
    [
        (MusicInfo(bpm=5.0), "--bpm 5: give 20 to 400 beats per minute"),
        (MusicInfo(bpm=500.0), "--bpm 500: give 20 to 400"),
        (MusicInfo(beats_per_bar=0), "--beats-per-bar 0: give 1 to 16"),
        (MusicInfo(beats_per_bar=17), "--beats-per-bar 17: give 1 to 16"),
        (MusicInfo(key="H"), "--key: 'H' is not a key"),
    ],
)
def test_impossible_values_are_errors(music, message):
    with pytest.raises(UserError, match=message):
        check_music(music)


def test_clicks_have_their_tempo_and_known_values_stay():
    """Clicks at 120 bpm and 32 kHz; the estimate is that of audio at 16 kHz."""
    rate = 32_000
    time = np.arange(8 * rate) / rate
    clicks = np.sin(2 * np.pi * 440 * time) * np.exp(-30 * (time % 0.5))
    known = MusicInfo(key="C:maj")
    music = estimate_music(clicks.astype(np.float32), rate, known)
    assert music.bpm == pytest.approx(120, rel=0.01)
    assert music.key == "C:maj"
    complete = MusicInfo(90.0, "C:maj", 3)
    assert estimate_music(clicks, rate, complete) is complete
