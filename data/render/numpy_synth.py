"""The synth that always works: sums of sines and noise, NumPy only.

It stands in where tinysoundfont or a soundfont is missing.  Families sound apart from
one another, programs within a family differ a little; nothing more is claimed.  Control
and pitch-bend events are not followed.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from stemjax.data.render.events import DRUM_PROGRAM, Event, Kind

_MAX_SECONDS = 12.0  # of one note
_NYQUIST_SHARE = 0.9  # partials above this share of Nyquist are left out


class Tone(NamedTuple):
    """A family's sound."""

    harmonics: tuple[float, ...]  # amplitudes of the partials
    attack: float  # seconds
    decay: float  # seconds to fall to 1/e while held; 0: sustained
    release: float  # seconds
    detune: float = 0.0  # second voice, as a share of the frequency
    stretch: float = 0.0  # inharmonicity: partial k is at k (1 + stretch k)
    noise: float = 0.0  # amplitude of breath or hiss


def _saw(count: int, slope: float = 1.0) -> tuple[float, ...]:
    return tuple(1 / k**slope for k in range(1, count + 1))


def _square(count: int) -> tuple[float, ...]:
    return tuple((k % 2) / k for k in range(1, count + 1))


_TONES = (
    Tone(_saw(10, 1.3), 0.004, 0.9, 0.15),  # piano
    Tone((1.0, 0.0, 0.0, 0.5, 0.0, 0.3), 0.002, 0.5, 0.5, stretch=0.02),  # chromatic
    Tone((1.0, 0.8, 0.5, 0.4, 0.0, 0.2, 0.0, 0.2), 0.01, 0.0, 0.05),  # organ
    Tone(_saw(14, 0.9), 0.003, 0.6, 0.08),  # guitar
    Tone(_saw(6, 1.2), 0.006, 1.2, 0.06),  # bass
    Tone(_saw(12), 0.08, 0.0, 0.15, detune=0.003),  # strings
    Tone(_saw(8, 1.2), 0.12, 0.0, 0.3, detune=0.006),  # ensemble
    Tone(_saw(12, 0.7), 0.04, 0.0, 0.08),  # brass
    Tone(_square(11), 0.03, 0.0, 0.06, noise=0.02),  # reed
    Tone((1.0, 0.2, 0.08), 0.05, 0.0, 0.08, noise=0.06),  # pipe
    Tone(_square(17), 0.005, 0.0, 0.05, detune=0.002),  # synth lead
    Tone(_saw(6, 1.4), 0.3, 0.0, 0.6, detune=0.008),  # synth pad
    Tone((1.0, 0.4, 0.6, 0.2, 0.5), 0.1, 1.5, 0.8, stretch=0.01, noise=0.03),  # fx
    Tone(_saw(18, 0.6), 0.002, 0.4, 0.1),  # ethnic
    Tone((1.0, 0.6, 0.4), 0.001, 0.08, 0.05, stretch=0.3, noise=0.2),  # percussive
    Tone((0.15,), 0.3, 0.0, 0.5, noise=1.0),  # sound effects
)


class Hit(NamedTuple):
    """A drum's sound: a falling tone and coloured noise."""

    start_hz: float
    end_hz: float
    tone: float  # amplitude
    noise: float  # amplitude
    decay: float  # seconds
    is_bright: bool = False  # noise without its low end


_KICK = Hit(140.0, 45.0, 1.0, 0.05, 0.12)
_SNARE = Hit(220.0, 170.0, 0.4, 0.7, 0.1)
_HAT = Hit(0.0, 0.0, 0.0, 0.5, 0.03, True)
_OPEN_HAT = Hit(0.0, 0.0, 0.0, 0.5, 0.2, True)
_CYMBAL = Hit(0.0, 0.0, 0.0, 0.6, 0.6, True)
_HITS = {35: _KICK, 36: _KICK, 37: _SNARE, 38: _SNARE, 39: _SNARE, 40: _SNARE}
_HITS |= {42: _HAT, 44: _HAT, 46: _OPEN_HAT, 49: _CYMBAL, 51: _CYMBAL, 57: _CYMBAL}


