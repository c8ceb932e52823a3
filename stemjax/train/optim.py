"""AdamW with a three-stage learning rate in absolute steps (StemGen, sec. 3).

"10k warm-up steps, 50k steps at 5e-4, slow exponential decay over 300k": the schedule
does not depend on `--steps`, so that a longer run continues the same curve.
"""

import types
from collections.abc import Mapping
from typing import Any

import jax
import optax

from stemjax.config.train import OptimConfig

# Parameters without weight decay: gains of norms, biases (torch names them bias_ih_l0),
# embedding tables and null vectors.
UNDECAYED_LEAVES = ("scale", "bias")  # starts of the last name on a path
UNDECAYED_PARTS = ("embed", "null", "norm")  # parts of any name on a path
REST = "rest"  # label of the parameters that `parts` does not name
NO_PARTS: Mapping[str, OptimConfig | None] = types.MappingProxyType({})


def learning_rate(cfg: OptimConfig) -> optax.Schedule:
    """Step -> learning rate: linear from 0, constant, exponential to floor * peak."""
    floor = cfg.floor * cfg.peak_lr
    stages = [
        (cfg.warmup_steps, optax.linear_schedule(0.0, cfg.peak_lr, cfg.warmup_steps)),
        (cfg.hold_steps, optax.constant_schedule(cfg.peak_lr)),
        (
            cfg.decay_steps,
            optax.exponential_decay(
                cfg.peak_lr, max(cfg.decay_steps, 1), cfg.floor, end_value=floor
            ),
        ),
    ]
    stages = [(steps, stage) for steps, stage in stages if steps > 0]
    if not stages:
        return optax.constant_schedule(cfg.peak_lr)
    ends, total = [], 0
    for steps, _ in stages:
        total += steps
        ends.append(total)
    return optax.join_schedules([stage for _, stage in stages], ends[:-1])


def decay_mask(params: Any) -> Any:
    """True for parameters with weight decay: not norms, biases, embeddings (A9)."""

    def is_decayed(path, leaf) -> bool:
        names = [str(getattr(p, "key", getattr(p, "name", p))).lower() for p in path]
        is_exempt = names[-1].startswith(UNDECAYED_LEAVES)
        is_exempt |= any(part in name for part in UNDECAYED_PARTS for name in names)
        return leaf.ndim >= 2 and not is_exempt

    return jax.tree.map_with_path(is_decayed, params)


def make_optimizer(
    cfg: OptimConfig, parts: Mapping[str, OptimConfig | None] = NO_PARTS
) -> optax.GradientTransformation:
    """Clipping by global norm, Adam, decoupled weight decay, learning rate (A9, A22).

    Args:
      parts: settings of a separate optimiser, with separate clipping, for a top-level
        parameter; None: the parameter is not trained.
    """
    rest = optax.chain(
        optax.clip_by_global_norm(cfg.clip_norm),
        optax.adamw(
            learning_rate(cfg),
            b1=cfg.beta1,
            b2=cfg.beta2,
            weight_decay=cfg.weight_decay,
            mask=decay_mask,
        ),
    )
    if not parts:
        return rest
    transforms = {
        name: optax.set_to_zero() if part is None else make_optimizer(part)
        for name, part in parts.items()
    }

    def label(path, _):  # optax also calls it with an empty path
        return path[0].key if path and path[0].key in parts else REST

    def labels(params):
        return jax.tree.map_with_path(label, params)

    return optax.multi_transform(transforms | {REST: rest}, labels)


def ema_rate(decay: float, step: jax.Array) -> jax.Array:
    """Decay of the averaged parameters after `step` updates.

    It grows as (1 + n) / (10 + n) up to `decay`, so that short runs forget their initial
    weights.
    """
    n = step.astype("float32")
    return jax.numpy.minimum(decay, (1 + n) / (10 + n))
