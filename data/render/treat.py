"""Equaliser, room and level of rendered stems.

Equaliser and room are linear and all stems of a song share the room, so the mix of the
treated stems equals that of a mixing desk with these channel strips.
"""

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_TAU = 2 * np.pi


@dataclasses.dataclass(frozen=True)
class EqualiserBand:
    """One band of an equaliser."""

    shape: "BandShape"
    hertz: float
    """Frequency of the peak, or of a shelf's middle."""
    gain_db: float
    q: float


@dataclasses.dataclass(frozen=True)
class Room:
    """A short reverberation: decaying noise after the direct sound."""

    seconds: float
    """Time until the tail has fallen by 60 dB, where it is cut."""
    wet_db: float
    """Energy of the tail relative to the direct sound."""
    delay: float
    """Seconds from the direct sound to the tail."""
    damping: float
    """Cutoff of the tail's one-pole low-pass in Hz."""
    seed: int
    """Seed of the noise."""


@dataclasses.dataclass(frozen=True)
class Strip:
    """Treatment of one stem."""

    gain_db: float = 0.0
    """Level relative to the common loudness."""
    bands: tuple[EqualiserBand, ...] = ()


@dataclasses.dataclass(frozen=True)
class Treatment:
    """Treatment of the stems of one song."""

    room: Room | None
    """None: dry."""
    strips: Mapping[int, Strip]
    """By program."""

    def as_dict(self) -> dict[str, Any]:
        """Content of metadata.yaml, equal after writing and reading."""
        strips = {
            stem: {
                "gain_db": strip.gain_db,
                "bands": [
                    dataclasses.asdict(band) | {"shape": band.shape.label}
                    for band in strip.bands
                ],
            }
            for stem, strip in self.strips.items()
        }
        return {
            "room": dataclasses.asdict(self.room) if self.room else None,
            "stems": strips,
        }

    def gains_db(self) -> dict[int, float]:
        """Level of each stem relative to the common loudness."""
        return {stem: strip.gain_db for stem, strip in self.strips.items()}


def _peak(cosine: float, alpha: float, a: float) -> tuple[list[float], list[float]]:
    return (
        [1 + alpha * a, -2 * cosine, 1 - alpha * a],
        [1 + alpha / a, -2 * cosine, 1 - alpha / a],
    )


def _low_shelf(cosine: float, alpha: float, a: float) -> tuple[list, list]:
    edge = 2 * np.sqrt(a) * alpha
    up, down = a + 1, a - 1
    return (
        [
            a * (up - down * cosine + edge),
            2 * a * (down - up * cosine),
            a * (up - down * cosine - edge),
        ],
        [
            up + down * cosine + edge,
            -2 * (down + up * cosine),
            up + down * cosine - edge,
        ],
    )


def _high_shelf(cosine: float, alpha: float, a: float) -> tuple[list, list]:
    """A gain on everything, undone below by a low shelf."""
    b, denominator = _low_shelf(cosine, alpha, 1 / a)
    return [a * a * value for value in b], denominator


class BandShape(enum.Enum):
    """Shapes of a band: label, and function of the coefficients."""

    LOW_SHELF = ("low-shelf", _low_shelf)
    PEAK = ("peak", _peak)
    HIGH_SHELF = ("high-shelf", _high_shelf)

    def __init__(self, label: str, coefficients):
        self.label = label
        self.coefficients = coefficients


def biquad(band: EqualiserBand, sample_rate: int) -> np.ndarray:
    """A band as a second-order section [6]: b0, b1, b2, 1, a1, a2.

    R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients".
    """
    angle = _TAU * band.hertz / sample_rate
    alpha = np.sin(angle) / (2 * band.q)
    b, a = band.shape.coefficients(np.cos(angle), alpha, 10 ** (band.gain_db / 40))
    return np.array([*b, *a]) / a[0]


def equalise(
    audio: np.ndarray, bands: Sequence[EqualiserBand], sample_rate: int
) -> np.ndarray:
    """Filter float32 [N] with the bands, one after another."""
    from scipy.signal import sosfilt

    if not bands:
        return audio
    sections = np.stack([biquad(band, sample_rate) for band in bands])
    return sosfilt(sections, audio.astype(np.float64)).astype(np.float32)


def impulse_response(room: Room, sample_rate: int) -> np.ndarray:
    """Impulse response of a room, float32 [N]: 1 at time 0, then the tail.

    The tail's energy is 10 ** (wet_db / 10); its envelope falls 60 dB in `seconds`.
    """
    from scipy.signal import lfilter

    count = max(round(room.seconds * sample_rate), 1)
    noise = np.random.default_rng(room.seed).standard_normal(count)
    pole = np.exp(-_TAU * room.damping / sample_rate)
    dull = lfilter([1 - pole], [1, -pole], noise)
    tail = dull * 10 ** (-3 * np.arange(count) / count)
    tail *= 10 ** (room.wet_db / 20) / np.sqrt(np.sum(tail**2))
    start = max(round(room.delay * sample_rate), 1)
    response = np.zeros(start + count, np.float32)
    response[0] = 1
    response[start:] = tail
    return response


def in_room(audio: np.ndarray, room: Room, sample_rate: int) -> np.ndarray:
    """Convolve float32 [N] with a room, cut to [N]."""
    from scipy.signal import oaconvolve

    response = impulse_response(room, sample_rate)
    return oaconvolve(audio, response)[: len(audio)].astype(np.float32)


def treat(
    raw: dict[int, np.ndarray], treatment: Treatment, sample_rate: int
) -> dict[int, np.ndarray]:
    """Apply equaliser and room to every stem, float32 [N] each; levels are set later."""
    treated = {}
    for stem, audio in raw.items():
        audio = equalise(audio, treatment.strips[stem].bands, sample_rate)
        if treatment.room:
            audio = in_room(audio, treatment.room, sample_rate)
        treated[stem] = audio
    return treated
