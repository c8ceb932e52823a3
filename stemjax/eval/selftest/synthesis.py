"""The sounds of the synthetic clips: additive tones and drum hits, NumPy alone."""

import functools

import numpy as np

SAMPLE_RATE = 16_000
SECONDS = 20
NUM_SAMPLES = SAMPLE_RATE * SECONDS
KICK, SNARE, HAT = range(3)

_TABLE_BITS = 14


@functools.cache
def _wave_table(timbre: int, num_harmonics: int) -> np.ndarray:
    """One period, its peak 1, of harmonics k with amplitudes k ** -timbre."""
    phase = 2 * np.pi * np.arange(2**_TABLE_BITS) / 2**_TABLE_BITS
    wave = sum(k**-timbre * np.sin(k * phase) for k in range(1, num_harmonics + 1))
    return (wave / np.max(np.abs(wave))).astype(np.float32)


def synthesise_notes(
    notes: np.ndarray, *, level: float, timbre: int, decay: float
) -> np.ndarray:
    """Notes [M, 3] of onset, offset (seconds), MIDI pitch -> [N] float32, N = 320,000.

    Each is a tone of peak `level` with up to 8 harmonics of amplitudes k ** -timbre, a
    decay of `decay` nepers per second, and ramps of 8 ms; it lasts 16 ms or more.
    """
    audio = np.zeros(NUM_SAMPLES, np.float32)
    ramp = np.linspace(0, 1, SAMPLE_RATE * 8 // 1000, dtype=np.float32)
    fade = np.exp(-decay * np.arange(NUM_SAMPLES) / SAMPLE_RATE).astype(np.float32)
    fade *= level
    for onset, offset, pitch in notes:
        first, last = round(onset * SAMPLE_RATE), round(offset * SAMPLE_RATE)
        frequency = 440 * 2 ** ((pitch - 69) / 12)
        table = _wave_table(timbre, max(1, min(8, int(7000 / frequency))))
        # Fixed point: the phase wraps as the 32-bit integer does.
        step = np.uint32(round(frequency / SAMPLE_RATE * 2**32))
        phase = np.arange(last - first, dtype=np.uint32) * step
        tone = table[phase >> np.uint32(32 - _TABLE_BITS)] * fade[: last - first]
        tone[: len(ramp)] *= ramp
        tone[-len(ramp) :] *= ramp[::-1]
        audio[first:last] += tone
    return audio


def synthesise_picks(notes: np.ndarray, *, level: float) -> np.ndarray:
    """A burst of noise of 15 ms where each note [M, 3] begins, its peak `level`: [N].

    The attack of a plucked string, in the snare's band.
    """
    t = np.arange(SAMPLE_RATE * 15 // 1000) / SAMPLE_RATE
    rng = np.random.Generator(np.random.Philox(key=[0, 0]))
    pick = level * _band_noise(rng, len(t), 1200, 5000) * np.exp(-200 * t)
    audio = np.zeros(NUM_SAMPLES + len(t), np.float32)
    for first in np.round(notes[:, 0] * SAMPLE_RATE).astype(int):
        audio[first : first + len(t)] += pick
    return audio[:NUM_SAMPLES]


def _band_noise(rng, size: int, low: float, high: float) -> np.ndarray:
    """[size] noise from `low` to `high` Hz, its peak 1."""
    spectrum = np.fft.rfft(rng.standard_normal(size))
    frequencies = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    noise = np.fft.irfft(spectrum * ((frequencies > low) & (frequencies < high)), size)
    return noise / np.max(np.abs(noise))


def synthesise_hits(hits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Hits [M, 2] of time (seconds) and voice -> [N] float32, N = 320,000.

    Each voice has a band of its own: kick below 110 Hz, snare 1.2-5 kHz, hat from 6 kHz.
    """
    t = np.arange(4800) / SAMPLE_RATE
    sweep = 2 * np.pi * (48 * t + 50 / 40 * (1 - np.exp(-40 * t)))  # 98 -> 48 Hz
    sounds = {
        KICK: 0.34 * np.sin(sweep) * np.exp(-14 * t),
        SNARE: 0.22 * _band_noise(rng, len(t), 1200, 5000) * np.exp(-28 * t),
        HAT: 0.07 * _band_noise(rng, len(t), 6000, 7900) * np.exp(-60 * t),
    }
    audio = np.zeros(NUM_SAMPLES + len(t), np.float32)
    for time, voice in hits:
        first = round(time * SAMPLE_RATE)
        audio[first : first + len(t)] += sounds[int(voice)]
    return audio[:NUM_SAMPLES]
