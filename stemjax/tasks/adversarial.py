"""Adversarial losses of codec training (EnCodec, sec. 3.4).

The losses of codec and discriminator form one scalar for one backward pass.  The codec's
losses stop gradients to the discriminator, the discriminator's those to the audio, so
that each half gets the gradient of its losses alone.  Each half has a separate optimiser
(`CodecRun.part_optims`).
"""

import jax
import jax.numpy as jnp

from stemjax.codec import discriminator
from stemjax.config.codec import AdversarialObjective
from stemjax.tasks.task import Sums

PART = "discriminator"  # top-level name of its parameters, which are not released


def losses(
    cfg: AdversarialObjective, params, output: jax.Array, audio: jax.Array
) -> tuple[jax.Array, Sums]:
    """Weighted sum of both halves' losses, [], and their metrics.

    Args:
      params: the discriminator's parameters.
      output: decoded audio, [B, N].
      audio: original audio, [B, N].
    """
    still = jax.lax.stop_gradient
    shape = cfg.discriminator
    real = discriminator.judge(params, shape, audio)
    fake = discriminator.judge(params, shape, still(output))
    # the values equal those of `fake`; XLA computes this forward pass once
    judged = discriminator.judge(still(params), shape, output)
    metrics = {
        "adversarial": discriminator.generator_hinge(judged),
        "matching": discriminator.feature_distance(still(real), judged),
        "discriminator": discriminator.discriminator_hinge(real, fake),
        "real_accuracy": discriminator.accuracy(real, is_real=True),
        "fake_accuracy": discriminator.accuracy(fake, is_real=False),
    }
    total = (
        cfg.weight * metrics["adversarial"]
        + cfg.matching_weight * metrics["matching"]
        + metrics["discriminator"]
    )
    count = jnp.float32(len(audio))
    return total, {name: (value * count, count) for name, value in metrics.items()}
