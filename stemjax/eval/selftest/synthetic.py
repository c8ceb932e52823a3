"""Synthetic clips whose music is known, for the self-test of the evaluation.

A clip is 20 s of drums, bass, pad chords and a melody at 16 kHz in one key, meter and
tempo, with two sections; `truth` is its exact analysis.  Clips depend on (seed, index)
only and use NumPy.  As in the evaluation of StemGen (sec. 3.1), the context is drums +
bass + chords and the stem is the melody; the corruptions below change the stem only.
"""

from typing import NamedTuple

import numpy as np

from stemjax.analysis.records import NO_CHORD, Analysis
from stemjax.config.streams import Stream
from stemjax.eval.selftest.synthesis import (
    HAT,
    KICK,
    NUM_SAMPLES,
    SAMPLE_RATE,
    SECONDS,
    SNARE,
    synthesise_hits,
    synthesise_notes,
    synthesise_picks,
)
from stemjax.io.random import generator

PICK_LEVEL = 0.12
MERGED = 0.04  # seconds within which two attacks of a band count as one
DENSITY_WINDOW = 0.6  # seconds

MAJOR, MINOR = range(2)
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))
# (semitones above the tonic, 0 major or 1 minor). Loops without the tonic and the
# dominant or subdominant are ambiguous: relative keys would fit as well.
TONICS = ((0, MAJOR), (0, MINOR))
ANCHORS = ((7, MAJOR), (5, MINOR))
OTHERS = (
    ((2, MINOR), (5, MAJOR), (9, MINOR)),
    ((3, MAJOR), (7, MINOR), (8, MAJOR)),
)


class SyntheticClip(NamedTuple):
    """A clip of four stems, whose sum has a peak below 1, and its exact analysis."""

    drums: np.ndarray
    """[N] float32, N = 320,000."""
    bass: np.ndarray
    """[N] float32."""
    chords: np.ndarray
    """[N] float32."""
    melody: np.ndarray
    """[N] float32; the stem."""
    truth: Analysis
    """Analysis of the mix. Key, chords and beats are those of the context."""
    context_notes: np.ndarray
    """[M, 3] onset, offset, MIDI pitch of bass and chords."""
    melody_notes: np.ndarray
    """[M, 3] onset, offset, MIDI pitch of the melody; none for silence or noise."""
    hits: np.ndarray
    """[M, 2] time in seconds and `KICK`, `SNARE` or `HAT`, sorted by time."""
    downbeats: np.ndarray
    """[M] times of the first beats of bars."""
    timbre: int
    """Darkness of the melody: amplitudes of harmonics fall as k ** -timbre."""

    @property
    def context(self) -> np.ndarray:
        return self.drums + self.bass + self.chords

    @property
    def mix(self) -> np.ndarray:
        return self.context + self.melody


class _Bar(NamedTuple):
    """A bar with one chord."""

    start: float
    """Seconds."""
    end: float
    """Seconds."""
    section: int
    """0 or 1."""
    root: int
    """Pitch class of the chord."""
    mode: int
    """`MAJOR` or `MINOR`."""


