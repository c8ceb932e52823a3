"""Audio files whose headers say something else than they hold: what is heard of them."""

import os
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from stemjax.io.audio import read_audio, read_mono
from stemjax.io.audio_files import mp3, ogg
from stemjax.io.audio_files.stream import count_frames, read_header
from stemjax.io.errors import UserError
from tests.io.made_audio import (
    RATE,
    encoded,
    tone,
    with_flac_total,
    with_wav_field,
)

AUDIO = tone()
FLAC = encoded("FLAC", "PCM_16", AUDIO)
WAV = encoded("WAV", "PCM_16", AUDIO)
OGG = encoded("OGG", "VORBIS", AUDIO)
MP3 = encoded("MP3", "MPEG_LAYER_III", AUDIO)
DATA_SIZE = WAV.index(b"data") + 4
NUMBER_OF_CHANNELS, RATE_FIELD, RIFF_SIZE = 22, 24, 4


def heard(tmp_path, content):
    path = tmp_path / "take.bin"
    path.write_bytes(content)
    return read_audio(path)[0]


@pytest.mark.parametrize("total", [0, 1, RATE - 1, RATE + 1, 10**6, 2**36 - 1])
def test_a_flac_is_read_to_its_end_whatever_its_header_says(tmp_path, total):
    whole = heard(tmp_path, FLAC)
    np.testing.assert_array_equal(heard(tmp_path, with_flac_total(FLAC, total)), whole)
    assert whole.shape == (RATE, 2)


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
@pytest.mark.parametrize("riff", [0, 0xFFFFFFFF])
def test_a_streamed_wav_is_read_to_its_end(tmp_path, size, riff):
    streamed = with_wav_field(WAV, DATA_SIZE, "<I", size)
    streamed = with_wav_field(streamed, RIFF_SIZE, "<I", riff)
    np.testing.assert_array_equal(heard(tmp_path, streamed), heard(tmp_path, WAV))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (with_wav_field(WAV, RATE_FIELD, "<I", 1), "sample rate 1 Hz, must be 4000"),
        (with_wav_field(WAV, RATE_FIELD, "<I", 0), "not an audio file, damaged"),
        (
            with_wav_field(WAV, RATE_FIELD, "<I", 4 * 10**9),
            "not an audio file, damaged",
        ),
        (with_wav_field(WAV, NUMBER_OF_CHANNELS, "<H", 0), "not an audio file"),
        (
            with_wav_field(WAV, NUMBER_OF_CHANNELS, "<H", 200),
            "200 channels, at most 64",
        ),
        (with_wav_field(WAV, DATA_SIZE, "<I", 1), "holds no samples"),
        (FLAC[: len(FLAC) // 2], "damaged"),
        (OGG[: len(OGG) // 2], "damaged"),
        (np.zeros(1000, "<f4").tobytes(), "not an audio file"),
        (b"", "not an audio file"),
    ],
)
def test_what_cannot_be_right_is_one_line(tmp_path, content, message):
    with pytest.raises(UserError, match=message) as error:
        heard(tmp_path, content)
    assert "take.bin" in str(error.value) and "\n" not in str(error.value)


def test_a_chain_of_ogg_is_read_whole(tmp_path):
    other = encoded("OGG", "VORBIS", AUDIO[: RATE // 2])
    assert len(ogg.recordings(OGG)) == 1
    assert ogg.recordings(OGG + other + OGG) == [OGG, other, OGG]
    expected = [heard(tmp_path, OGG), heard(tmp_path, other)]
    np.testing.assert_array_equal(
        heard(tmp_path, OGG + other), np.concatenate(expected)
    )
    slower = encoded("OGG", "VORBIS", AUDIO, 32_000)
    with pytest.raises(UserError, match="several recordings in one file, of 44100 Hz"):
        heard(tmp_path, OGG + slower)


def test_joined_mp3_is_read_whole(tmp_path):
    other = encoded("MP3", "MPEG_LAYER_III", AUDIO[: RATE // 2])
    tag = b"ID3\x03\x00\x00\x00\x00\x00\x0a" + bytes(10)
    assert mp3.recordings(MP3) == [MP3]
    expected = np.concatenate([heard(tmp_path, MP3), heard(tmp_path, other)])
    for between in (b"", tag, b"TAG" + bytes(125)):
        joined = heard(tmp_path, tag + MP3 + between + other)
        np.testing.assert_array_equal(joined, expected)


def test_mp3_of_variable_rate_without_a_count_is_read_whole(tmp_path):
    """The first frame is of 128 kbit/s, the rest of 32: libsndfile heard 0.18 s."""
    bare = MP3[mp3.frame_header(MP3, 0).size :]
    assert soundfile.info(tmp_path_file(tmp_path, bare)).frames < RATE / 2
    audio = heard(tmp_path, bare)
    assert RATE <= len(audio) <= RATE + 3 * 1152
    tag = MP3.index(b"Xing") + 8
    short = MP3[:tag] + struct.pack(">I", 2) + MP3[tag + 4 :]
    np.testing.assert_array_equal(heard(tmp_path, short), heard(tmp_path, MP3))


def tmp_path_file(tmp_path, content):
    path = tmp_path / "x.mp3"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("header", "size", "side"),
    [
        ("fffb9064", 417, 32),  # 128 kbit/s, 44.1 kHz
        ("fffbb2c4", 627, 17),  # mono, with padding
        ("fff384c4", 192, 9),  # MPEG 2: 64 kbit/s at 24 kHz, mono
        ("ffe38864", 576, 17),  # MPEG 2.5: 64 kbit/s at 8 kHz
        ("fff19064", None, None),  # AAC
        ("fffb0064", None, None),  # free format
        ("fffbfc64", None, None),
    ],
)
def test_headers_of_mp3_frames(header, size, side):
    found = mp3.frame_header(bytes.fromhex(header), 0)
    assert found == (None if size is None else (size, side))


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        *(("WAV", "FLOAT"), ("WAV", "PCM_24"), ("AIFF", "PCM_16"), ("W64", "PCM_16")),
        *(("RF64", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("CAF", "PCM_16")),
        *(("MP3", "MPEG_LAYER_III"), ("AU", "PCM_16"), ("OGG", "OPUS")),
    ],
)
def test_a_whole_file_gives_the_samples_of_libsndfile(tmp_path, kind, subtype):
    rate = 48_000 if subtype == "OPUS" else RATE
    path = tmp_path_file(tmp_path, encoded(kind, subtype, tone(3, 2, rate), rate))
    expected, _ = soundfile.read(path, dtype="float32")
    audio, heard_rate = read_audio(path)
    mono, _ = read_mono(path)
    assert heard_rate == rate and len(audio) > 2 * (1 << 16)  # several blocks
    np.testing.assert_array_equal(audio, expected)
    np.testing.assert_array_equal(mono, expected.mean(axis=1))
    assert read_header(path).frames == count_frames(path) == len(expected)


def test_an_incredible_length_is_counted(tmp_path):
    for total, frames in ((0, None), (2**36 - 1, None), (RATE, RATE)):
        path = tmp_path_file(tmp_path, with_flac_total(FLAC, total))
        assert read_header(path) == ("FLAC", 2, RATE, frames)
        assert count_frames(path) == RATE


def test_names_are_bytes_and_say_nothing(tmp_path):
    for name in (b"caf\xe9.wav", b"take.raw", b"x.flac", b"plain"):
        path = os.fsencode(tmp_path) + b"/" + name
        with open(path, "wb") as file:
            file.write(WAV)
        np.testing.assert_array_equal(
            read_audio(os.fsdecode(path))[0], heard(tmp_path, WAV)
        )
    link = tmp_path / "bass.wav"
    link.symlink_to(tmp_path / "gone.wav")
    with pytest.raises(UserError, match=r"bass\.wav: a link to .*gone\.wav, which is"):
        read_audio(link)


def test_a_recording_longer_than_allowed_is_not_decoded_further(tmp_path):
    path = tmp_path_file(tmp_path, with_flac_total(FLAC, 0))
    with pytest.raises(UserError, match="longer than 0.5 s; cut it"):
        read_audio(path, max_seconds=0.5)
    assert len(read_audio(path, max_seconds=1.0)[0]) == RATE


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.sampled_from([WAV, FLAC, OGG, MP3, encoded("AIFF", "PCM_16", AUDIO[:2000])]),
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=6),
    st.floats(0, 1),
)
def test_damaged_headers_give_audio_or_one_line(tmp_path_factory, file, bytes_, kept):
    content = bytearray(file[: max(1, round(kept * len(file)))])
    for place, value in bytes_:
        content[place % len(content)] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    try:
        audio, rate = read_audio(path)
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert audio.dtype == np.float32 and np.isfinite(audio).all()
        assert len(audio) and 4_000 <= rate <= 768_000