class NumpySynth:
    """Renders one stem after another."""

    name = "numpy"

    def __init__(self, sample_rate: int):
        self.sample_rate = sample_rate

    def render(
        self, events: Iterable[Event], seconds: float, stem: int | None
    ) -> np.ndarray:
        """One stem (None: all notes), mono float32 [N], N = seconds in samples."""
        out = np.zeros(int(np.ceil(seconds * self.sample_rate)), np.float32)
        for start, length, pitch, velocity, own in _notes(events, seconds):
            if stem is not None and own != stem:
                continue
            first = round(start * self.sample_rate)
            samples = max(1, round(min(length, _MAX_SECONDS) * 100))
            note = _render_note(own, pitch, samples / 100, self.sample_rate)
            part = out[first : first + len(note)]
            part += (velocity / 127) ** 2 * 0.1 * note[: len(part)]
        return out


def _notes(events: Iterable[Event], seconds: float):
    """(start, length, pitch, velocity, stem) of every note; open ones never end."""
    struck: dict[tuple[int, int], list[Event]] = {}
    for event in events:
        key = (event.channel, event.a)
        if event.kind is Kind.ON:
            struck.setdefault(key, []).append(event)
        elif event.kind is Kind.OFF and struck.get(key):
            on = struck[key].pop(0)
            yield on.seconds, event.seconds - on.seconds, on.a, on.b, on.stem
    for rest in struck.values():
        for on in rest:
            yield on.seconds, max(0.0, seconds - on.seconds), on.a, on.b, on.stem


@lru_cache(maxsize=128)
def _render_note(stem: int, pitch: int, length: float, rate: int) -> np.ndarray:
    """One note at full velocity, float32, its release included."""
    # Seeded by the note alone: a stem does not depend on the others, nor on the order.
    rng = np.random.default_rng([stem, pitch])
    if stem == DRUM_PROGRAM:
        return _drum(rng, pitch, rate)
    tone = _TONES[stem // 8]
    release = max(1, round(tone.release * rate))
    held = max(1, round(length * rate))
    t = np.arange(held + release, dtype=np.float32) / rate
    frequency = 440.0 * 2 ** ((pitch - 69) / 12)
    darkness = 1.0 + 0.12 * (stem % 8)  # programs of a family differ in brightness
    voices = (1.0,) if not tone.detune else (1.0 - tone.detune, 1.0 + tone.detune)
    out = np.zeros_like(t)
    for k, amplitude in enumerate(tone.harmonics, start=1):
        hz = frequency * k * (1 + tone.stretch * (k - 1))
        if not amplitude or hz > _NYQUIST_SHARE * rate / 2:
            continue
        # High partials die sooner, as on a string.
        fade = np.exp(-t * (1 + 0.3 * k) / tone.decay) if tone.decay else 1.0
        for detune in voices:
            phase = rng.uniform(0, 2 * np.pi)
            wave = np.sin(2 * np.pi * hz * detune * t + np.float32(phase))
            out += np.float32(amplitude / k ** (darkness - 1)) * wave * fade
    if tone.noise:
        fade = np.exp(-t / tone.decay) if tone.decay else 1.0
        out += np.float32(tone.noise) * _dark(rng.standard_normal(len(t)), 4) * fade
    rise = np.minimum(1.0, t / tone.attack)
    fall = np.concatenate([np.ones(held), np.linspace(1, 0, release)])
    return (out * rise * fall).astype(np.float32)


def _drum(rng: np.random.Generator, pitch: int, rate: int) -> np.ndarray:
    hit = _HITS.get(pitch)
    if hit is None:  # toms and the rest: a tone that follows the note number
        hz = 60.0 * 2 ** ((pitch - 41) / 12)
        hit = Hit(hz * 1.5, hz, 0.8, 0.1, 0.15)
    t = np.arange(round(6 * hit.decay * rate)) / rate
    fade = np.exp(-t / hit.decay)
    hz = hit.end_hz + (hit.start_hz - hit.end_hz) * np.exp(-t / 0.03)
    noise = rng.standard_normal(len(t))
    noise = noise - _dark(noise, 6) if hit.is_bright else _dark(noise, 2)
    tone = np.sin(2 * np.pi * np.cumsum(hz) / rate)
    return ((hit.tone * tone + hit.noise * noise) * fade).astype(np.float32)


def _dark(noise: np.ndarray, width: int) -> np.ndarray:
    """A moving average: noise without its high end."""
    return np.convolve(noise, np.full(width, 1 / width), mode="same")
