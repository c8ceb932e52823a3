"""What a discriminator adds to a codec's training (EnCodec, sec. 3.4).

One scalar for one backward pass: the generator's losses see a discriminator that stands
still, and the discriminator's see audio that stands still, so that each half's gradient
is its own.  Each half has its own optimiser (`CodecRun.part_optims`).
"""

import jax
import jax.numpy as jnp

from stemjax.codec import discriminator
from stemjax.config.codec import AdversarialObjective
from stemjax.tasks.task import Sums

PART = "discriminator"  # its top-level name among the parameters; never released


def losses(
    cfg: AdversarialObjective, params, output: jax.Array, audio: jax.Array
) -> tuple[jax.Array, Sums]:
    """Weighted losses of both halves, [], and their metrics.

    params: the discriminator's.  output, audio: [B, N], decoded and true.
    """
    still = jax.lax.stop_gradient
    shape = cfg.discriminator
    real = discriminator.judge(params, shape, audio)
    fake = discriminator.judge(params, shape, still(output))
    # XLA computes this forward pass once with the one above: their values are the same
    heard = discriminator.judge(still(params), shape, output)
    metrics = {
        "adversarial": discriminator.generator_hinge(heard),
        "matching": discriminator.feature_distance(still(real), heard),
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
