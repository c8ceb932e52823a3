"""A joint model: the loss of both streams, and validation on what training shows."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.tasks import stemgen as tasks
from stemjax.tasks.context_loss import pair_losses
from stemjax.tasks.masked_codes import fixed_masks
from tests.models.oracle import random_params
from tests.tasks.made_tasks import (
    CODEC,
    MODEL,
    Q,
    T,
    V,
    batch_of,
    evaluation,
    means,
    run_of,
)


def test_joint_loss_covers_both_streams_and_needs_no_context_it_dropped():
    model = dataclasses.replace(MODEL, joint=True)
    params = random_params(model)

    def of(**objective):
        joint = tasks.make(run_of(model, **objective), CODEC, batches_are_tokens=True)
        step = jax.jit(lambda p, batch, key: joint.loss(p, {}, {}, batch, key))
        return step(params, batch_of(0), jax.random.key(0))

    loss, out = of(context_dropout=0.0)
    nats = [float(out.sums[f"loss/{s}"][0]) for s in ("target", "context")]
    count = [float(out.sums[f"loss/{s}"][1]) for s in ("target", "context")]
    assert count[0] == count[1] > 0  # the same level and ratio
    np.testing.assert_allclose(loss, sum(nats) / sum(count), rtol=1e-6)
    _, out = of(context_dropout=1.0)
    assert float(out.sums["loss/context"][1]) == 0


@pytest.mark.slow
def test_validation_of_a_joint_model_is_its_training_loss_on_the_same_masks(
    monkeypatch,
):
    """Training is given the fixed masks of each level in turn; no source is dropped."""
    model = dataclasses.replace(MODEL, joint=True)
    params, batch = random_params(model), batch_of(1)
    run = run_of(model, context_dropout=0.0, condition_dropout=0.0)
    joint = tasks.make(run, CODEC, batches_are_tokens=True)
    row = jnp.arange(6)
    trained = {"target": np.zeros(2), "context": np.zeros(2)}
    for q in range(Q):
        level = jnp.full(6, q)
        ratio, is_masked = fixed_masks(row, level, model, T)
        _, is_hidden = fixed_masks(row, level, model, T, ratio, of_context=True)
        assert (is_masked != is_hidden).any()  # drawn independently
        masks = iter([is_masked, is_hidden])
        monkeypatch.setattr(tasks, "draw_levels", lambda *_, level=level: level)
        monkeypatch.setattr(tasks, "draw_masks", lambda *_, m=masks, **__: next(m))
        _, out = joint.loss(params, {}, {}, batch, jax.random.key(0))
        for name, sums in trained.items():
            sums += np.array(out.sums[f"loss/{name}"])
    validated = joint.eval_sums(params, {}, {}, evaluation(batch), jax.random.key(1))
    for name, (nats, count) in trained.items():
        assert validated[f"loss/{name}"][1] == count > 0
        np.testing.assert_allclose(validated[f"loss/{name}"][0], nats, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("is_joint", [True, False])
def test_a_joint_model_is_scored_without_the_finer_levels_of_the_context(is_joint):
    """At each level, codes of the context count up to that level, as in training."""
    model = dataclasses.replace(MODEL, joint=is_joint)
    params, batch = random_params(model), batch_of(1)
    finer = batch["context_codes"].copy()
    finer[:, 1] = (finer[:, 1] + 1) % V
    scored = tasks.make(run_of(model), CODEC, batches_are_tokens=True)
    score = jax.jit(lambda batch: scored.eval_sums(params, {}, {}, batch, None))
    losses = []
    for context in (batch["context_codes"], finer):
        changed = evaluation(batch | {"context_codes": context})
        validation = means(score(changed))
        pairs = changed | {"other_context_codes": context, "song": np.arange(6)}
        own = pair_losses(params, model, [pairs], ratios=(0.5,))[0][0, :, 0].mean(-1)
        losses.append([*own, validation["loss/level_1"], validation["loss/level_2"]])
    is_equal = np.equal(*losses)
    assert is_equal.tolist() == [is_joint, False, is_joint, False]
