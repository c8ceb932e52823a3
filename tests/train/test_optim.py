"""The schedule by a table, the decay mask by names, the optimiser by one hand step."""

import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.config.presets import STEMGEN_SLAKH
from stemjax.config.train import OptimConfig
from stemjax.train.optim import decay_mask, ema_rate, learning_rate, make_optimizer

PAPER = STEMGEN_SLAKH.optim


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.0),
        (1, 5e-8),
        (5_000, 2.5e-4),
        (10_000, 5e-4),
        (59_999, 5e-4),
        (60_000, 5e-4),
        (210_000, 5e-5),  # half of the decay to 1 %: a factor of 10
        (360_000, 5e-6),
        (1_000_000, 5e-6),
    ],
)
def test_the_papers_schedule(step, expected):
    assert float(learning_rate(PAPER)(step)) == pytest.approx(expected, rel=1e-4)


def test_the_schedule_counts_absolute_steps_and_skips_empty_stages():
    hold_only = OptimConfig(peak_lr=0.1, warmup_steps=0, hold_steps=5, decay_steps=0)
    assert float(learning_rate(hold_only)(0)) == pytest.approx(0.1)
    assert float(learning_rate(hold_only)(500)) == pytest.approx(0.1)
    none = OptimConfig(peak_lr=0.1, warmup_steps=0, hold_steps=0, decay_steps=0)
    assert float(learning_rate(none)(3)) == pytest.approx(0.1)


def test_decay_spares_norms_biases_and_embeddings():
    params = {
        "layers": {
            "attn_norm": {"scale": jnp.ones((20, 8))},  # stacked by the layer scan
            "attn": {"kernel": jnp.ones((20, 8, 8)), "bias": jnp.ones((20, 8))},
        },
        "context_embedding": jnp.ones((4, 9, 8)),
        "instrument": {"embedding": jnp.ones((19, 8))},
        "decoder": {
            "lstm": {"weight_ih_l0": jnp.ones((8, 2)), "bias_ih_l0": jnp.ones((2, 8))}
        },
        "head": jnp.ones((8, 16)),
        "gain": jnp.ones(8),
    }
    mask = decay_mask(params)
    assert mask == {
        "layers": {
            "attn_norm": {"scale": False},
            "attn": {"kernel": True, "bias": False},
        },
        "context_embedding": False,
        "instrument": {"embedding": False},
        "decoder": {"lstm": {"weight_ih_l0": True, "bias_ih_l0": False}},
        "head": True,
        "gain": False,
    }


def test_decay_and_clipping_act_by_hand():
    cfg = OptimConfig(
        peak_lr=0.5, warmup_steps=0, hold_steps=10, weight_decay=0.1, clip_norm=1.0
    )
    params = {"head": jnp.full((2, 2), 2.0), "bias": jnp.full(2, 2.0)}
    tx = make_optimizer(cfg)
    zero = {"head": jnp.zeros((2, 2)), "bias": jnp.zeros(2)}
    updates, _ = tx.update(zero, tx.init(params), params)
    np.testing.assert_allclose(updates["head"], -0.5 * 0.1 * 2.0, rtol=1e-6)
    np.testing.assert_allclose(updates["bias"], 0.0)
    # Adam's first step is the sign; a gradient of any size gives the same after clip
    grads = {"head": jnp.full((2, 2), 1e6), "bias": jnp.zeros(2)}
    updates, state = tx.update(grads, tx.init(params), params)
    np.testing.assert_allclose(updates["head"], -0.5 * (1 + 0.2), rtol=1e-5)
    (mu,) = [s.mu for s in state[1] if hasattr(s, "mu")]
    norm = float(jnp.sqrt(jnp.sum(jnp.square(mu["head"] / (1 - cfg.beta1)))))
    assert norm == pytest.approx(cfg.clip_norm, rel=1e-5)


def test_the_average_forgets_the_start_then_reaches_its_decay():
    rates = [float(ema_rate(0.99, jnp.int32(n))) for n in (0, 8, 100_000)]
    assert rates == pytest.approx([0.1, 0.5, 0.99])
