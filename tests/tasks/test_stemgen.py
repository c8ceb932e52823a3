"""The StemGen task: its loss by hand, its break-down, fixed evaluation, learning."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from stemjax.arrays.masking import draw_levels, level_mask
from stemjax.codec import functional as codec
from stemjax.config.codec import CodecConfig
from stemjax.config.model import StemGenObjective
from stemjax.config.presets import CODEC_TINY, STEMGEN_TINY, fit_to_codec
from stemjax.config.train import PairConfig
from stemjax.models import stemgen
from stemjax.tasks import stemgen as tasks
from stemjax.tasks.code_sums import DROP_PATTERNS, bucket, codes_in_use, pattern
from tests.models.oracle import listener, random_params
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


@functools.cache
def task(**objective):
    return tasks.make(run_of(**objective), CODEC, batches_are_tokens=True)


@functools.cache
def jitted(name, **objective):
    function = getattr(task(**objective), name)
    return jax.jit(lambda params, batch, key: function(params, {}, {}, batch, key))


def test_a_model_that_cannot_tell_codes_apart_has_the_loss_of_guessing():
    params = random_params(MODEL) | {"heads": {"kernel": jnp.zeros((Q, 32, V))}}
    loss, out = jitted("loss")(params, batch_of(0), jax.random.key(0))
    np.testing.assert_allclose(loss, math.log(V), rtol=1e-6)
    assert out.stats == ()


def test_a_model_that_repeats_the_context_is_right_where_it_is_repeated():
    quiet = dict(context_dropout=0.0, condition_dropout=0.0)
    params = listener(MODEL)
    loss, out = jitted("loss", **quiet)(
        params, batch_of(0, is_copy=True), jax.random.key(0)
    )
    assert loss < 1e-3 and means(out.sums)["accuracy"] == 1.0
    loss, out = jitted("loss", **quiet)(params, batch_of(0), jax.random.key(0))
    assert loss > 5 and means(out.sums)["accuracy"] < 0.4


def test_a_dropped_context_is_not_heard():
    params = listener(MODEL)
    dropped = dict(context_dropout=1.0, condition_dropout=0.0)
    loss, out = jitted("loss", **dropped)(
        params, batch_of(0, is_copy=True), jax.random.key(0)
    )
    np.testing.assert_allclose(loss, math.log(V), rtol=1e-5)
    assert set(means(out.sums)) >= {"loss/drop_context"}
    assert float(out.sums["loss/drop_none"][1]) == 0


def test_groups_share_out_the_hidden_tokens():
    many = jax.vmap(
        lambda key: task(context_dropout=0.5, condition_dropout=0.25).loss(
            random_params(MODEL), {}, {}, batch_of(0), key
        )[1]
    )
    sums = jax.jit(many)(jax.random.split(jax.random.key(0), 200)).sums
    count = {k: np.asarray(n, np.float64) for k, (_, n) in sums.items()}
    for title, names in (
        ("level", range(1, Q + 1)),
        ("ratio", range(1, 5)),
        ("drop", DROP_PATTERNS),
    ):
        parts = sum(count[f"loss/{title}_{name}"] for name in names)
        np.testing.assert_array_equal(parts, count["accuracy"])
    assert count["accuracy"].min() >= 6  # at least one token an example
    total = count["accuracy"].sum()
    # A1: levels are drawn evenly; A16: sources are dropped on their own
    share = {k: n.sum() / total for k, n in count.items()}
    # 1200 examples: standard error 0.015 of a share of a half
    np.testing.assert_allclose(share["loss/level_1"], 0.5, atol=0.07)
    for name, expected in zip(DROP_PATTERNS, (0.375, 0.375, 0.125, 0.125), strict=True):
        np.testing.assert_allclose(share[f"loss/drop_{name}"], expected, atol=0.07)


@pytest.mark.slow
def test_loss_is_the_mean_over_hidden_tokens_of_the_drawn_level():
    """A slow twin, token by token, from the same keys."""
    params, batch, key = random_params(MODEL), batch_of(3, 4), jax.random.key(5)
    loss, _ = jitted("loss", context_dropout=0.0, condition_dropout=0.0)(
        params, batch, key
    )
    k_level, k_ratio, k_mask, _, _ = jax.random.split(key, 5)
    levels = draw_levels(k_level, 4, Q)
    nats, count = 0.0, 0

    @functools.partial(jax.jit, static_argnums=3)
    def forward(context, shown, instrument, level):
        return stemgen.apply_level(
            params,
            MODEL,
            context=stemgen.embed_context(params, MODEL, context),
            target_codes=shown,
            condition=stemgen.embed_conditions(
                params, MODEL, {"instrument": instrument}
            ),
            level=level,
        )

    for b in range(4):
        level = int(levels[b])
        ratio = tasks.mask_ratio(jax.random.split(k_ratio, 4)[b])
        is_masked = np.asarray(
            level_mask(
                jax.random.split(k_mask, 4)[b], level, ratio, num_levels=Q, num_frames=T
            )
        )
        target = batch["target_codes"][b].astype(np.int32)
        context = jnp.asarray(batch["context_codes"][b : b + 1].astype(np.int32))
        shown = jnp.asarray(np.where(is_masked, V, target))[None]
        logits = forward(context, shown, batch["instrument"][b : b + 1], level)
        log_probs = np.asarray(jax.nn.log_softmax(logits[0]))
        for t in range(T):
            if is_masked[level, t]:
                nats -= log_probs[t, target[level, t]]
                count += 1
    np.testing.assert_allclose(loss, nats / count, rtol=1e-5)  # float32 sums


def test_evaluation_ignores_padding_order_and_key():
    batch = evaluation(batch_of(1), batch_of(2)["context_codes"])
    sums = jitted("eval_sums")(random_params(MODEL), batch, jax.random.key(0))
    turned = {k: v[::-1] for k, v in batch.items()}
    noise = evaluation(batch_of(9), batch_of(8)["context_codes"])
    noise["is_valid"] = np.zeros(6, bool)
    padded = {k: np.concatenate([turned[k], noise[k]]) for k in batch}
    again = jitted("eval_sums")(random_params(MODEL), padded, jax.random.key(1))
    assert set(sums) == set(again)
    for name, (value, count) in sums.items():
        np.testing.assert_array_equal(count, again[name][1], err_msg=name)
        # sums in another order
        np.testing.assert_allclose(
            value, again[name][0], rtol=1e-4, atol=1e-4, err_msg=name
        )


def test_evaluation_of_a_listener():
    batch = evaluation(batch_of(1, is_copy=True), batch_of(2)["context_codes"])
    values = means(jitted("eval_sums")(listener(MODEL), batch, jax.random.key(0)))
    assert values["accuracy"] == values["accuracy/level_2"] == 1.0
    assert values["context_gain"] > 5
    assert min(values[f"context_gain/level_{q}"] for q in (1, 2)) > 5
    np.testing.assert_allclose(values["loss/drop_context"], math.log(V), rtol=1e-5)
    assert values["loss/drop_condition"] < 1e-3 and values["loss/drop_none"] < 1e-3
    batch["other_context_codes"] = batch["context_codes"]
    values = means(jitted("eval_sums")(listener(MODEL), batch, jax.random.key(0)))
    assert abs(values["context_gain"]) < 1e-6


def test_evaluation_without_another_song_has_no_gain():
    sums = jax.eval_shape(
        jitted("eval_sums"),
        random_params(MODEL),
        evaluation(batch_of(1)),
        jax.random.key(0),
    )
    assert not any("context_gain" in name for name in sums)
    assert {"loss", "accuracy", "codes_in_use/level_2", "loss/ratio_4"} <= set(sums)


def test_codes_in_use_by_hand():
    codes = jnp.array([[0, 1, 1, 5], [5, 5, 5, 5], [2, 3, 4, 6]])
    used, batches = codes_in_use(codes, jnp.array([True, True, False]), 8)
    assert (float(used), float(batches)) == (3.0, 1.0)


def test_buckets_and_patterns_by_hand():
    ratios = jnp.array([0.0, 0.24, 0.25, 0.6, 0.75, 1.0])
    assert bucket(ratios).tolist() == [0, 0, 1, 2, 3, 3]
    dropped = jnp.array([[0, 0, 0], [1, 0, 0], [0, 0, 1], [1, 1, 0]], bool)
    names = [DROP_PATTERNS[i] for i in pattern(dropped)]
    assert names == ["none", "context", "condition", "both"]


@pytest.mark.slow
def test_audio_batches_are_the_tokens_of_the_frozen_codec():
    config = CodecConfig(
        num_filters=2,
        upsampling_ratios=(4, 2),
        num_lstm_layers=1,
        hidden_size=4,
        num_codebooks=Q,
        codebook_size=V,
    )
    run = dataclasses.replace(
        run_of(fit_to_codec(MODEL, config)), pairs=PairConfig(crop_seconds=0.01)
    )
    params, codebooks = jax.jit(lambda k: codec.init(k, config))(jax.random.key(0))
    frozen = {"params": params, "codebooks": codebooks}
    of_audio = tasks.make(run, config, batches_are_tokens=False)
    batch = of_audio.dummy_batch(2)
    rng = np.random.default_rng(0)
    for name in ("context", "target"):
        noise = rng.normal(0, 3000, batch[name].shape)
        batch[name] = noise.astype(np.int16)
    encode = jax.jit(lambda audio: codec.encode(frozen, config, audio))
    tokens = {"instrument": batch["instrument"]}
    for name in ("context", "target"):
        audio = jnp.asarray(batch[name]).astype(jnp.float32) / 32768
        tokens[f"{name}_codes"] = encode(audio)
    of_tokens = tasks.make(run, config, batches_are_tokens=True)
    dummy = of_tokens.dummy_batch(2)
    assert {k: v.shape for k, v in dummy.items()} == {
        k: v.shape for k, v in tokens.items()
    }
    model, key = random_params(run.model), jax.random.key(2)
    a, _ = jax.jit(of_audio.loss)(model, {}, frozen, batch, key)
    b, _ = jax.jit(of_tokens.loss)(model, {}, {}, tokens, key)
    # nearest codes may flip on a tie when a batch of four is encoded as two of two
    np.testing.assert_allclose(a, b, rtol=1e-3)


def test_a_model_of_another_codec_is_refused():
    with pytest.raises(ValueError, match="2 x 8 codes.*4 x 2048.*fit_to_codec"):
        tasks.make(run_of(), CodecConfig(), batches_are_tokens=True)


@pytest.mark.slow
def test_tiny_overfits_one_batch():
    """`stemgen-tiny` on codec-tiny's 2 x 512 codes: one batch, fresh masks each step.

    Sources are not dropped: an example whose context, condition and tokens are all
    hidden looks like any other one, so its loss has a floor.
    """
    config = CODEC_TINY.model
    run = dataclasses.replace(
        STEMGEN_TINY,
        model=fit_to_codec(STEMGEN_TINY.model, config),
        objective=StemGenObjective(context_dropout=0.0, condition_dropout=0.0),
    )
    tiny = tasks.make(run, config, batches_are_tokens=True)
    rng = np.random.default_rng(0)
    batch = tiny.dummy_batch(run.batch_size)
    for name in ("context_codes", "target_codes"):
        batch[name] = rng.integers(0, 512, batch[name].shape).astype(np.uint16)
    params = jax.jit(lambda key: stemgen.init(key, run.model))(jax.random.key(0))
    tx = optax.adam(run.optim.peak_lr)

    def step(state, i):
        params, moments = state
        key = jax.random.fold_in(jax.random.key(1), i)
        loss, grads = jax.value_and_grad(lambda p: tiny.loss(p, {}, {}, batch, key)[0])(
            params
        )
        updates, moments = tx.update(grads, moments)
        return (optax.apply_updates(params, updates), moments), loss

    many = jax.jit(lambda state: jax.lax.scan(step, state, jnp.arange(160)))
    state, losses = many((params, tx.init(params)))
    losses = np.asarray(losses)
    np.testing.assert_allclose(losses[0], math.log(512), atol=0.3)
    assert losses[-20:].max() < 0.1 * losses[0], losses[::10]
