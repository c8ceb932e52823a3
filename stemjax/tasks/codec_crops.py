"""Training crops of a codec: levels drawn from a range, and synthetic tones."""

import jax
import jax.numpy as jnp

from stemjax.config.runs import CodecRun
from stemjax.tasks.synthetic_tones import synthetic_tones

INT16 = 32_768.0
LEAST_POWER = 1e-6  # mean square (-60 dB); softer crops are scaled as if they had it


def as_float(batch) -> jax.Array:
    """Audio of a batch as float32: {"audio": [B, N] int16} -> [B, N]."""
    return batch["audio"].astype(jnp.float32) / INT16


def training_crops(run: CodecRun, batch, key) -> jax.Array:
    """Crops [B, N] of a batch, by `run.objective`.

    A share of the crops is replaced by synthetic tones, then each crop is scaled to a
    random level.
    """
    objective, audio = run.objective, as_float(batch)
    k_tones, k_levels = jax.random.split(jax.random.fold_in(key, 1))
    if count := round(objective.synthetic_share * len(audio)):
        tones = synthetic_tones(k_tones, count, audio.shape[1], run.model.sample_rate)
        audio = jnp.concatenate([audio[count:], tones])
    if not objective.crop_levels:
        return audio
    least, most = objective.crop_levels
    level = jax.random.uniform(k_levels, (len(audio),), minval=least, maxval=most)
    return at_levels(audio, level)


def at_levels(audio: jax.Array, level: jax.Array) -> jax.Array:
    """Scale audio [B, N] to root mean squares of `level` [B] dB of full scale.

    Audio below `LEAST_POWER` stays softer than that.
    """
    power = jnp.maximum(jnp.mean(audio**2, axis=1), LEAST_POWER)
    return audio * (10 ** (level / 20) * jax.lax.rsqrt(power))[:, None]
