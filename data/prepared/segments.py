"""One song's stems as int16 segments of 60 s, 32 kHz mono (StemGen, sec. 3).

Between the layouts (paths) and the shards (records): reads, resamples, pads, cuts.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from stemjax.data.layouts.song import Song
from stemjax.io.errors import UserError

SAMPLE_RATE = 32_000
SEGMENT_SECONDS = 60
RECORD_SECONDS = 10
RMS_SECONDS = 0.1
SEGMENT_SAMPLES = SEGMENT_SECONDS * SAMPLE_RATE
RECORD_SAMPLES = RECORD_SECONDS * SAMPLE_RATE
RMS_SAMPLES = round(RMS_SECONDS * SAMPLE_RATE)
RMS_FRAMES = SEGMENT_SAMPLES // RMS_SAMPLES  # per segment
SILENCE_DB = -120.0
MIN_SONG_SECONDS = 1
MIN_TAIL_SECONDS = 5  # a shorter rest after the last whole segment is dropped
_MAX_DIFFERENCE_SECONDS = 1


@dataclasses.dataclass(frozen=True)
class SongAudio:
    """All stems of a song, equally long.

    stems: int16 [S, N] at 32 kHz.
    gain: the common gain that keeps every stem within int16; 1 unless a peak passes 1.
    warnings: what was odd but mended.
    """

    stems: np.ndarray
    gain: float
    warnings: tuple[str, ...]


def read_song(song: Song) -> SongAudio:
    """Read and align the stems of a song; shorter ones are zero-padded.

    Raises:
      UserError: a stem that cannot be used; the message names its file.
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
        # One gain for the song keeps the stems' balance; a second pass, as it is rare.
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
    """The files of a stem as one, float32 [N]: summed, cut to the shortest."""
    total = read_stem(paths[0])
    for path in paths[1:]:
        part = read_stem(path)
        samples = min(len(total), len(part))
        total = total[:samples] + part[:samples]
    return total


def read_stem(path: Path) -> np.ndarray:
    """A stem as mono float32 [N] at 32 kHz (channel mean, then soxr HQ).

    Raises:
      UserError: not audio, empty, or holding NaN or Inf.
    """
    import soundfile
    import soxr

    try:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise UserError(f"cannot read {path} ({error}): convert it again") from error
    if not len(audio):
        raise UserError(f"{path} holds no samples: export it again")
    if not np.isfinite(audio).all():
        raise UserError(f"{path} holds NaN or Inf samples: export it again")
    mono = np.ascontiguousarray(audio.mean(axis=1, dtype=np.float32))
    if rate == SAMPLE_RATE:
        return mono
    samples = samples_at_32k(len(mono), rate)
    mono = soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ")[:samples]
    return np.pad(mono, (0, samples - len(mono)))


def samples_at_32k(frames: int, rate: int) -> int:
    """Length of a recording of `frames` samples at `rate` Hz once at 32 kHz."""
    return round(frames * SAMPLE_RATE / rate)


def segment_lengths(samples: int) -> list[int]:
    """Lengths of a song's segments, in samples: whole ones, then the rest.

    A rest under 5 s is dropped unless it is all there is.
    """
    whole, rest = divmod(samples, SEGMENT_SAMPLES)
    keeps_rest = rest >= MIN_TAIL_SECONDS * SAMPLE_RATE or not whole
    return [SEGMENT_SAMPLES] * whole + [rest] * (keeps_rest and rest > 0)


def records_in(samples: int) -> int:
    """Records that one stem of a segment takes; the last one is zero-padded."""
    return -(-samples // RECORD_SAMPLES)


def records_of(segment: np.ndarray) -> Iterator[np.ndarray]:
    """Cut int16 [N] into records [320000]; the last one is zero-padded."""
    for start in range(0, len(segment), RECORD_SAMPLES):
        record = segment[start : start + RECORD_SAMPLES]
        yield np.pad(record, (0, RECORD_SAMPLES - len(record)))


def rms_tenths(segment: np.ndarray) -> np.ndarray:
    """RMS per 0.1 s of int16 [N] as int16 [600] in tenths of dB re full scale.

    -1200 (-120 dB) where digitally silent and past the end; a last, shorter frame is
    measured as if zero-padded.
    """
    frames = np.zeros(RMS_FRAMES * RMS_SAMPLES, np.float32)
    frames[: len(segment)] = segment
    frames /= 32768
    frames = frames.reshape(RMS_FRAMES, RMS_SAMPLES)
    power = np.mean(np.square(frames, dtype=np.float64), axis=1)
    level = 10 * np.log10(np.maximum(power, 10 ** (SILENCE_DB / 10)))
    return np.round(10 * level).astype(np.int16)


def _to_int16(audio: np.ndarray) -> np.ndarray:
    """float32 [-1, 1] to int16; a FLAC of 16 bits comes back bit for bit."""
    return np.clip(np.rint(audio * 32768), -32768, 32767).astype(np.int16)
