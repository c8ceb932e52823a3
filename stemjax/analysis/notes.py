"""Notes from salience (`notes=salience`): no weights of others, pure JAX, then a decode.

Each frame is explained as a sum of harmonic tones on the 84 semitones and of smooth
noise, by multiplicative updates that lower the Kullback-Leibler divergence (Lee and
Seung, 2001) with the spectra of the tones fixed (harmonic templates as in Vincent,
Bertin and Badeau, "Adaptive harmonic spectral decomposition for multiple pitch
estimation", 2010).  The frames are short, for sharp onsets; which pitches may sound at
all is asked of the long frames of `tonal`, where the updates start from: what begins at
0 stays at 0.  Limits: below E2 (MIDI 40) a tone may be taken for its neighbour's too;
overtones louder than k ** -0.7 leave short ghosts an octave up.  Noise has notes too:
whether a clip is pitched at all is `Tonal.is_tonal`'s to say.

`decode_notes` turns the frames of this or another transcriber into notes.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.analysis import tonal

SAMPLE_RATE = tonal.SAMPLE_RATE
HOP = 320  # 50 frames per second
FFT_SIZE = 2048
LOWEST_PITCH = tonal.LOWEST_MIDI
NUM_PITCHES = tonal.NUM_SEMITONES

_BINS_PER_SEMITONE = 2
_NUM_BINS = NUM_PITCHES * _BINS_PER_SEMITONE
_ROLL_OFFS = (0.3, 1.5)  # amplitude of harmonic k: k ** -0.3 bright, k ** -1.5 dark
_NUM_HARMONICS = 10
_NOISE_SD, _NOISE_STEP = 3.0, 6.0  # semitones
_OVERTONE_START = 0.2  # weight of what may be an overtone, where the updates start
_NOISE_START = 0.1  # of the largest start of a tone
_NUM_UPDATES = 20
_TUNING_PITCH = 60  # from here on frames resolve thirds of a semitone
_LEAST_LEVEL = 10 ** (-50 / 20)  # of a full-scale sine
_RISE_FRAMES = 2  # to each side: a rise is measured over 80 ms
_RISE_FLOOR = 0.02
_TINY = 1e-7


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoteRule:
    """How frames become notes: levels of a transcriber's outputs, counts of frames."""

    onset: float
    """A note begins at a peak of its onset above this"""
    sustain: float
    """and lasts while its activity stays above this,"""
    max_gap: int
    """but for gaps of up to so many frames."""
    min_length: int
    """Shorter notes are dropped."""

    def __post_init__(self):
        if self.max_gap < 0 or self.min_length < 1:
            raise ValueError(f"need max_gap >= 0 and min_length >= 1, got {self}")


SALIENCE_RULE = NoteRule(onset=0.4, sustain=0.15, max_gap=2, min_length=7)


class NoteFrames(NamedTuple):
    """Of one clip, T = 50 frames per second, pitches from C1 (MIDI 24)."""

    activity: jax.Array
    """[T, 84] amplitudes of the tones, relative to the clip's typical loudest tone."""
    onset: jax.Array
    """[T, 84] rise of the log activity over the 80 ms about a frame."""


def analyse_notes(audio: jax.Array, pitched: tonal.Tonal) -> NoteFrames:
    """Activity and onsets of each pitch in one clip.

    audio: [N] at 16 kHz, full scale 1.  pitched: `tonal.analyse_tonal` of it.
    """
    spectrum = _tuned_spectrum(audio)
    peak = jnp.maximum(spectrum.max(), _LEAST_LEVEL)
    atoms = jnp.asarray(_atoms())
    gains = _explain(spectrum / peak, atoms, _start(pitched, len(spectrum)))
    num_tones = NUM_PITCHES * len(_ROLL_OFFS)
    tones = gains[:, :num_tones].reshape(-1, len(_ROLL_OFFS), NUM_PITCHES).sum(1)
    loudest = tones.max(1)
    typical = (loudest**2).sum() / jnp.maximum(loudest.sum(), _TINY)
    activity = tones / jnp.maximum(typical, _LEAST_LEVEL / peak)
    level = jnp.log(activity + _RISE_FLOOR)
    level = jnp.pad(level, ((_RISE_FRAMES, _RISE_FRAMES), (0, 0)), mode="edge")
    return NoteFrames(activity, level[2 * _RISE_FRAMES :] - level[: -2 * _RISE_FRAMES])


