"""Crops of a few partials: sounds so bare that songs hardly have them.

A codec that has heard only dense spectra fills up those of a flute or of a sine.
"""

import jax
import jax.numpy as jnp

VOICES, PARTIALS = 3, 8
LOWEST, HIGHEST = 40.0, 4_000.0  # Hz, of the first partials
TOP = 14_000.0  # Hz: no partial above


def made_tones(key: jax.Array, count: int, samples: int, rate: int) -> jax.Array:
    """One to three decaying notes a crop: [count, samples], a root mean square of 0.1.

    Pitch is log-uniform; partial h has the amplitude h^-s, s uniform in 0.5..6, so that
    many are nearly sines; a note begins in the crop or before it.
    """
    keys = jax.random.split(key, 6)
    each = (count, VOICES, 1)
    octaves = jnp.log2(HIGHEST / LOWEST)
    pitch = LOWEST * 2 ** jax.random.uniform(keys[0], each, maxval=octaves)
    slope = jax.random.uniform(keys[1], each, minval=0.5, maxval=6.0)
    begin = jax.random.uniform(keys[2], each, minval=-0.5, maxval=0.5)
    decay = jax.random.uniform(keys[3], each, maxval=6.0)  # nepers a second
    voices = jax.random.randint(keys[4], (count, 1, 1), 1, VOICES + 1)
    is_heard = jnp.arange(VOICES)[None, :, None] < voices
    phase = jax.random.uniform(keys[5], (count, VOICES, PARTIALS, 1))
    number = jnp.arange(1, PARTIALS + 1)
    hertz = pitch * number  # [B, V, H]
    size = jnp.where(is_heard & (hertz < TOP), number**-slope, 0.0)
    seconds = jnp.arange(samples) / rate
    angle = hertz[..., None] * seconds + phase
    waves = jnp.einsum("bvh,bvhn->bvn", size, jnp.sin(2 * jnp.pi * (angle % 1)))
    since = seconds - begin * samples / rate  # [B, V, N]
    envelope = jnp.exp(-decay * since) * jnp.clip(since / 0.01, 0, 1)
    audio = jnp.sum(waves * envelope, axis=1)
    power = jnp.mean(audio**2, axis=1, keepdims=True)
    return 0.1 * audio * jax.lax.rsqrt(power + 1e-12)
