"""FLOPs of a traced program on all devices.

XLA counts those of one device, and the body of a loop once.  This count multiplies loops
by their length and takes matrix products and convolutions alone, with two FLOPs for a
multiplication and its addition, like model FLOPs.
"""

import math
from typing import Any

import jax
from jax.extend import core

# Products of [B, H, T, T, K] in cuDNN's fused attention on [B, T, H, K].  Forward: QK and
# PV.  Backward: the recomputed weights and four gradients.
FUSED_ATTENTION = {
    "dot_product_attention_fwd_wrapper": 2,
    "dot_product_attention_bwd_wrapper": 5,
}


def program_flops(traced: Any) -> int:
    """FLOPs of a jaxpr (`jax.make_jaxpr(f)(...)` or `jax.jit(f).trace(...).jaxpr`).

    Of a condition the longer branch counts, of a loop of unknown length one pass.
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
    """Jaxprs of an equation's calls, loops and branches."""
    is_program = (core.Jaxpr, core.ClosedJaxpr)
    leaves = jax.tree.leaves(params, is_leaf=lambda x: isinstance(x, is_program))
    return [x for x in leaves if isinstance(x, is_program)]


def _of_product(eqn: Any) -> int:
    (contracted, _), _ = eqn.params["dimension_numbers"]
    shape = eqn.invars[0].aval.shape
    depth = math.prod(shape[i] for i in contracted)
    return 2 * math.prod(eqn.outvars[0].aval.shape) * depth


def _of_convolution(eqn: Any) -> int:
    """FLOPs without the products with zeros of a dilated input."""
    numbers = eqn.params["dimension_numbers"]
    kernel = eqn.invars[1].aval.shape
    per_output = math.prod(kernel) // kernel[numbers.rhs_spec[0]]
    dilation = math.prod(eqn.params["lhs_dilation"])
    return 2 * math.prod(eqn.outvars[0].aval.shape) * per_output // dilation
