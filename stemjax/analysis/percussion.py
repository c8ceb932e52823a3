"""Percussive onsets of a clip in three bands, and how dense they get.

Device side, for one clip of mono audio at 16 kHz. Frames are 100 per second, frame t
centred at t / 100 s.

Sources: harmonic-percussive separation by median filters (Fitzgerald, 2010), here on
mel bands; masks as in Driedger et al. (2014) without a margin. Merging networks:
Batcher's odd-even merge (Knuth, vol. 3, sec. 5.3.4).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.arrays.mel import centred_frames, hann

SAMPLE_RATE = 16_000
HOP = 160
FRAME_RATE = SAMPLE_RATE // HOP
WINDOW = 1024
PADDED_WINDOW = 1120  # the next multiple of the hop: frames are cut from it
NUM_MELS = 64
LOWEST_HERTZ, HIGHEST_HERTZ = 30.0, 7900.0
BANDS = ((30.0, 110.0), (1500.0, 4500.0), (6000.0, 7900.0))  # kick, snare, hat
HARMONIC_FRAMES = 31
PERCUSSIVE_BANDS = 9
DENSITY_FRAMES = 60  # 0.6 s

_RISE_FRAMES = 3
_FLOOR_SHARE = 0.05  # of the band's loudest frame; rises are seen above it
_FLOOR = 1e-4  # of a full-scale sine
_LEAST_RISE = 0.7  # nepers over the floor
_SPACING = 4  # frames to either side without a larger rise
_TINY = 1e-12


def mel_spectrogram(audio: jax.Array) -> jax.Array:
    """Mel magnitudes of one clip: [N] at 16 kHz -> [T, 64], T = N // 160.

    A band is a weighted mean of magnitudes; a sine of amplitude 1 has peak magnitude 1.
    """
    (num_samples,) = audio.shape
    frames = centred_frames(audio, PADDED_WINDOW, HOP)[: num_samples // HOP]
    start = (PADDED_WINDOW - WINDOW) // 2
    window = hann(WINDOW)
    window = (window * 2 / window.sum()).astype(np.float32)
    spectrum = jnp.fft.rfft(frames[:, start : start + WINDOW] * window)
    return jnp.abs(spectrum) @ jnp.asarray(_mel_matrix())


def percussive_mask(mel: jax.Array) -> jax.Array:
    """Share of each bin that is percussive: [T, 64] magnitudes -> [T, 64] in [0, 1].

    P^2 / (P^2 + H^2), with H the median over 31 frames and P that over 9 bands; the
    spectrogram is mirrored at its edges. 0 where both are 0.
    """
    harmonic = moving_median(mel, HARMONIC_FRAMES, axis=0) ** 2
    percussive = moving_median(mel, PERCUSSIVE_BANDS, axis=1) ** 2
    return percussive / jnp.maximum(percussive + harmonic, _TINY**2)


def percussive_onsets(mel: jax.Array) -> jax.Array:
    """Where percussive notes begin: [T, 64] magnitudes -> [T, 3] bool, one per band.

    An onset is the steepest rise of a band's percussive level within 40 ms, of at
    least 0.7 nepers in 30 ms over a floor of a twentieth of the band's loudest frame.
    """
    level = (mel * percussive_mask(mel)) @ jnp.asarray(band_matrix())  # [T, 3]
    floor = _FLOOR_SHARE * level.max(0) + _FLOOR
    log_level = jnp.log(level + floor)
    before = jnp.concatenate([jnp.repeat(log_level[:1], _RISE_FRAMES, 0), log_level])
    rise = log_level - before[: len(level)]
    return (rise >= _LEAST_RISE) & is_peak(rise, _SPACING)


def percussive_density(is_onset: jax.Array) -> jax.Array:
    """Most onsets of all bands in any [t, t + 0.6 s): [T, 3] bool -> [] int32."""
    total = jnp.cumsum(is_onset.sum(1, dtype=jnp.int32))
    before = jnp.pad(total, (DENSITY_FRAMES, 0))[: len(total)]
    return (total - before).max()


def is_peak(values: jax.Array, reach: int) -> jax.Array:
    """Where the first of the largest values within `reach` frames lies: [T, ...] bool."""
    pad = [(reach, reach)] + [(0, 0)] * (values.ndim - 1)
    padded = jnp.pad(values, pad, constant_values=-jnp.inf)
    views = [padded[i : i + len(values)] for i in range(2 * reach + 1)]
    earlier = functools.reduce(jnp.maximum, views[:reach])
    later = functools.reduce(jnp.maximum, views[reach + 1 :])
    return (values > earlier) & (values >= later)


def moving_median(values: jax.Array, size: int, *, axis: int) -> jax.Array:
    """Median of the `size` (odd) entries about each; `values` [T, F] is mirrored.

    Equals `scipy.ndimage.median_filter(..., mode="reflect")` exactly. Sorted runs of
    shifted views are merged, shorter runs being shared by all the windows they lie in;
    rank k of two runs is the least of max(first[i], second[k - i]).

    Raises:
      ValueError: `size` is even.
    """
    if size % 2 == 0:
        raise ValueError(f"size {size} must be odd")
    if size == 1:
        return values
    pad = [(0, 0), (0, 0)]
    pad[axis] = (size // 2, size // 2)
    padded = jnp.pad(values, pad, mode="symmetric")
    length = values.shape[axis]

    def shift(array, start, count):
        return jax.lax.slice_in_dim(array, start, start + count, axis=axis)

    @functools.cache
    def sorted_runs(count):
        """Ranks 1 to `count` of the run that begins at each entry."""
        if count == 1:
            return (padded,)
        first_count = 1 << ((count - 1).bit_length() - 1)
        reach = padded.shape[axis] - count + 1
        first = [shift(a, 0, reach) for a in sorted_runs(first_count)]
        second = sorted_runs(count - first_count)
        second = [shift(a, first_count, reach) for a in second]
        # without a barrier XLA fuses all stages into one expression and compiles long
        return jax.lax.optimization_barrier(tuple(_merge(first, second)))

    half = size // 2
    first = [shift(a, 0, length) for a in sorted_runs(half + 1)]
    second = [shift(a, half + 1, length) for a in sorted_runs(half)]
    pairs = [jnp.maximum(a, b) for a, b in zip(first[:-1], second[::-1], strict=True)]
    return functools.reduce(jnp.minimum, [*pairs, first[-1]])


def _merge(first, second):
    """Two sorted lists of arrays -> one, by Batcher's odd-even merge."""
    if not first or not second:
        return [*first, *second]
    if len(first) == len(second) == 1:
        pair = first[0], second[0]
        return [jnp.minimum(*pair), jnp.maximum(*pair)]
    odd = _merge(first[::2], second[::2])
    even = _merge(first[1::2], second[1::2])
    paired = min(len(odd) - 1, len(even))
    merged = [odd[0]]
    for a, b in zip(odd[1 : 1 + paired], even[:paired], strict=True):
        merged += [jnp.minimum(a, b), jnp.maximum(a, b)]
    return [*merged, *odd[1 + paired :], *even[paired:]]


@functools.cache
def _mel_edges():
    """[66] in Hz: 64 triangles evenly spaced on the HTK mel scale."""
    low, high = 2595 * np.log10(1 + np.array([LOWEST_HERTZ, HIGHEST_HERTZ]) / 700)
    return 700 * (10 ** (np.linspace(low, high, NUM_MELS + 2) / 2595) - 1)


@functools.cache
def _mel_matrix():
    """[513, 64] float32 triangles, linear in Hz, each of sum 1."""
    edges = _mel_edges()
    hertz = np.arange(WINDOW // 2 + 1)[:, None] * SAMPLE_RATE / WINDOW
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (hertz - low) / (centre - low), (high - hertz) / (high - centre)
    weights = np.maximum(0, np.minimum(rising, falling))
    return (weights / weights.sum(0)).astype(np.float32)


@functools.cache
def band_matrix() -> np.ndarray:
    """[64, 3] float32: right-multiplied, the mean of the mel bands centred in each."""
    centre = _mel_edges()[1:-1, None]
    low, high = np.array(BANDS).T
    is_inside = (centre >= low) & (centre <= high)
    return (is_inside / is_inside.sum(0)).astype(np.float32)
