"""Key and chords of a clip from its chroma (rows 1 and 10 of the descriptors).

Conventions: labels 0-11 are major on C, C#, ..., 12-23 minor; chroma has 20 frames per
second, frame t centred at t / 20 s, index 0 = C. Device functions are for one clip.

Sources: key profiles of Krumhansl and Kessler (1982) and the correlation of Krumhansl
(1990); triads by templates and a hidden Markov model that tends to stay (Sheh and
Ellis, 2003; Bello and Pickens, 2005).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.analysis.analysis import NO_CHORD, NO_KEY, NUM_TRIADS
from stemjax.analysis.tonal import FRAME_RATE, Tonal

LEAST_KEY_CORRELATION = 0.3
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_TRIADS = ((0, 4, 7), (0, 3, 7))
_SHARPNESS = 12.0  # log-likelihood per unit of cosine
_NO_CHORD_OFFSET = -0.12  # of the cosine with a flat chroma
_STAY = 0.96  # probability that the next frame has the same chord
_TINY = 1e-6


class Harmony(NamedTuple):
    """Key and chords of one clip."""

    key: jax.Array
    """[] int32: 0-23 or `NO_KEY`."""
    chords: jax.Array
    """[T] int32: a triad 0-23 or `NO_CHORD` per frame."""


def estimate_harmony(tonal: Tonal) -> Harmony:
    """Key and chords of one clip; `NO_KEY` and `NO_CHORD` if it is not tonal."""
    chords = estimate_chords(tonal.chroma)
    return Harmony(
        estimate_key(tonal.chroma, tonal.is_tonal),
        jnp.where(tonal.is_tonal, chords, NO_CHORD),
    )


@jax.jit
def estimate_harmony_batch(tonal: Tonal) -> Harmony:
    """`estimate_harmony` of each clip; every field has a leading B."""
    with jax.default_matmul_precision("highest"):
        return jax.vmap(estimate_harmony)(tonal)


def estimate_key(chroma: jax.Array, is_tonal: jax.Array) -> jax.Array:
    """The key whose profile correlates best with the mean chroma.

    chroma: [T, 12], is_tonal: [] bool.  Returns [] int32: 0-23, or `NO_KEY` if Pearson's
    r is below 0.3 for all keys or the clip is not tonal.
    """
    profiles = _standardised(jnp.asarray(_rotations(_MAJOR, _MINOR)))
    correlations = profiles @ _standardised(chroma.mean(0))
    has_key = is_tonal & (correlations.max() >= LEAST_KEY_CORRELATION)
    return jnp.where(has_key, jnp.argmax(correlations), NO_KEY).astype(jnp.int32)


def estimate_chords(chroma: jax.Array) -> jax.Array:
    """Most probable sequence of triads: [T, 12] -> [T] int32, 0-23 or `NO_CHORD`.

    A frame's log-likelihood is 12 times its cosine with the chord's three pitch classes;
    for no chord, with a flat chroma, less 0.12.
    """
    # silence, of no direction, counts as flat: no chord
    unit = _unit(chroma + _TINY)
    scores = _SHARPNESS * unit @ jnp.asarray(_templates()).T
    scores = scores.at[:, NO_CHORD].add(_SHARPNESS * _NO_CHORD_OFFSET)
    num_labels = NUM_TRIADS + 1
    transitions = np.full((num_labels, num_labels), (1 - _STAY) / NUM_TRIADS)
    np.fill_diagonal(transitions, _STAY)
    initial = np.full(num_labels, 1 / num_labels)
    return viterbi(
        scores,
        jnp.asarray(np.log(transitions), jnp.float32),
        jnp.asarray(np.log(initial), jnp.float32),
    )


def viterbi(
    log_emissions: jax.Array, log_transitions: jax.Array, log_initial: jax.Array
) -> jax.Array:
    """Most probable path of a hidden Markov model (Viterbi, 1967).

    log_emissions: [T, S], log_transitions: [S, S] from row to column, log_initial: [S].
    Returns [T] int32; of equal paths the one of lower states, from the end backwards.
    """

    def forward(best, emission):
        to_each = best[:, None] + log_transitions
        return to_each.max(0) + emission, jnp.argmax(to_each, 0).astype(jnp.int32)

    def backward(state, previous):
        return previous[state], state

    best, previous = jax.lax.scan(
        forward, log_initial + log_emissions[0], log_emissions[1:]
    )
    last = jnp.argmax(best).astype(jnp.int32)
    first, path = jax.lax.scan(backward, last, previous, reverse=True)
    return jnp.concatenate([first[None], path])


def chord_segments(labels: np.ndarray) -> np.ndarray:
    """Runs of equal labels: [T] ints -> [M, 3] float64 start, end (s), label.

    A change lies halfway between the centres of two frames; the first segment starts at
    0 and the last ends at T / 20, the clip's end. No frames give no segments.
    """
    labels = np.asarray(labels)
    if not len(labels):
        return np.zeros((0, 3))
    firsts = np.concatenate([[0], np.flatnonzero(np.diff(labels)) + 1])
    starts = np.maximum(firsts - 0.5, 0) / FRAME_RATE
    ends = np.append(starts[1:], len(labels) / FRAME_RATE)
    return np.stack([starts, ends, labels[firsts]], axis=1)


def _rotations(major, minor):
    """Two shapes of [12] on every root: [24, 12] float32."""
    shapes = [np.roll(shape, root) for shape in (major, minor) for root in range(12)]
    return np.array(shapes, np.float32)


def _templates():
    """[25, 12] unit vectors: triads, then the flat one."""
    shapes = [[float(step in triad) for step in range(12)] for triad in _TRIADS]
    triads = _rotations(*shapes) / np.sqrt(3)
    flat = np.full((1, 12), 1 / np.sqrt(12))
    return np.concatenate([triads, flat]).astype(np.float32)


def _standardised(x):
    """Last axis less its mean, to unit length: dot products are Pearson's r."""
    return _unit(x - x.mean(-1, keepdims=True))


def _unit(x):
    norm = jnp.sqrt((x**2).sum(-1, keepdims=True))
    return x / jnp.maximum(norm, _TINY**2)