def make_clip(seed: int, index: int) -> SyntheticClip:
    """Make clip `index` of population `seed`.

    48 clips from a multiple of 48 have each tonic x mode x meter once, in random order;
    tempo (75-150 bpm), loops, rhythm and melody are random.
    """
    order = generator(seed, Stream.CLIP_KEYS, index // 48).permutation(48)
    tonic, rest = divmod(int(order[index % 48]), 4)
    mode, meter = rest // 2, 3 + rest % 2
    rng = generator(seed, Stream.CLIP_MUSIC, index)
    beat = 60 / rng.uniform(75, 150)
    beats = np.arange(rng.uniform(0.05, 0.35), SECONDS, beat)
    bars = _draw_bars(rng, beats[::meter], tonic, mode)
    hits = _draw_hits(rng, beats, beat, meter)
    bass_notes = _sorted_notes(_draw_bass(rng, bars, beat, meter))
    pad_notes = _sorted_notes(_voice_pads(bars))
    melody_notes = _sorted_notes(_draw_melody(rng, bars, beat, tonic, mode))
    timbre = int(rng.integers(1, 3))
    context_notes = _merged(bass_notes, pad_notes)
    boundary = next(bar.start for bar in bars if bar.section == 1)
    truth = Analysis(
        is_tonal=True,
        key=tonic + 12 * mode,
        chords=_chord_segments(bars),
        sections=np.array([[0, boundary, 0], [boundary, SECONDS, 1]]),
        notes=_merged(context_notes, melody_notes),
        beats=beats,
        beats_per_bar=meter,
        percussive_density=_density(hits, melody_notes),
    )
    return SyntheticClip(
        drums=synthesise_hits(hits, generator(seed, Stream.CLIP_SOUNDS, index)),
        bass=synthesise_notes(bass_notes, level=0.16, timbre=2, decay=2.0),
        chords=synthesise_notes(pad_notes, level=0.05, timbre=2, decay=0.2),
        melody=_synthesise_melody(melody_notes, timbre),
        truth=truth,
        context_notes=context_notes,
        melody_notes=melody_notes,
        hits=hits,
        downbeats=beats[::meter],
        timbre=timbre,
    )


def most_in_window(times: np.ndarray) -> int:
    """Largest number of the sorted `times` [M] (seconds) in any [t, t + 0.6)."""
    if not len(times):
        return 0
    ends = np.searchsorted(times, times + DENSITY_WINDOW, side="left")
    return int(np.max(ends - np.arange(len(times))))


def _density(hits: np.ndarray, melody_notes: np.ndarray) -> int:
    """Density of the hits and of those melody onsets that no snare masks."""
    snares = hits[hits[:, 1] == SNARE, 0]
    onsets = melody_notes[:, 0]
    gaps = np.abs(onsets[:, None] - snares).min(axis=1, initial=np.inf)
    return most_in_window(np.sort(np.append(hits[:, 0], onsets[gaps > MERGED])))


# Corruptions of the stem: context, key, chords and beats do not change.


def transposed(clip: SyntheticClip, semitones: int = 1) -> SyntheticClip:
    """Transpose the melody up by `semitones`."""
    notes = clip.melody_notes + [0, 0, semitones]
    return _with_melody(clip, _synthesise_melody(notes, clip.timbre), notes)


def late(clip: SyntheticClip, seconds: float = 0.15) -> SyntheticClip:
    """Delay the melody by `seconds`; its end is cut."""
    shift = round(seconds * SAMPLE_RATE)
    melody = np.concatenate([np.zeros(shift, np.float32), clip.melody])[:NUM_SAMPLES]
    notes = clip.melody_notes + [seconds, seconds, 0]
    notes = np.minimum(notes[notes[:, 0] < SECONDS], [SECONDS, SECONDS, np.inf])
    return _with_melody(clip, melody, notes)


def misaligned(clip: SyntheticClip, other: SyntheticClip) -> SyntheticClip:
    """Replace the melody by that of another clip."""
    clip = clip._replace(timbre=other.timbre)
    return _with_melody(clip, other.melody, other.melody_notes)


def silenced(clip: SyntheticClip) -> SyntheticClip:
    """Replace the melody by silence."""
    return _with_melody(clip, np.zeros_like(clip.melody), np.zeros((0, 3)))


def noise_stem(clip: SyntheticClip, seed: int) -> SyntheticClip:
    """Replace the melody by white noise of equal RMS."""
    noise = generator(seed, Stream.CLIP_SOUNDS, 0).standard_normal(
        NUM_SAMPLES, np.float32
    )
    noise *= np.sqrt(np.mean(clip.melody**2, dtype=np.float64))
    return _with_melody(clip, noise.astype(np.float32), np.zeros((0, 3)))


def low_pass(audio: np.ndarray, cutoff: float = 3500.0) -> np.ndarray:
    """Low-pass [N] float32: pass below `cutoff` Hz, stop above `cutoff` + 400 Hz."""
    frequencies = np.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE)
    gain = np.clip((cutoff + 400 - frequencies) / 400, 0, 1)
    return np.fft.irfft(np.fft.rfft(audio) * gain, len(audio)).astype(np.float32)


def eight_bit(audio: np.ndarray) -> np.ndarray:
    """Round [N] float32 in [-1, 1] to multiples of 1 / 128."""
    return (np.round(audio * 128) / 128).astype(np.float32)


def add_noise(audio: np.ndarray, snr_db: float, seed: int) -> np.ndarray:
    """Add white noise to [N] float32 at a signal-to-noise ratio of `snr_db`."""
    noise = generator(seed, Stream.CLIP_SOUNDS, 1).standard_normal(
        len(audio), np.float32
    )
    power = np.mean(audio**2, dtype=np.float64) / 10 ** (snr_db / 10)
    return (audio + noise * np.sqrt(power)).astype(np.float32)


# The score


def _draw_loop(rng, mode: int) -> list[tuple[int, int]]:
    """Four chords: the tonic first, the dominant or subdominant third or fourth."""
    first, second = rng.choice(len(OTHERS[mode]), 2, replace=False)
    tail = [OTHERS[mode][second], ANCHORS[mode]]
    if rng.random() < 0.5:
        tail.reverse()
    return [TONICS[mode], OTHERS[mode][first], *tail]


def _draw_bars(rng, downbeats: np.ndarray, tonic: int, mode: int) -> list[_Bar]:
    """Sections A and B with different loops; B starts at a bar line near 8-12 s."""
    loops = [_draw_loop(rng, mode), _draw_loop(rng, mode)]
    while loops[1] == loops[0]:
        loops[1] = _draw_loop(rng, mode)
    first_of_b = int(np.argmin(abs(downbeats - rng.uniform(8, 12))))
    ends = np.append(downbeats[1:], SECONDS)
    bars = []
    for i, (start, end) in enumerate(zip(downbeats, ends, strict=True)):
        section = int(i >= first_of_b)
        offset, quality = loops[section][(i - section * first_of_b) % 4]
        root = (tonic + offset) % 12
        bars.append(_Bar(float(start), float(end), section, root, quality))
    return bars


