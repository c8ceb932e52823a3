"""The transformer against a slow NumPy twin, and invariance to padding."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.core import meta

from stemjax.config.model import TransformerConfig
from stemjax.nn import transformer
from stemjax.nn.transformer import (
    Transformer,
    attend,
    has_flash,
    product,
    rope_tables,
    rotate,
)

CFG = TransformerConfig(width=16, layers=2, heads=2, mlp_hidden=24)
F32 = jnp.dtype(jnp.float32)


def build(cfg=CFG, batch=2, frames=7, seed=0):
    model = Transformer(cfg, F32)
    x = jax.random.normal(jax.random.key(seed), (batch, frames, cfg.width))
    init = jax.jit(lambda key: meta.unbox(model.init(key, x)))
    return jax.jit(model.apply), init(jax.random.key(seed + 1)), x


def test_rope_tables_by_hand():
    cos, sin = rope_tables(3, 4, 100.0)  # rates 1 and 100^(-1/2) = 0.1
    angles = np.array([[0, 0], [1, 0.1], [2, 0.2]])
    np.testing.assert_allclose(cos, np.cos(angles), atol=1e-6)
    np.testing.assert_allclose(sin, np.sin(angles), atol=1e-6)


def test_rope_products_depend_on_the_distance_alone():
    tables = rope_tables(600, 8, 10_000.0)
    a, b = jax.random.normal(jax.random.key(0), (2, 8))
    q = rotate(jnp.tile(a, (1, 600, 1, 1)), *tables)[0, :, 0]
    k = rotate(jnp.tile(b, (1, 600, 1, 1)), *tables)[0, :, 0]
    dots = np.asarray(q @ k.T)
    for distance in (0, 1, 37):
        line = np.diagonal(dots, offset=distance)
        # angles up to 600 rad in float32: 600 * 2^-24 = 4e-5 each
        np.testing.assert_allclose(line, line[0], atol=1e-3)
    assert np.std(dots[0]) > 0.1  # and it does depend on the distance


def test_bfloat16_keeps_late_positions_apart():
    tables = rope_tables(1000, 8, 10_000.0)
    x = jnp.ones((1, 1000, 1, 8), jnp.bfloat16)
    turned = np.asarray(rotate(x, *tables)[0, :, 0], np.float32)
    assert turned.shape == (1000, 8)
    # bfloat16 positions would round 997 and 999 to the same 1000
    assert np.abs(turned[997] - turned[999]).max() > 0.5


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def norm_twin(x, scale):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * scale


def transformer_twin(params, cfg, x, is_key):
    """One example [T, D], in float64, loops over heads and frames."""
    T, D = x.shape
    K = D // cfg.heads
    rates = cfg.rope_theta ** (-np.arange(0, K, 2) / K)

    def turn(v, t):
        out = np.empty(K)
        for j, rate in enumerate(rates):
            c, s = np.cos(t * rate), np.sin(t * rate)
            a, b = v[j], v[j + K // 2]
            out[j], out[j + K // 2] = a * c - b * s, b * c + a * s
        return out

    for i in range(cfg.layers):
        p = params[f"layers_{i}"]
        y = norm_twin(x, p["attention_norm"]["scale"])
        added = np.zeros_like(x)
        for h in range(cfg.heads):
            q, k, v = (y @ p["attention"]["qkv"][:, j, h] for j in range(3))
            q = np.stack([turn(q[t], t) for t in range(T)])
            k = np.stack([turn(k[t], t) for t in range(T)])
            for t in range(T):
                scores = np.array([q[t] @ k[s] / np.sqrt(K) for s in range(T)])
                scores[~is_key] = -np.inf
                added[t] += (softmax(scores) @ v) @ p["attention"]["out"][h]
        x = x + added
        y = norm_twin(x, p["mlp_norm"]["scale"])
        gate, up = y @ p["mlp"]["gate_up"][:, 0], y @ p["mlp"]["gate_up"][:, 1]
        x = x + (gate / (1 + np.exp(-gate)) * up) @ p["mlp"]["down"]
    return norm_twin(x, params["norm"]["scale"])


def test_against_a_slow_twin():
    apply, params, x = build()
    # scales of one would hide a forgotten multiplication
    params = jax.tree.map(
        lambda p: p + 0.1 * jnp.cos(jnp.arange(p.size)).reshape(p.shape), params
    )
    lengths = jnp.array([7, 5])
    is_key = np.arange(7) < np.asarray(lengths)[:, None]
    out = np.asarray(apply(params, x, lengths))
    params64 = jax.tree.map(lambda p: np.asarray(p, np.float64), params["params"])
    for b in range(2):
        twin = transformer_twin(params64, CFG, np.asarray(x[b], np.float64), is_key[b])
        # float32 sums of up to 24 products in four matrix products a layer
        np.testing.assert_allclose(out[b], twin, rtol=2e-5, atol=2e-5)


def test_frames_past_the_end_change_nothing():
    apply, params, x = build(frames=9)
    lengths = jnp.array([9, 6])
    full = apply(params, x, lengths)
    noise = jnp.where(jnp.arange(9)[:, None] < lengths[:, None, None], x, 100.0)
    np.testing.assert_array_equal(
        np.asarray(full)[1, :6], np.asarray(apply(params, noise, lengths))[1, :6]
    )
    short = apply(params, x[1:, :6])
    # other shapes, other order of float32 sums
    np.testing.assert_allclose(full[1:, :6], short, rtol=1e-5, atol=1e-5)
    assert np.isfinite(full).all()


def test_it_sees_both_directions():
    apply, params, x = build()
    grad = jax.jit(jax.grad(lambda v: apply(params, v)[0, 3, 0]))(x)
    reach = np.abs(np.asarray(grad)[0]).sum(-1)
    assert (reach > 1e-6).all()  # every frame, earlier and later
    assert not np.asarray(grad)[1].any()  # and no other example


def test_both_implementations_of_attention_agree(monkeypatch):
    """A CPU computes one example at a time, an accelerator the whole batch."""
    q, k, v = jax.random.normal(jax.random.key(0), (3, 2, 11, 2, 8))
    lengths = jnp.array([11, 4])
    is_music = jnp.arange(11)[:, None, None] < lengths[:, None, None, None]

    def loss(q, k, v):
        return (attend(q, k, v, lengths) ** 2).sum(where=is_music)

    results = {}
    for backend in ("cpu", "gpu"):
        monkeypatch.setattr(transformer.jax, "default_backend", lambda b=backend: b)
        run = jax.jit(jax.value_and_grad(lambda *a: loss(*a), argnums=(0, 1, 2)))
        results[backend] = run(q, k, v)
    for a, b in zip(*map(jax.tree.leaves, results.values()), strict=True):
        # float32, sums of 11 in another order
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "platform, capability, dtype, head_width, has",
    [
        ("gpu", "9.0", jnp.bfloat16, 64, True),
        ("gpu", "8.0", jnp.float16, 128, True),
        ("gpu", "10.0", jnp.bfloat16, 64, True),
        ("gpu", "7.5", jnp.bfloat16, 64, False),
        ("gpu", "gfx942", jnp.bfloat16, 64, False),
        ("gpu", "9.0", jnp.float32, 64, False),  # cuDNN has it in 16 bits alone
        ("gpu", "9.0", jnp.bfloat16, 136, False),
        ("gpu", "9.0", jnp.bfloat16, 36, False),
        ("tpu", "8.0", jnp.bfloat16, 64, False),
        ("cpu", "8.0", jnp.bfloat16, 64, False),
    ],
)
def test_which_queries_flash_attention_supports(
    platform, capability, dtype, head_width, has
):
    assert has_flash(platform, capability, jnp.dtype(dtype), head_width) is has


def test_a_gpu_uses_flash_attention_with_lengths(monkeypatch):
    passed = {}

    def stand_in(q, k, v, **options):
        passed.update(options)
        return v

    monkeypatch.setattr(transformer.jax.nn, "dot_product_attention", stand_in)
    monkeypatch.setattr(transformer.jax, "default_backend", lambda: "gpu")
    q = jnp.ones((2, 5, 1, 8), jnp.bfloat16)
    lengths = jnp.array([5, 3])
    attend(q, q, q, lengths)
    assert passed.pop("implementation") == "cudnn"
    assert all(value is lengths for value in passed.values()) and len(passed) == 2
    attend(q.astype(F32), q.astype(F32), q.astype(F32), lengths)
    assert passed["implementation"] == "xla"


def test_bfloat16_products_sum_in_float32():
    """Eleven bits: 2048 + 1 is lost in a bfloat16 sum, and kept in float32."""
    x = jnp.ones((1, 1, 2049), jnp.bfloat16)
    summed = product("btd,dv->btv", x, jnp.ones((2049, 1)), jnp.dtype(jnp.bfloat16))
    assert summed.dtype == jnp.float32 and summed.item() == 2049


@pytest.mark.slow
def test_rematerialisation_changes_no_value():
    apply, params, x = build()
    other = Transformer(dataclasses.replace(CFG, rematerialise=True), F32)

    def of(forward):
        loss = jax.value_and_grad(lambda p: (forward(p, x) ** 2).mean())
        return jax.jit(loss)(params)

    ours, theirs = of(apply), of(other.apply)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_bfloat16_stays_near_float32():
    apply, params, x = build()
    low = jax.jit(Transformer(CFG, jnp.dtype(jnp.bfloat16)).apply)(params, x)
    assert low.dtype == jnp.bfloat16
    # outputs are of size one; bfloat16 has 2^-8 a rounding, some ten in a row
    np.testing.assert_allclose(np.asarray(low, np.float32), apply(params, x), atol=0.08)


def test_width_must_fit_the_heads():
    with pytest.raises(ValueError, match="multiple of 2 x heads"):
        TransformerConfig(width=24, heads=5)
