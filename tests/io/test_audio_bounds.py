"""Bounds of every recording: types, shapes, rates, peaks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemjax.io.audio_files.bounds import check_audio, to_float32
from stemjax.io.errors import UserError

RATE = 32_000
REAL = [0.0, 0.25, -0.5, 0.75]


@pytest.mark.parametrize(
    ("kind", "samples"),
    [
        ("int8", [0, 32, -64, 96]),
        ("uint8", [128, 160, 64, 224]),
        ("int16", [0, 8192, -16384, 24576]),
        (">i2", [0, 8192, -16384, 24576]),
        ("int32", [0, 2**29, -(2**30), 3 * 2**29]),
        ("float16", REAL),
        ("float32", REAL),
        (">f4", REAL),
        ("float64", REAL),
    ],
)
def test_samples_are_scaled_by_their_type(kind, samples):
    audio = check_audio(np.array(samples, kind), RATE, name="x")
    assert audio.dtype == np.float32 and audio.shape == (4, 1)
    np.testing.assert_array_equal(audio[:, 0], REAL)


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "int32"])
def test_the_ends_of_pcm_are_full_scale(kind):
    ends = np.iinfo(kind)
    audio = to_float32(np.array([ends.min, ends.max], kind), name="x")
    assert audio[0] == -1.0 and 0.99 < audio[1] <= 1.0


@pytest.mark.parametrize(
    "audio",
    [
        *(np.zeros(RATE, kind) for kind in ("int64", "uint16", "uint32", "bool")),
        *(np.zeros(RATE, kind) for kind in ("complex64", "object", "U4", "M8[s]")),
        *([0] * RATE, "silence", None, [[0.0], [0.0, 1.0]], {0.5}),
    ],
)
def test_other_types_are_refused(audio):
    with pytest.raises(UserError, match=r"^x: (samples of type|not an array)"):
        check_audio(audio, RATE, name="x")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((), r"must be \[N\] or \[N, C\], got \(\)"),
        ((0,), "no samples"),
        ((0, 2), "no samples"),
        ((8, 0), "0 channels"),
        ((2, 8000), "8000 channels, at most 64; give audio .N, C. with time first"),
        ((1, 8000, 2), "must be"),
    ],
)
def test_shapes(shape, message):
    with pytest.raises(UserError, match=message):
        check_audio(np.full(shape, 0.1, np.float32), RATE, name="x")


@pytest.mark.parametrize(
    "rate",
    [0, 1, -1, 3_999, 768_001, 4e9, 44_100.5, np.nan, np.inf, None, "44100", 1j, True],
)
def test_false_rates_are_refused(rate):
    with pytest.raises(UserError, match="x: sample rate .* Hz, must be 4000 to 768000"):
        check_audio(np.full(8, 0.1), rate, name="x")


@pytest.mark.parametrize("rate", [4_000, 768_000, 44_100.0, np.int32(8_000)])
def test_true_rates_are_taken(rate):
    assert check_audio(np.full(8, 0.1), rate, name="x").shape == (8, 1)


def test_a_recording_of_more_than_two_hours_is_refused():
    audio = np.lib.stride_tricks.as_strided(np.zeros(1), (7201 * 4_000,), (0,))
    with pytest.raises(UserError, match="x: longer than 7200 s"):
        check_audio(audio, 4_000, name="x")


@pytest.mark.parametrize(
    ("peak", "message"),
    [
        (np.nan, "NaN or Inf"),
        (np.inf, "NaN or Inf"),
        (-np.inf, "NaN or Inf"),
        (3e38, "peaks at 3e.38, at most 100"),
        (-1e300, "peaks at 1e.300, at most 100"),
        (1e30, "peaks at"),
        (100.01, "peaks at 100, at most 100"),
        (-32_768.0, "peaks at 3.28e.04"),
    ],
)
def test_peaks_that_no_audio_has_are_refused(peak, message):
    audio = np.zeros((RATE, 2))
    audio[5, 1] = peak
    with pytest.raises(UserError, match=message):
        check_audio(audio, RATE, name="x")


def test_the_channels_count_before_they_cancel():
    with pytest.raises(UserError, match="peaks at 3e"):
        check_audio(np.full((RATE, 2), [3e38, -3e38]), RATE, name="x")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.floats(allow_nan=False, width=64), st.integers(1, 3))
def test_what_passes_is_within_bounds_or_silent(value, channels):
    try:
        audio = check_audio(np.full((10, channels), value), RATE, name="x")
    except UserError:
        assert not abs(value) <= 100
        return
    assert abs(value) <= 100 and audio.shape == (10, channels)
    expected = np.float32(value) if abs(value) >= 1e-6 else 0.0
    np.testing.assert_array_equal(audio, expected)
