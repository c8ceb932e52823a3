"""Beats, beats per bar and percussive density of a clip.

Device side, for one clip of mono audio at 16 kHz, up to `Rhythm`; `analyse_rhythm_batch`
is the jitted form for many. Host side from there: `beat_times`, `beats_per_bar`.

Sources: beats by dynamic programming over a spectral-flux novelty, with a log-normal
prior of the tempo (Ellis, 2007); meter by a t-score of the beats' accents.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.analysis import percussion
from stemjax.analysis.analysis import METERS, NO_METER
from stemjax.analysis.percussion import FRAME_RATE

CHROMA_RATE = 20
FEWEST_BEATS = 8

_SHORTEST_BEAT, _LONGEST_BEAT = 25, 150  # frames: 240 to 40 bpm
_PRIOR_BPM = 115.0
_PRIOR_OCTAVES = 0.7
_DOUBLE_SUPPORT, _TRIPLE_SUPPORT = 0.5, 0.25
_TIGHTNESS = 100.0
_COMPRESSION = 100.0
_FLUX_FRAMES = 2
_LOCAL_FRAMES = 51
_SMOOTHING_SD = 2.0  # frames
_LEAST_FLUX = 0.02  # of compressed magnitude, mean over bands: below, nothing happens
_ACCENT_FRAMES = 4
_CHROMA_WEIGHT, _LOW_WEIGHT, _SNARE_WEIGHT = 1.0, 0.6, -0.3
_TINY = 1e-9


class Rhythm(NamedTuple):
    """Rhythm of one clip, T = 100 frames per second."""

    is_beat: jax.Array
    """[T] bool."""
    period: jax.Array
    """[] frames from beat to beat; the tempo is 6000 / period bpm."""
    band_flux: jax.Array
    """[T, 3] rise of the log-compressed level in the bands of `percussion.BANDS`."""
    percussive_density: jax.Array
    """[] int32: most percussive notes in any 0.6 s."""


def analyse_rhythm(audio: jax.Array) -> Rhythm:
    """Beats, band flux and percussive density of one clip [N] at 16 kHz."""
    mel = percussion.mel_spectrogram(audio)
    density = percussion.percussive_density(percussion.percussive_onsets(mel))
    flux = spectral_flux(mel)
    strength = novelty(flux.mean(1))
    period = beat_period(strength)
    is_beat = track_beats(strength, period)
    band_flux = flux @ jnp.asarray(percussion.band_matrix())
    return Rhythm(is_beat, period, band_flux, density)


@jax.jit
def analyse_rhythm_batch(audio: jax.Array) -> Rhythm:
    """`analyse_rhythm` of each clip of [B, N]; every field gains a leading B."""
    with jax.default_matmul_precision("highest"):
        return jax.vmap(analyse_rhythm)(audio)


def spectral_flux(mel: jax.Array) -> jax.Array:
    """[T, 64] magnitudes -> [T, 64] rise of log(1 + 100 S) over 20 ms, at least 0.

    Frame t compares t + 1 with t - 1, so that rises lie where the sound starts.
    """
    compressed = jnp.log1p(_COMPRESSION * mel)
    padded = jnp.pad(compressed, ((1, 1), (0, 0)), mode="edge")
    return jax.nn.relu(padded[_FLUX_FRAMES:] - padded[:-_FLUX_FRAMES])


def novelty(flux: jax.Array) -> jax.Array:
    """[T] flux -> [T]: above its local mean, smoothed, of standard deviation 1.

    All 0 where the flux never exceeds 0.02.
    """
    local = jnp.convolve(flux, jnp.full(_LOCAL_FRAMES, 1 / _LOCAL_FRAMES), mode="same")
    steps = np.arange(-6, 7)
    kernel = np.exp(-0.5 * (steps / _SMOOTHING_SD) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    strength = jnp.convolve(jax.nn.relu(flux - local), kernel, mode="same")
    strength = strength / jnp.maximum(strength.std(), _TINY)
    return jnp.where(flux.max() > _LEAST_FLUX, strength, 0.0)


def beat_period(strength: jax.Array) -> jax.Array:
    """[T] novelty -> [] period in frames, 25 to 150 (240 to 40 bpm), to a fraction.

    The lag of the largest autocorrelation, to which those at twice and three times the
    lag add a half and a quarter, times a log-normal prior (115 bpm, 0.7 octaves).
    Twice or half the tempo wins where the prior favours it more than the onsets
    between the beats oppose it: clicks at 180 or 45 a minute give 90 bpm.
    """
    (num_frames,) = strength.shape
    size = 1 << (2 * num_frames - 1).bit_length()
    centred = strength - strength.mean()
    power = jnp.abs(jnp.fft.rfft(centred, size)) ** 2
    correlation = jnp.fft.irfft(power, size)[:num_frames]
    # a lag is seen num_frames - lag times
    correlation = correlation / jnp.maximum(num_frames - jnp.arange(num_frames), 1)
    needed = 3 * _LONGEST_BEAT + 4
    correlation = jnp.pad(correlation, (0, max(0, needed - num_frames)))
    smooth = jax.nn.relu(correlation)
    lags = jnp.arange(_SHORTEST_BEAT - 1, _LONGEST_BEAT + 2)

    def near(k):
        return jnp.stack([smooth[k * lags + d] for d in range(1 - k, k)]).max(0)

    support = near(1) + _DOUBLE_SUPPORT * near(2) + _TRIPLE_SUPPORT * near(3)
    octaves = jnp.log2(60 * FRAME_RATE / lags / _PRIOR_BPM)
    score = support * jnp.exp(-0.5 * (octaves / _PRIOR_OCTAVES) ** 2)
    best = 1 + jnp.argmax(score[1:-1])
    left, middle, right = score[best - 1], score[best], score[best + 1]
    bend = 2 * middle - left - right
    offset = jnp.where(bend > 0, 0.5 * (right - left) / jnp.maximum(bend, _TINY), 0.0)
    return lags[best] + jnp.clip(offset, -0.5, 0.5)


def track_beats(strength: jax.Array, period: jax.Array) -> jax.Array:
    """The best chain of beats: [T] novelty >= 0, [] frames -> [T] bool.

    Maximises the sum of `strength` at beats less 100 ln(step / period)^2 for each step
    from beat to beat, steps being half to twice the period (Ellis, eq. 5-7). A chain
    may begin and end anywhere; none where `strength` is 0 throughout.
    """
    reach = 2 * _LONGEST_BEAT
    steps = jnp.arange(reach, 0, -1)
    is_allowed = (steps >= 0.5 * period) & (steps <= 2 * period)
    cost = _TIGHTNESS * jnp.log(steps / period) ** 2
    cost = jnp.where(is_allowed, cost, jnp.inf)

    def forward(scores, now):
        totals = scores - cost  # scores of the last `reach` frames, oldest first
        best = jnp.argmax(totals)
        is_first = totals[best] <= 0
        score = now + jnp.where(is_first, 0.0, totals[best])
        step = jnp.where(is_first, 0, steps[best])
        return jnp.concatenate([scores[1:], score[None]]), (score, step)

    _, (scores, back) = jax.lax.scan(forward, jnp.full(reach, -jnp.inf), strength)

    def backward(beat, frame_and_step):
        frame, step = frame_and_step
        is_beat = frame == beat
        before = jnp.where(step > 0, frame - step, -1)
        return jnp.where(is_beat, before, beat), is_beat

    last = jnp.where(scores.max() > 0, jnp.argmax(scores), -1)
    frames = jnp.arange(len(strength))
    _, is_beat = jax.lax.scan(backward, last, (frames, back), reverse=True)
    return is_beat


def beat_times(rhythm: Rhythm) -> np.ndarray:
    """Host: [M] float64 seconds, ascending, of one clip's beats."""
    return np.flatnonzero(np.asarray(rhythm.is_beat)) / FRAME_RATE


