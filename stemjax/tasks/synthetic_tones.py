"""Synthetic notes of a few partials, as training crops of a codec.

Such sparse spectra are rare in songs.  A codec trained only on dense spectra adds partials
and noise to a flute or a sine.
"""

import jax
import jax.numpy as jnp

NOTES, PARTIALS = 3, 8  # at most, per crop and per note
LOWEST, HIGHEST = 40.0, 4_000.0  # Hz, range of the first partials
TOP = 14_000.0  # Hz; partials above it are silent


def synthetic_tones(key: jax.Array, count: int, samples: int, rate: int) -> jax.Array:
    """One to three decaying notes per crop: [count, samples], root mean square 0.1.

    Pitch is log-uniform.  Partial h has the amplitude h^-s with s uniform in 0.5..6, so
    that many notes are nearly sines.  A note begins in the first half of the crop or
    before the crop.

    rate: sample rate in Hz.
    """
    keys = jax.random.split(key, 6)
    each = (count, NOTES, 1)
    octaves = jnp.log2(HIGHEST / LOWEST)
    pitch = LOWEST * 2 ** jax.random.uniform(keys[0], each, maxval=octaves)
    slope = jax.random.uniform(keys[1], each, minval=0.5, maxval=6.0)
    begin = jax.random.uniform(keys[2], each, minval=-0.5, maxval=0.5)
    decay = jax.random.uniform(keys[3], each, maxval=6.0)  # nepers per second
    notes = jax.random.randint(keys[4], (count, 1, 1), 1, NOTES + 1)
    is_on = jnp.arange(NOTES)[None, :, None] < notes
    phase = jax.random.uniform(keys[5], (count, NOTES, PARTIALS, 1))
    number = jnp.arange(1, PARTIALS + 1)
    hertz = pitch * number  # [B, notes, partials]
    amplitude = jnp.where(is_on & (hertz < TOP), number**-slope, 0.0)
    seconds = jnp.arange(samples) / rate
    angle = hertz[..., None] * seconds + phase
    waves = jnp.einsum("bvh,bvhn->bvn", amplitude, jnp.sin(2 * jnp.pi * (angle % 1)))
    since = seconds - begin * samples / rate  # [B, notes, N]
    envelope = jnp.exp(-decay * since) * jnp.clip(since / 0.01, 0, 1)
    audio = jnp.sum(waves * envelope, axis=1)
    power = jnp.mean(audio**2, axis=1, keepdims=True)
    return 0.1 * audio * jax.lax.rsqrt(power + 1e-12)