@jax.jit
def analyse_notes_batch(audio: jax.Array, pitched: tonal.Tonal) -> NoteFrames:
    """`analyse_notes` of each clip of [B, N]; the fields of both tuples gain a B."""
    with jax.default_matmul_precision("highest"):
        return jax.vmap(analyse_notes)(audio, pitched)


def salience_notes(frames: NoteFrames) -> np.ndarray:
    """Frames of one clip -> notes [M, 3]: onset, offset in seconds, MIDI pitch."""
    onset, activity = np.asarray(frames.onset), np.asarray(frames.activity)
    times = np.arange(len(onset)) * (HOP / SAMPLE_RATE)
    return decode_notes(
        onset, activity, times, lowest_pitch=LOWEST_PITCH, rule=SALIENCE_RULE
    )


def decode_notes(
    onset: np.ndarray,
    activity: np.ndarray,
    times: np.ndarray,
    *,
    lowest_pitch: int,
    rule: NoteRule,
) -> np.ndarray:
    """Onset and activity [T, P] -> notes [M, 3]: onset, offset (s), MIDI pitch.

    A note begins at a peak of `onset` over time and ends where its activity falls, or
    at the next note of its pitch.  times: [T] ascending, in seconds; column p is MIDI
    pitch `lowest_pitch` + p.  Notes are sorted by onset, then pitch; T >= 2.
    """
    outside = np.full((1, onset.shape[1]), -np.inf)
    rises = onset > np.concatenate([outside, onset[:-1]])
    falls = onset >= np.concatenate([onset[1:], outside])
    is_peak = (onset > rule.onset) & rises & falls
    edges = np.append(times, 2 * times[-1] - times[-2])
    notes = []
    for column in np.flatnonzero(is_peak.any(0)):
        sounding = np.flatnonzero(activity[:, column] > rule.sustain)
        limit = len(onset)  # where the next note of this pitch begins
        for start in np.flatnonzero(is_peak[:, column])[::-1]:
            end = _end_of_note(sounding, start, limit, rule.max_gap)
            if end - start >= rule.min_length:
                notes.append((edges[start], edges[end], lowest_pitch + column))
                limit = start
    notes.sort(key=lambda note: (note[0], note[2]))
    return np.array(notes, np.float64).reshape(-1, 3)


def _end_of_note(sounding: np.ndarray, start: int, limit: int, max_gap: int) -> int:
    """The frame after the last of `sounding` reached from `start` over short gaps."""
    held = sounding[np.searchsorted(sounding, start) : np.searchsorted(sounding, limit)]
    breaks = np.flatnonzero(np.diff(held, prepend=start - 1) > max_gap + 1)
    held = held[: breaks[0]] if len(breaks) else held
    return int(held[-1]) + 1 if len(held) else start


def _tuned_spectrum(audio):
    """[N] -> [N // 320, 168] magnitudes on half semitones, of the best of 3 tunings."""
    magnitudes = _magnitudes(audio)
    tunings = jnp.stack([magnitudes @ jnp.asarray(bank.T) for bank in _banks()])
    first = (_TUNING_PITCH - LOWEST_PITCH) * _BINS_PER_SEMITONE
    on_semitones = tunings[:, :, first::_BINS_PER_SEMITONE].sum((1, 2))
    return tunings[jnp.argmax(on_semitones)]


