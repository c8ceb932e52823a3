"""One song's stems as int16 segments of 60 s, 32 kHz mono (StemGen, sec. 3).

Reads, resamples, pads and cuts the files that a layout lists.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from stemjax.data.layouts.song import Song
from stemjax.io.audio import read_mono, resample
from stemjax.io.errors import UserError

SAMPLE_RATE = 32_000
SEGMENT_SECONDS = 60
RECORD_SECONDS = 10
RMS_SECONDS = 0.1
SEGMENT_SAMPLES = SEGMENT_SECONDS * SAMPLE_RATE
RECORD_SAMPLES = RECORD_SECONDS * SAMPLE_RATE
RMS_SAMPLES = round(RMS_SECONDS * SAMPLE_RATE)
RMS_FRAMES = SEGMENT_SAMPLES // RMS_SAMPLES
"""Frames of 0.1 s per segment."""
SILENCE_DB = -120.0
MIN_SONG_SECONDS = 1
MIN_TAIL_SECONDS = 5
"""A shorter remainder after the last whole segment is dropped."""
_MAX_DIFFERENCE_SECONDS = 1


@dataclasses.dataclass(frozen=True)
class SongAudio:
    """All stems of a song, equally long."""

    stems: np.ndarray
    """[S, N] int16 at 32 kHz."""
    gain: float
    """Common gain that brings every stem within int16; 1 unless a peak exceeds 1."""
    warnings: tuple[str, ...]
    """Remarks on stems that were padded or scaled."""


def read_song(song: Song) -> SongAudio:
    """Read and align the stems of a song; shorter ones are zero-padded.

    Raises:
      UserError: a stem that cannot be used, naming its file.
    """
    gain = 1.0
    while True:
        stems, peak = [], 0.0
        for stem in song.stems:
            audio = _read_sum(stem.files) * np.float32(gain)
            peak = max(peak, float(np.abs(audio).max()))
            stems.append(_to_int16(audio))
        if peak <= 1 or gain < 1:
            break
        # One gain keeps the stems' balance. It is rare, so a second pass reads again.
        gain = 1 / peak
    lengths = [len(stem) for stem in stems]
    samples = max(lengths)
    if samples < MIN_SONG_SECONDS * SAMPLE_RATE:
        raise UserError(f"{song.stems[0].path.parent}: shorter than 1 s")
    padded = np.zeros((len(stems), samples), np.int16)
    for row, stem in zip(padded, stems, strict=True):
        row[: len(stem)] = stem
    warnings = []
    if samples - min(lengths) > _MAX_DIFFERENCE_SECONDS * SAMPLE_RATE:
        shortest = song.stems[int(np.argmin(lengths))]
        missing = (samples - min(lengths)) / SAMPLE_RATE
        warnings.append(
            f"{shortest.path.name} ends {missing:.1f} s before the longest stem: padded"
        )
    if gain < 1:
        warnings.append(f"stems peak at {1 / gain:.2f}: all scaled by {gain:.3f}")
    return SongAudio(padded, gain, tuple(warnings))


def _read_sum(paths: Sequence[Path]) -> np.ndarray:
    """Sum of a stem's files, float32 [N], cut to the shortest."""
    total = read_stem(paths[0])
    for path in paths[1:]:
        part = read_stem(path)
        samples = min(len(total), len(part))
        total = total[:samples] + part[:samples]
    return total


def read_stem(path: Path) -> np.ndarray:
    """A stem as mono float32 [N] at 32 kHz (channel mean, then soxr HQ).

    Raises:
      UserError: not audio, empty, or out of the bounds of every recording.
    """
    mono, rate = read_mono(path)
    return resample(mono, rate, SAMPLE_RATE)


def samples_at_32k(frames: int, rate: int) -> int:
    """Length at 32 kHz of a recording of `frames` samples at `rate` Hz."""
    return round(frames * SAMPLE_RATE / rate)


def segment_lengths(samples: int) -> list[int]:
    """Lengths of a song's segments in samples: whole ones, then the remainder.

    A remainder under 5 s is dropped unless the song has no whole segment.
    """
    whole, rest = divmod(samples, SEGMENT_SAMPLES)
    keeps_rest = rest >= MIN_TAIL_SECONDS * SAMPLE_RATE or not whole
    return [SEGMENT_SAMPLES] * whole + [rest] * (keeps_rest and rest > 0)


def records_in(samples: int) -> int:
    """Number of records of one stem of a segment; the last one is zero-padded."""
    return -(-samples // RECORD_SAMPLES)


def records_of(segment: np.ndarray) -> Iterator[np.ndarray]:
    """Cut int16 [N] into records [320000]; the last one is zero-padded."""
    for start in range(0, len(segment), RECORD_SAMPLES):
        record = segment[start : start + RECORD_SAMPLES]
        yield np.pad(record, (0, RECORD_SAMPLES - len(record)))


def rms_tenths(segment: np.ndarray) -> np.ndarray:
    """RMS per 0.1 s of int16 [N] as int16 [600] in tenths of dB re full scale.

    -1200 (-120 dB) for digital silence and past the end; a shorter last frame is measured
    as if zero-padded.
    """
    frames = np.zeros(RMS_FRAMES * RMS_SAMPLES, np.float32)
    frames[: len(segment)] = segment
    frames /= 32768
    frames = frames.reshape(RMS_FRAMES, RMS_SAMPLES)
    power = np.mean(np.square(frames, dtype=np.float64), axis=1)
    level = 10 * np.log10(np.maximum(power, 10 ** (SILENCE_DB / 10)))
    return np.round(10 * level).astype(np.int16)


def _to_int16(audio: np.ndarray) -> np.ndarray:
    """float32 [-1, 1] to int16; samples of a 16-bit FLAC keep their bits."""
    return np.clip(np.rint(audio * 32768), -32768, 32767).astype(np.int16)
