"""Equaliser, room and level of stems against closed forms."""

import numpy as np
import pytest
from scipy.signal import sosfreqz

from stemjax.data.render.levels import level_stems, loudness_lufs
from stemjax.data.render.treat import (
    Band,
    Room,
    Shape,
    Strip,
    Treatment,
    biquad,
    equalise,
    impulse_response,
    in_room,
    treat,
)

RATE = 32_000
NOISE = np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32) * 0.1


def gain_db(band: Band, hertz: float) -> float:
    _, response = sosfreqz(biquad(band, RATE)[None], [hertz], fs=RATE)
    return float(20 * np.log10(np.abs(response[0])))


@pytest.mark.parametrize("shape", list(Shape))
def test_a_band_of_0_db_is_no_filter(shape):
    section = biquad(Band(shape, 700.0, 0.0, 0.9), RATE)
    np.testing.assert_allclose(section[:3], section[3:], atol=1e-15)
    same = equalise(NOISE, [Band(shape, 700.0, 0.0, 0.9)], RATE)
    np.testing.assert_allclose(same, NOISE, atol=1e-7)  # float32


@pytest.mark.parametrize("gain", [-4.0, 2.5])
@pytest.mark.parametrize(
    ("shape", "low", "middle", "high"),  # shares of the gain in dB
    [
        (Shape.LOW_SHELF, 1.0, 0.5, 0.0),
        (Shape.PEAK, 0.0, 1.0, 0.0),
        (Shape.HIGH_SHELF, 0.0, 0.5, 1.0),
    ],
)
def test_a_band_has_its_gain_where_its_shape_says(shape, low, middle, high, gain):
    """Exact at 0 Hz, at the middle and at half the rate (the cookbook's design)."""
    band = Band(shape, 1000.0, gain, 0.8)
    found = [gain_db(band, hertz) for hertz in (0.0, 1000.0, RATE / 2)]
    wanted = [gain * share for share in (low, middle, high)]
    assert found == pytest.approx(wanted, abs=1e-9)


def test_bands_add_up_and_leave_the_input_alone():
    bands = [Band(Shape.PEAK, 440.0, 3.0, 1.0), Band(Shape.PEAK, 440.0, -1.0, 1.0)]
    t = np.arange(RATE) / RATE
    sine = np.sin(2 * np.pi * 440 * t).astype(np.float32)
    before = sine.copy()
    out = equalise(sine, bands, RATE)
    np.testing.assert_array_equal(sine, before)
    settled = slice(RATE // 2, None)
    rise = 20 * np.log10(np.std(out[settled]) / np.std(sine[settled]))
    assert rise == pytest.approx(2.0, abs=1e-3)
    assert equalise(sine, (), RATE) is sine


ROOM = Room(seconds=0.5, wet_db=-18.0, delay=0.01, damping=6000.0, seed=3)


def test_a_room_has_the_energy_and_the_decay_it_says():
    response = impulse_response(ROOM, RATE)
    assert len(response) == 320 + 16_000
    assert response[0] == 1 and not response[1:320].any()
    tail = response[320:].astype(np.float64)
    assert np.sum(tail**2) == pytest.approx(10**-1.8, rel=1e-6)
    # Energy per quarter: the envelope falls by 15 dB from one to the next.
    levels = 10 * np.log10(np.sum(tail.reshape(4, -1) ** 2, axis=1))
    assert np.diff(levels) == pytest.approx([-15.0] * 3, abs=1.0)  # 4000 samples each
    # The one pole's response at 6 kHz against 0 Hz, in bands of 1 kHz (2 Hz a bin).
    power = np.abs(np.fft.rfft(tail)) ** 2
    pole = np.exp(-2 * np.pi * 6000 / RATE)
    cosine = np.cos(2 * np.pi * 6000 / RATE)
    wanted = (1 - pole) ** 2 / (1 - 2 * pole * cosine + pole**2)
    found = power[2750:3250].sum() / power[:500].sum()
    assert found == pytest.approx(wanted, abs=0.15)


def test_a_room_adds_its_share_of_energy_and_keeps_the_length():
    out = in_room(NOISE, ROOM, RATE)
    assert (out.shape, out.dtype) == (NOISE.shape, np.float32)
    added = np.sum((out - NOISE).astype(np.float64) ** 2)
    share = added / np.sum(NOISE.astype(np.float64) ** 2)
    assert 10 * np.log10(share) == pytest.approx(-18.0, abs=0.7)  # the end is cut off
    slow = np.convolve(NOISE, impulse_response(ROOM, RATE))[: len(NOISE)]
    np.testing.assert_allclose(out, slow, atol=1e-6)
    other = impulse_response(Room(0.5, -18.0, 0.01, 6000.0, seed=4), RATE)
    assert not np.allclose(other, impulse_response(ROOM, RATE))


def test_stems_share_the_room():
    """Treating is linear: the room of the sum is the sum of the rooms."""
    stems = {0: NOISE, 40: np.roll(NOISE, 777)}
    room_alone = Treatment(ROOM, {0: Strip(), 40: Strip()})
    treated = treat(stems, room_alone, RATE)
    together = in_room(stems[0] + stems[40], ROOM, RATE)
    np.testing.assert_allclose(treated[0] + treated[40], together, atol=1e-6)
    dry = treat(stems, Treatment(None, {0: Strip(), 40: Strip()}), RATE)
    np.testing.assert_array_equal(dry[40], stems[40])


def test_levels_move_stems_against_the_common_loudness():
    raw = {0: NOISE, 40: 0.01 * np.roll(NOISE, 777)}
    levelled = level_stems(raw, RATE, {0: 5.0, 40: -3.5})
    before_gain = {
        stem: loudness_lufs(audio / 32768, RATE) - 20 * np.log10(levelled.overall_gain)
        for stem, audio in levelled.stems.items()
    }
    # -13 LUFS and the gains; int16 noise
    assert before_gain == pytest.approx({0: -8.0, 40: -16.5}, abs=0.02)
    total = sum(audio.astype(np.int64) for audio in levelled.stems.values())
    np.testing.assert_array_equal(total, levelled.mix)


def test_a_treatment_is_written_in_plain_words():
    bands = (Band(Shape.HIGH_SHELF, 5000.0, -1.5, 0.707),)
    assert Treatment(ROOM, {33: Strip(2.5, bands)}).as_dict() == {
        "room": {
            "seconds": 0.5,
            "wet_db": -18.0,
            "delay": 0.01,
            "damping": 6000.0,
            "seed": 3,
        },
        "stems": {
            33: {
                "gain_db": 2.5,
                "bands": [
                    {
                        "shape": "high-shelf",
                        "hertz": 5000.0,
                        "gain_db": -1.5,
                        "q": 0.707,
                    }
                ],
            }
        },
    }
    assert Treatment(None, {}).as_dict() == {"room": None, "stems": {}}