def _magnitudes(audio):
    """[N] -> [N // 320, F] up to the banks' reach; a sine of amplitude 1 peaks at 1."""
    (num_samples,) = audio.shape
    num_frames = num_samples // HOP
    num_blocks = -(-FFT_SIZE // HOP)
    length = (num_frames + num_blocks) * HOP
    half = FFT_SIZE // 2
    padded = jnp.pad(audio, (half, max(0, length - half - num_samples)))[:length]
    blocks = padded.reshape(-1, HOP)
    shifted = [blocks[i : i + num_frames] for i in range(num_blocks)]
    frames = jnp.concatenate(shifted, axis=1)[:, :FFT_SIZE]
    hann = np.sin(np.pi * np.arange(FFT_SIZE) / FFT_SIZE) ** 2
    window = (hann * 2 / hann.sum()).astype(np.float32)
    return jnp.abs(jnp.fft.rfft(frames * window, axis=1))[:, : _banks().shape[2]]


def _explain(spectrum, atoms, gains):
    """[T, bins], [A, bins] and a start [T, A] -> [T, A] non-negative gains."""
    total = atoms.sum(1)

    def update(_, gains):
        ratio = spectrum / (gains @ atoms + _TINY)
        return gains * (ratio @ atoms.T) / total

    return jax.lax.fori_loop(0, _NUM_UPDATES, update, gains)


def _start(pitched, num_frames):
    """Salience of `tonal` -> [num_frames, A]: squared, for each timbre, and noise."""
    fundamental = (1 - _OVERTONE_START) * pitched.harmonic
    salience = fundamental + _OVERTONE_START * pitched.semitones
    place = np.arange(num_frames) * (HOP / tonal.HOP)
    before = np.minimum(place.astype(int), len(salience) - 1)
    after = np.minimum(before + 1, len(salience) - 1)
    share = (place - before).astype(np.float32)[:, None]
    between = salience[before] * (1 - share) + salience[after] * share
    tones = (between / jnp.maximum(salience.max(), _TINY)) ** 2
    num_noises = len(_atoms()) - NUM_PITCHES * len(_ROLL_OFFS)
    noises = jnp.full((num_frames, num_noises), _NOISE_START, jnp.float32)
    return jnp.concatenate([tones] * len(_ROLL_OFFS) + [noises], axis=1)


def _hertz(pitch):
    return 440.0 * 2.0 ** ((np.asarray(pitch) - 69) / 12)


def _sine_response(hertz, num_bins):
    """Magnitudes [..., num_bins] of the Hann window's transform of sines [...]."""
    away = np.arange(num_bins) - np.asarray(hertz)[..., None] * FFT_SIZE / SAMPLE_RATE
    near_one = np.abs(np.abs(away) - 1) < 1e-6
    lobe = np.sinc(away) / np.where(near_one, 1.0, 1 - away**2)
    return np.where(near_one, 0.5, np.abs(lobe))


@functools.cache
def _banks():
    """[3, 168, F] Gaussians about half semitones; a sine of 1 at a centre gives 1.

    One bank each for music a third of a semitone flat, in tune and sharp.
    """
    offsets = np.arange(_NUM_BINS) / _BINS_PER_SEMITONE
    centres = _hertz(LOWEST_PITCH + offsets + np.array([-1, 0, 1])[:, None] / 3)
    spacing = 2.0 ** (1 / (12 * _BINS_PER_SEMITONE)) - 1
    places = centres[..., None] * FFT_SIZE / SAMPLE_RATE
    sd = np.maximum(0.5 * spacing * places, 0.5)
    reach = int(places.max() + 4 * sd.max()) + 2
    away = np.arange(reach) - places
    kernel = np.exp(-0.5 * (away / sd) ** 2) * (np.abs(away) < 4 * sd)
    response = (kernel * _sine_response(centres, reach)).sum(-1, keepdims=True)
    return (kernel / response).astype(np.float32)


@functools.cache
def _atoms():
    """[2 x 84 + noises, 168]: bright tones, dark tones, smooth noise; peaks at 1."""
    orders = np.arange(1, _NUM_HARMONICS + 1)
    partials = _hertz(LOWEST_PITCH + np.arange(NUM_PITCHES))[:, None] * orders
    _, bank, _ = _banks()
    lines = _sine_response(partials, bank.shape[1]) @ bank.T  # [84, 10, 168]
    roll_offs = np.asarray(_ROLL_OFFS)[:, None]
    tones = np.einsum("ak,pkb->apb", orders**-roll_offs, lines)
    bins = np.arange(_NUM_BINS)
    step = int(_NOISE_STEP * _BINS_PER_SEMITONE)
    away = bins - np.arange(0, _NUM_BINS + step, step)[:, None]
    noises = np.exp(-0.5 * (away / (_NOISE_SD * _BINS_PER_SEMITONE)) ** 2)
    atoms = np.concatenate([tones.reshape(-1, _NUM_BINS), noises])
    return (atoms / atoms.max(1, keepdims=True)).astype(np.float32)
