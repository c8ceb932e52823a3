"""The StemGen network: sizes, names, fig. 3 by tables, heads, dropping, layouts."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.core import meta

from stemjax.config.model import (
    INSTRUMENT,
    Condition,
    ConditionKind,
    StemGenConfig,
    TransformerConfig,
)
from stemjax.config.presets import PRESETS
from stemjax.models import flops, stemgen
from stemjax.nn.axes import RULES
from tests.models.oracle import random_params

CFG = StemGenConfig(
    num_codebooks=3,
    codebook_size=10,
    transformer=TransformerConfig(width=16, layers=1, heads=2, mlp_hidden=24),
)
B, Q, T, V = 4, 3, 6, 10
INSTRUMENTS = [0, 5, 17, 2]
VECTOR = ConditionKind.VECTOR


def codes(seed):
    return np.random.default_rng(seed).integers(0, V, (B, Q, T)).astype(np.int32)


@pytest.fixture(scope="module")
def params():
    return random_params(CFG)


@functools.partial(jax.jit, static_argnames=("cfg", "static_level"))
def forward(
    params, context, target, instrument, drop, level, lengths, *, cfg, static_level
):
    return stemgen.apply_level(
        params,
        cfg,
        context=stemgen.embed_context(params, cfg, context, drop),
        target_codes=target,
        condition=stemgen.embed_conditions(params, cfg, {"instrument": instrument}),
        level=level if static_level is None else static_level,
        lengths=lengths,
    )


def logits_of(
    params,
    *,
    context=None,
    target=None,
    level=1,
    instrument=None,
    drop=None,
    lengths=None,
):
    is_static = isinstance(level, int)
    return forward(
        params,
        jnp.asarray(codes(1) if context is None else context),
        jnp.asarray(codes(2) if target is None else target),
        jnp.asarray(INSTRUMENTS if instrument is None else instrument),
        drop,
        None if is_static else level,
        lengths,
        cfg=CFG,
        static_level=level if is_static else None,
    )


def test_paper_size():
    counts = flops.parameter_counts(PRESETS["stemgen-slakh"].run.model)
    assert 245_000_000 <= counts["backbone"] <= 265_000_000  # "~250M", sec. 3
    layer = 4 * 1024**2 + 3 * 1024 * 2736 + 2 * 1024
    assert counts == {
        "backbone": 20 * layer + 1024,
        "embedding": 2 * 4 * 2049 * 512 + 19 * 512,
        "head": 4 * 1024 * 2048,
    }


def test_flops_by_hand():
    cfg = PRESETS["stemgen-slakh"].run.model
    matmul = 20 * (4 * 1024**2 + 3 * 1024 * 2736) + 1024 * 2048
    token = 6 * matmul + 12 * 20 * 1000 * 1024
    assert flops.flops_per_token(cfg, 1000) == token
    assert flops.flops_per_step(cfg, 40, 1000) == 40 * 1000 * token


def test_names_are_the_checkpoint_format(params):
    names = {
        "/".join(k.key for k in path): leaf.shape
        for path, leaf in jax.tree.leaves_with_path(params)
    }
    assert names == {
        "backbone/layers_0/attention/out": (2, 8, 16),
        "backbone/layers_0/attention/qkv": (16, 3, 2, 8),
        "backbone/layers_0/attention_norm/scale": (16,),
        "backbone/layers_0/mlp/down": (24, 16),
        "backbone/layers_0/mlp/gate_up": (16, 2, 24),
        "backbone/layers_0/mlp_norm/scale": (16,),
        "backbone/norm/scale": (16,),
        "condition_embed_instrument/embedding": (19, 8),
        "context_embed/embedding": (3, 11, 8),
        "heads/kernel": (3, 16, 10),
        "target_embed/embedding": (3, 11, 8),
    }


def test_every_parameter_has_logical_axes_with_a_rule():
    cfg = dataclasses.replace(
        CFG,
        joint=True,
        conditions=(INSTRUMENT, Condition(name="clap", kind=VECTOR, size=5)),
    )
    boxed = jax.eval_shape(
        lambda k: stemgen.init(k, cfg, boxed=True), jax.random.key(0)
    )
    leaves = jax.tree.leaves(boxed, is_leaf=lambda x: isinstance(x, meta.Partitioned))
    for leaf in leaves:
        assert isinstance(leaf, meta.Partitioned)
        assert len(leaf.names) == leaf.value.ndim
        assert set(leaf.names) - {None} <= {name for name, _ in RULES}


def test_fig_3_context_is_a_sum_of_rows(params):
    table = np.asarray(params["context_embed"]["embedding"])
    context = codes(1)
    is_dropped = np.array([False, True, False, False])
    got = stemgen.embed_context(params, CFG, jnp.array(context), jnp.array(is_dropped))
    for b in range(B):
        for t in range(T):
            rows = [
                table[q, V if is_dropped[b] else context[b, q, t]] for q in range(Q)
            ]
            np.testing.assert_allclose(got[b, t], sum(rows), rtol=1e-6, atol=1e-6)


def test_fig_3_conditions(params):
    table = np.asarray(params["condition_embed_instrument"]["embedding"])
    instrument = jnp.array([3, 18, -1, 3])  # 18 and -1: null
    is_dropped = jnp.array([[False], [False], [False], [True]])
    got = stemgen.embed_conditions(params, CFG, {"instrument": instrument}, is_dropped)
    np.testing.assert_array_equal(got, table[[3, 18, 18, 18]])


def test_fig_3_streams_are_concatenated_and_both_conditioned(params):
    """Without blocks the head sees the normalised [context + c, target + c]."""
    bare = jax.tree.map(lambda x: x, params)
    block = bare["backbone"]["layers_0"]
    block["attention"]["out"] = jnp.zeros_like(block["attention"]["out"])
    block["mlp"]["down"] = jnp.zeros_like(block["mlp"]["down"])
    tables = {k: np.asarray(params[k]["embedding"]) for k in params if "embed" in k}
    scale = np.asarray(params["backbone"]["norm"]["scale"])
    target = codes(2)
    target[:, 2] = V  # masked: the MASK row of its level
    got = logits_of(bare, target=target, level=2)
    for b, t in [(0, 0), (1, 3), (3, 5)]:
        condition = tables["condition_embed_instrument"][INSTRUMENTS[b]]
        streams = []
        for name, stream in (("context_embed", codes(1)), ("target_embed", target)):
            rows = [tables[name][q, stream[b, q, t]] for q in range(Q)]
            streams.append(sum(rows) + condition)
        x = np.concatenate(streams)
        x = x / np.sqrt((x**2).mean() + 1e-6) * scale
        expected = x @ np.asarray(params["heads"]["kernel"])[2]
        np.testing.assert_allclose(got[b, t], expected, rtol=1e-4, atol=1e-5)


def test_vector_condition_and_its_null():
    cfg = dataclasses.replace(
        CFG, conditions=(INSTRUMENT, Condition(name="clap", kind=VECTOR, size=5))
    )
    params = random_params(cfg)
    clap = np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32)
    got = stemgen.embed_conditions(
        params,
        cfg,
        {"clap": clap, "instrument": np.array([1, 2])},
        jnp.array([[False, False], [True, True]]),
    )
    table = params["condition_embed_instrument"]["embedding"]
    vector = params["condition_embed_clap"]
    np.testing.assert_allclose(
        got[0], table[1] + clap[0] @ vector["embedding"], rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(got[1], table[18] + vector["null"], rtol=1e-6)


def test_unknown_condition_is_named(params):
    with pytest.raises(ValueError, match="genre.*instrument"):
        stemgen.embed_conditions(params, CFG, {"genre": jnp.zeros(2, jnp.int32)})


def test_a_level_per_example_equals_that_level_for_all(params):
    mixed = logits_of(params, level=jnp.array([2, 0, 1, 2]))
    for b, level in enumerate([2, 0, 1, 2]):
        alone = logits_of(params, level=level)
        assert alone.shape == (B, T, V) and alone.dtype == jnp.float32
        # a batched product sums in another order
        np.testing.assert_allclose(mixed[b], alone[b], rtol=1e-5, atol=1e-6)


def test_only_the_requested_head_is_used(params):
    grads = jax.jit(jax.grad(lambda p: (logits_of(p, level=1) ** 2).sum()))(params)
    used = np.abs(np.asarray(grads["heads"]["kernel"])).sum((1, 2)) > 0
    assert used.tolist() == [False, True, False]


def test_logits_depend_on_each_source(params):
    base = logits_of(params)
    other = codes(1)
    other[0, :, 0] = (other[0, :, 0] + 1) % V
    changed = np.abs(np.asarray(logits_of(params, context=other) - base)).max((1, 2))
    assert changed[0] > 1e-4 and not changed[1:].any()
    moved = np.asarray(logits_of(params, instrument=[1, 5, 17, 2]) - base)
    assert np.abs(moved[0]).max() > 1e-4 and not moved[1:].any()
    drop = jnp.array([True, False, False, False])
    silent = np.asarray(logits_of(params, drop=drop) - base)
    assert np.abs(silent[0]).max() > 1e-4 and not silent[1:].any()


def test_padding_changes_no_logit(params):
    lengths = jnp.array([T, 4, T, T])
    long = logits_of(params, lengths=lengths)
    context, target = codes(1), codes(2)
    context[1, :, 4:] = target[1, :, 4:] = 0
    again = logits_of(params, context=context, target=target, lengths=lengths)
    np.testing.assert_array_equal(long[1, :4], again[1, :4])


def test_cast_kernels_change_no_logit(params):
    """Casting before the loop gives the same logits; embeddings stay float32."""
    low = stemgen.cast_kernels(params, CFG, jnp.bfloat16)
    kinds = {str(leaf.dtype) for leaf in jax.tree.leaves(low["target_embed"])}
    assert kinds == {"float32"}
    assert low["heads"]["kernel"].dtype == jnp.bfloat16
    assert low["backbone"]["norm"]["scale"].dtype == jnp.float32
    args = dict(
        context=stemgen.embed_context(params, CFG, jnp.array(codes(1))),
        target_codes=jnp.array(codes(2)),
        condition=jnp.zeros((B, CFG.transformer.width // 2)),
        level=1,
        dtype=jnp.bfloat16,
    )
    np.testing.assert_array_equal(
        stemgen.apply_level(params, CFG, **args), stemgen.apply_level(low, CFG, **args)
    )


def test_joint_model_has_context_heads_counted_apart():
    cfg = dataclasses.replace(CFG, joint=True)
    params = random_params(cfg)
    counts = flops.parameter_counts(cfg)
    assert counts["context_head"] == counts["head"] == 3 * 16 * 10
    args = dict(
        context=stemgen.embed_context(params, cfg, jnp.array(codes(1))),
        target_codes=jnp.array(codes(2)),
        condition=stemgen.embed_conditions(
            params, cfg, {"instrument": jnp.zeros(B, jnp.int32)}
        ),
        level=0,
    )
    (target, context), alone = jax.jit(
        lambda p: (
            stemgen.apply_joint(p, cfg, **args),
            stemgen.apply_level(p, cfg, **args),
        )
    )(params)
    np.testing.assert_allclose(target, alone, rtol=1e-5, atol=1e-6)  # fused otherwise
    assert context.shape == target.shape
    assert np.abs(np.asarray(context - target)).max() > 1e-3


def test_shared_tables():
    cfg = dataclasses.replace(CFG, shared_embeddings=True)
    params = random_params(cfg)
    assert "context_embed" not in params
    got = stemgen.embed_context(params, cfg, jnp.array(codes(1)))
    table = np.asarray(params["target_embed"]["embedding"])
    rows = sum(table[q][codes(1)[:, q]] for q in range(Q))
    np.testing.assert_allclose(got, rows, rtol=1e-6, atol=1e-6)


def test_first_loss_is_that_of_guessing():
    params = jax.jit(stemgen.init, static_argnums=1)(jax.random.key(0), CFG)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(params))
    log_probs = jax.nn.log_softmax(logits_of(params))
    assert abs(-float(log_probs.mean()) - math.log(V)) < 0.02
    streams = [params[f"{s}_embed"]["embedding"] for s in ("context", "target")]
    streams.append(params["condition_embed_instrument"]["embedding"])
    variance = [float(x.var()) for x in streams]
    # Q rows and a condition add up to one; 152 entries: standard error 12 %
    np.testing.assert_allclose(variance, 1 / (Q + 1), rtol=0.5)
