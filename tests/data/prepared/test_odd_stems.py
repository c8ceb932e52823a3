"""Stems with false headers, odd samples and odd names: read, or their own song's fault."""

import os
import pathlib

import numpy as np
import soundfile

from stemjax.data.prepare import PrepareArgs, SongLayout, prepare
from stemjax.data.prepared.records import open_prepared
from tests.data.made_songs import plain_songs, sine
from tests.io.made_audio import encoded, with_flac_total, with_wav_field


def args_for(source, out):
    return PrepareArgs(input=source, out=out, layout=SongLayout.FOLDER, workers=1)


def test_odd_stems_are_read_or_end_their_own_song_alone(tmp_path):
    """Streamed and lying FLAC, no header, 1 Hz, huge peaks, a broken link."""
    source = plain_songs(tmp_path / "in", 8) / "train"
    audio = sine(3)
    flac = encoded("FLAC", "PCM_16", audio, 32_000)
    for song, total in enumerate((0, 2**36 - 1, 1)):
        (source / f"song_{song}/bass.flac").write_bytes(with_flac_total(flac, total))
        (source / f"song_{song}/bass.wav").unlink()
    wav = encoded("WAV", "PCM_16", audio, 32_000)
    (source / "song_3/bass.wav").write_bytes(with_wav_field(wav, 24, "<I", 1))
    (source / "song_4/bass.wav").write_bytes(audio.astype("<f4").tobytes())
    soundfile.write(source / "song_5/bass.wav", np.full(96_000, 3e38), 32_000, "FLOAT")
    (source / "song_6/bass.wav").unlink()
    (source / "song_6/bass.wav").symlink_to(tmp_path / "gone.wav")
    outcome = prepare(args_for(tmp_path / "in", tmp_path / "out"))
    reasons = {fault.song: fault.reason for fault in outcome.faults}
    words = {
        "song_3": "sample rate 1 Hz",
        "song_4": "not an audio file",
        "song_5": "peaks at 3e+38",
        "song_6": "a link to",
    }
    assert reasons.keys() == words.keys()
    for song, word in words.items():
        assert word in reasons[song] and "bass.wav" in reasons[song]
    prepared = open_prepared(tmp_path / "out")
    assert prepared.index("train").songs == ("song_0", "song_1", "song_2", "song_7")
    expected = np.rint(np.pad(audio, (0, 224_000)) * 32_768)
    for record in (0, 2, 4):  # the basses
        assert np.abs(prepared.read([record])[0] - expected).max() <= 1


def test_names_that_are_not_utf8_become_text(tmp_path):
    source = plain_songs(tmp_path / "in", 1) / "train"
    os.rename(source / "song_0/bass.wav", os.fsencode(source) + b"/song_0/ba\xdf.wav")
    os.rename(source / "song_0", os.fsencode(source) + b"/caf\xe9")
    for out in (b"out", b"\xfcber"):
        out = pathlib.Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + out))
        outcome = prepare(args_for(tmp_path / "in", out))
        assert not outcome.faults
        assert "ba\\udcdf.wav names no category" in outcome.warnings[0].reason
        prepared = open_prepared(out)
        assert prepared.index("train").songs == ("caf\\udce9",)
        assert prepared.read([0, 1]).shape == (2, 320_000)