def _chord_segments(bars: list[_Bar]) -> np.ndarray:
    segments = [[0.0, bars[0].start, NO_CHORD]]
    for bar in bars:
        label = bar.root + 12 * bar.mode
        if label == segments[-1][2]:
            segments[-1][1] = bar.end
        else:
            segments.append([bar.start, bar.end, label])
    return np.array(segments, np.float64)


def _draw_hits(rng, beats: np.ndarray, beat: float, meter: int) -> np.ndarray:
    """Kick on 1 (and 3 of 4), snare on the back beats, hats and ghost kicks between."""
    kicks = (0,) if meter == 3 else (0, 2)
    snares = [(2,), (1, 2)][rng.integers(2)] if meter == 3 else (1, 3)
    ghosts = set(np.flatnonzero(rng.random(meter) < 0.25))
    hats_per_beat = int(rng.integers(1, 5))
    hits = []
    for i, time in enumerate(beats):
        place = i % meter
        hits += [(time, KICK)] * (place in kicks) + [(time, SNARE)] * (place in snares)
        hits += [(time + beat / 2, KICK)] * (place in ghosts)
        hits += [(time + beat * j / hats_per_beat, HAT) for j in range(hats_per_beat)]
    hits = np.array(sorted(hits))
    return hits[hits[:, 0] < SECONDS - 0.02]


def _draw_bass(rng, bars: list[_Bar], beat: float, meter: int) -> list[tuple]:
    """The root on the first beat, and the fifth or root on a later one."""
    later = int(rng.integers(1, meter))
    interval = int(rng.choice([0, 7]))
    notes = []
    for bar in bars:
        root = 36 + (bar.root - 4) % 12 + 4  # E2 to D#3
        turn = min(bar.start + later * beat, bar.end)
        notes.append((bar.start, turn, root))
        notes.append((turn, bar.end, root + interval))
    return notes


def _voice_pads(bars: list[_Bar]) -> list[tuple]:
    """Triads around middle C, in section B with the octave over the root."""
    notes = []
    for bar in bars:
        third = 3 if bar.mode == MINOR else 4
        pitches = [55 + (bar.root + step - 7) % 12 for step in (0, third, 7)]
        if bar.section == 1:
            pitches.append(67 + (bar.root - 7) % 12)
        notes += [(bar.start, bar.end, pitch) for pitch in pitches]
    return notes


def _draw_melody(rng, bars: list[_Bar], beat: float, tonic: int, mode: int) -> list:
    """Steps and leaps on the scale; each bar begins with a tone of its triad."""
    low = int(rng.integers(64, 70))
    span = int(rng.integers(10, 17))
    in_scale = {(tonic + step) % 12 for step in SCALES[mode]}
    eighths = rng.uniform(0.2, 0.7)
    notes = []
    for bar in bars:
        bottom = low + 7 * bar.section
        scale = [p for p in range(bottom, bottom + span) if p % 12 in in_scale]
        third = 3 if bar.mode == MINOR else 4
        triad = {(bar.root + step) % 12 for step in (0, third, 7)}
        tones = [i for i, pitch in enumerate(scale) if pitch % 12 in triad]
        place = int(rng.choice(tones))
        time = bar.start
        while time < bar.end - 0.2:
            length = beat * (0.5 if rng.random() < eighths else rng.choice([1, 1, 2]))
            end = min(time + length, bar.end)
            if end > bar.end - 0.2:
                end = bar.end
            notes.append((time, time + 0.92 * (end - time), scale[place]))
            place += int(rng.choice([-2, -1, -1, 0, 1, 1, 2]))
            place = min(max(place, 0), len(scale) - 1)
            time = end
    return notes


def _sorted_notes(notes: list[tuple]) -> np.ndarray:
    """Sort notes and drop those below 50 ms, which the end of a clip may cut."""
    notes = np.array(notes, np.float64).reshape(-1, 3)
    return _merged(notes[notes[:, 1] - notes[:, 0] >= 0.05])


def _merged(*notes: np.ndarray) -> np.ndarray:
    notes = np.concatenate(notes)
    return notes[np.lexsort((notes[:, 2], notes[:, 0]))]


def _with_melody(clip, melody: np.ndarray, notes: np.ndarray) -> SyntheticClip:
    truth = clip.truth._replace(
        notes=_merged(clip.context_notes, notes),
        percussive_density=_density(clip.hits, notes),
    )
    return clip._replace(melody=melody, melody_notes=notes, truth=truth)


def _synthesise_melody(notes: np.ndarray, timbre: int) -> np.ndarray:
    """A plucked melody; its attacks are percussive if no drum covers them."""
    tones = synthesise_notes(notes, level=0.16, timbre=timbre, decay=1.0)
    return tones + synthesise_picks(notes, level=PICK_LEVEL)
