"""Audio files of every format: equal bytes, the samples back, channels, bad names."""

import numpy as np
import pytest
import soundfile

from stemjax.io.audio_files import formats as audio_formats
from stemjax.io.audio_files.formats import AudioFormat, check_format, write_audio
from stemjax.io.errors import UserError

RATE = 32_000


def pulse(seconds, frequency=220.0):
    """A note every half second."""
    time = np.arange(int(seconds * RATE)) / RATE
    notes = np.sin(2 * np.pi * frequency * time) * np.exp(-6 * (time % 0.5))
    return (0.4 * notes).astype(np.float32)


def test_vorbis_has_the_same_bytes_and_its_checksums_hold(tmp_path):
    audio = pulse(3)
    files = [tmp_path / f"{k}.ogg" for k in range(2)]
    for file in files:
        write_audio(file, audio, RATE)
    assert files[0].read_bytes() == files[1].read_bytes()
    heard, rate = soundfile.read(files[0])
    assert rate == RATE and len(heard) == len(audio)
    assert np.corrcoef(heard, audio)[0, 1] > 0.95
    loud = tmp_path / "loud.ogg"
    write_audio(loud, 10 * audio, RATE)
    assert 0.8 < np.abs(soundfile.read(loud)[0]).max() < 1.2


def test_the_checksum_is_that_of_ogg(tmp_path):
    """libsndfile's own pages: what it wrote is what is computed."""
    path = tmp_path / "x.ogg"
    soundfile.write(path, pulse(1), RATE, format="OGG", subtype="VORBIS")
    page = bytearray(path.read_bytes()[:58])  # the first: one segment of 30 bytes
    written = int.from_bytes(page[audio_formats.CHECKSUM], "little")
    page[audio_formats.CHECKSUM] = bytes(4)
    assert audio_formats.checksum(bytes(page)) == written != 0
    with pytest.raises(ValueError, match="no Ogg page"):
        audio_formats.with_serial(b"RIFF" + bytes(60), 1)


@pytest.mark.parametrize("kind", AudioFormat)
def test_every_format_keeps_length_channels_and_sound(kind, tmp_path):
    left, right = pulse(2), pulse(2, 330.0)
    audio = np.stack([left, right], axis=1)
    files = [tmp_path / f"{k}.{kind.value}" for k in range(2)]
    for file in files:
        write_audio(file, audio, RATE)
    assert files[0].read_bytes() == files[1].read_bytes()
    heard, rate = soundfile.read(files[0], dtype="float32")
    assert rate == RATE and heard.shape[1] == 2
    assert len(heard) == len(audio) or kind is AudioFormat.MP3
    for channel in range(2):
        # lossless: a 24-bit step at most; the others keep the waveform, MP3 with a delay
        pair = heard[: len(audio), channel], audio[: len(heard), channel]
        if kind in (AudioFormat.WAV, AudioFormat.FLAC):
            np.testing.assert_allclose(*pair, atol=2.0**-23)
        elif kind is AudioFormat.OGG:
            assert np.corrcoef(*pair)[0, 1] > 0.95
        else:
            lags = np.correlate(pair[0][:20_000], pair[1][:20_000], "full")
            assert lags.max() > 0.9 * np.sum(pair[1][:20_000] ** 2)
    write_audio(files[1], left, RATE)
    assert soundfile.info(files[1]).channels == 1


def test_what_is_too_loud_is_clipped_or_turned_down(tmp_path):
    loud = 4 * pulse(1)
    write_audio(tmp_path / "a.flac", loud, RATE)
    heard, _ = soundfile.read(tmp_path / "a.flac")
    np.testing.assert_allclose(heard, np.clip(loud, -1, 1), atol=2.0**-22)
    write_audio(tmp_path / "a.wav", loud, RATE)
    np.testing.assert_array_equal(
        soundfile.read(tmp_path / "a.wav", dtype="float32")[0], loud
    )


@pytest.mark.parametrize(
    ("kind", "channels", "rate", "holds"),
    [
        ("wav", 64, 768_000, True),
        ("flac", 8, 44_100, True),
        ("flac", 9, 44_100, False),
        ("flac", 2, 768_000, False),
        ("mp3", 2, 48_000, True),
        ("mp3", 2, 96_000, False),
        ("mp3", 2, 4_000, False),
        ("mp3", 3, 44_100, False),
        ("mp3", 6, 44_100, False),
        ("ogg", 6, 44_100, True),
        ("ogg", 1, 200_000, True),
        ("ogg", 1, 200_001, False),  # the encoder itself would crash
    ],
)
def test_channels_and_rates_that_a_format_holds(kind, channels, rate, holds):
    if holds:
        check_format(AudioFormat(kind), channels, rate)
        return
    with pytest.raises(UserError, match=f"{kind} cannot hold {channels} channels at"):
        check_format(AudioFormat(kind), channels, rate)


def test_other_endings_and_rates_are_refused(tmp_path):
    with pytest.raises(UserError, match="x.aiff: unknown audio format; end the name"):
        write_audio(tmp_path / "x.aiff", pulse(1), RATE)
    with pytest.raises(UserError, match="x.mp3: mp3 cannot hold 1 channels at 31000"):
        write_audio(tmp_path / "x.mp3", pulse(1), 31_000)
    assert not list(tmp_path.iterdir())
