"""FLOPs of traced programs, against counts by hand."""

import jax
import jax.numpy as jnp
import pytest

from stemjax.config.model import StemGenConfig, TransformerConfig
from stemjax.models import stemgen
from stemjax.models.flops import flops_per_token
from stemjax.train.planning.program_flops import program_flops


def flops(f, *args):
    return program_flops(jax.make_jaxpr(f)(*args))


A, B = jnp.zeros((3, 5)), jnp.zeros((5, 7))
PRODUCT = 2 * 3 * 5 * 7


def test_products_loops_and_branches():
    assert flops(jnp.matmul, A, B) == PRODUCT
    # four products, contracted over the last axes of both
    both = jnp.zeros((4, 6, 2))
    gram = lambda x: jnp.einsum("bik,bjk->bij", x, x)  # noqa: E731
    assert flops(gram, both) == 4 * (2 * 6 * 6 * 2)
    assert flops(jax.jit(lambda x: x + jnp.sin(x)), A) == 0

    def loop(a):
        return jax.lax.scan(lambda c, _: (c, a @ B), 0.0, length=11)

    assert flops(loop, A) == 11 * PRODUCT

    def branch(is_long):
        return jax.lax.cond(is_long, lambda: 2 * (A @ B) @ B.T @ B, lambda: A @ B)

    assert flops(branch, True) == 3 * PRODUCT


def test_a_gradient_costs_two_products_more_and_rematerialising_one():
    def loss(f):
        return jax.grad(lambda a, b: f(a, b).sum(), argnums=(0, 1))

    def twice(a, b):
        return jnp.sin(jnp.sin(a @ b) @ b.T)

    # d/da and d/db of each product
    assert flops(loss(twice), A, B) == 3 * 2 * PRODUCT
    # the slopes of both sines need both products again
    assert flops(loss(jax.checkpoint(twice)), A, B) == 4 * 2 * PRODUCT


def test_convolutions():
    x, w = jnp.zeros((2, 8, 3)), jnp.zeros((5, 3, 4))  # [B, N, C], [width, C, D]
    one = ("NWC", "WIO", "NWC")

    def conv(x, w):
        return jax.lax.conv_general_dilated(x, w, (1,), "VALID", dimension_numbers=one)

    assert flops(conv, x, w) == 2 * (2 * 4 * 4) * (5 * 3)  # 4 = 8 - 5 + 1 places

    def transposed(x, w):
        return jax.lax.conv_transpose(x, w, (2,), "SAME", dimension_numbers=one)

    # twice the places, every second tap meets a zero
    assert flops(transposed, x, w) == 2 * (2 * 16 * 4) * (5 * 3) // 2


@pytest.mark.parametrize("is_rematerialised", [False, True])
def test_a_steps_products_are_the_models_flops(is_rematerialised):
    cfg = StemGenConfig(
        num_codebooks=2,
        codebook_size=128,
        transformer=TransformerConfig(
            width=64,
            layers=3,
            heads=2,
            mlp_hidden=176,
            rematerialise=is_rematerialised,
        ),
    )
    batch, frames = 2, 40

    def loss(params, context, target, condition):
        return stemgen.apply_level(
            params,
            cfg,
            context=context,
            target_codes=target,
            condition=condition,
            level=1,
            dtype=jnp.float32,
        ).sum()

    args = jax.eval_shape(
        lambda: (
            stemgen.init(jax.random.key(0), cfg),
            jnp.zeros((batch, frames, 32)),
            jnp.zeros((batch, 2, frames), jnp.int32),
            jnp.zeros((batch, 32)),
        )
    )
    found = flops(jax.grad(loss), *args)
    model = batch * frames * flops_per_token(cfg, frames)
    # a third more where a block's forward is made again in its backward
    expected = model * (4 / 3 if is_rematerialised else 1)
    assert found == pytest.approx(expected, rel=0.05)
