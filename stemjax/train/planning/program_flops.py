"""FLOPs of a traced program: what a machine will be asked to do, whole.

XLA's own count is of one device and takes the body of a loop once; this one is of all
devices, multiplies loops by their length, and counts matrix products and convolutions
alone (two FLOPs for a multiplication and its addition), as model FLOPs do.
"""

import math
from typing import Any

import jax
from jax.extend import core

# fused attention of cuDNN on [B, T, H, K]: products of [B, H, T, T, K], forward QK and
# PV; backward those of five gradients and of the weights made again
FUSED_ATTENTION = {
    "dot_product_attention_fwd_wrapper": 2,
    "dot_product_attention_bwd_wrapper": 5,
}


def program_flops(traced: Any) -> int:
    """Of a jaxpr (`jax.make_jaxpr(f)(...)`, or `jax.jit(f).trace(...).jaxpr`).

    The longer branch of a condition is counted, and one pass of a loop whose length is
    not known.
    """
    return sum(map(_of_equation, traced.eqns))


def _of_equation(eqn: Any) -> int:
    name = eqn.primitive.name
    if name == "dot_general":
        return _of_product(eqn)
    if name == "conv_general_dilated":
        return _of_convolution(eqn)
    if name in FUSED_ATTENTION:
        b, t, h, k = eqn.invars[0].aval.shape
        return 2 * FUSED_ATTENTION[name] * b * h * t * t * k
    inner = [program_flops(jaxpr) for jaxpr in _inner(eqn.params)]
    if name == "cond":
        return max(inner)
    return eqn.params["length"] * sum(inner) if name == "scan" else sum(inner)


def _inner(params: dict[str, Any]) -> list[Any]:
    """Programs within an equation: of calls, loops and branches."""
    is_program = (core.Jaxpr, core.ClosedJaxpr)
    leaves = jax.tree.leaves(params, is_leaf=lambda x: isinstance(x, is_program))
    return [x for x in leaves if isinstance(x, is_program)]


def _of_product(eqn: Any) -> int:
    (contracted, _), _ = eqn.params["dimension_numbers"]
    shape = eqn.invars[0].aval.shape
    depth = math.prod(shape[i] for i in contracted)
    return 2 * math.prod(eqn.outvars[0].aval.shape) * depth


def _of_convolution(eqn: Any) -> int:
    """Products with the zeros of padding and of a dilated input are no work."""
    numbers = eqn.params["dimension_numbers"]
    kernel = eqn.invars[1].aval.shape
    per_output = math.prod(kernel) // kernel[numbers.rhs_spec[0]]
    dilation = math.prod(eqn.params["lhs_dilation"])
    return 2 * math.prod(eqn.outvars[0].aval.shape) * per_output // dilation