def beats_per_bar(rhythm: Rhythm, chroma: np.ndarray) -> int:
    """Host: the one of `METERS` whose first beats stand out most, or `NO_METER`.

    chroma: [T', 12] at 20 frames per second, of the same clip.  Accents are z(change of
    chroma at the beat) + 0.6 z(flux at 30-110 Hz) - 0.3 z(flux at 1.5-4.5 kHz); for
    every meter and phase a t-score compares those of the phase with the rest. Fewer
    than 8 beats, or accents all alike: `NO_METER`.
    """
    frames = np.flatnonzero(np.asarray(rhythm.is_beat))
    if len(frames) < FEWEST_BEATS:
        return NO_METER
    flux = np.asarray(rhythm.band_flux, np.float64)
    near = np.arange(-_ACCENT_FRAMES, _ACCENT_FRAMES + 1)
    at_beats = flux[np.clip(frames[:, None] + near, 0, len(flux) - 1)].max(1)
    accents = (
        _CHROMA_WEIGHT * _standardised(_chroma_change(frames / FRAME_RATE, chroma))
        + _LOW_WEIGHT * _standardised(at_beats[:, 0])
        + _SNARE_WEIGHT * _standardised(at_beats[:, 1])
    )
    if np.ptp(accents) < _TINY:
        return NO_METER
    return max(METERS, key=lambda meter: _best_t_score(accents, meter))


def _chroma_change(times, chroma):
    """[M] s, [T', 12] -> [M]: 1 - cosine of the chroma over the beats either side."""
    chroma = np.asarray(chroma, np.float64)
    totals = np.concatenate([np.zeros((1, 12)), np.cumsum(chroma, 0)])
    last = 2 * times[-1] - times[-2]
    edges = np.concatenate([[max(0.0, 2 * times[0] - times[1])], times, [last]])
    edges = np.clip(np.round(edges * CHROMA_RATE).astype(int), 0, len(chroma))
    sums = np.diff(totals[edges], axis=0)
    norms = np.linalg.norm(sums, axis=1)
    product = norms[1:] * norms[:-1]
    cosine = (sums[1:] * sums[:-1]).sum(1) / np.maximum(product, _TINY)
    return np.where(product > _TINY, 1 - cosine, 0.0)


def _standardised(values):
    spread = values.std()
    return (values - values.mean()) / spread if spread > 1e-6 else 0.0 * values


def _best_t_score(accents, meter):
    """The largest pooled two-sample t of beats on one phase of `meter` and the rest."""
    scores = []
    for phase in range(meter):
        is_first = np.arange(len(accents)) % meter == phase
        on, off = accents[is_first], accents[~is_first]
        squares = ((on - on.mean()) ** 2).sum() + ((off - off.mean()) ** 2).sum()
        variance = squares / (len(accents) - 2) * (1 / len(on) + 1 / len(off))
        scores.append((on.mean() - off.mean()) / np.sqrt(variance + _TINY))
    return max(scores)
