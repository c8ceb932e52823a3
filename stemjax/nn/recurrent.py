"""LSTM with the input product outside the scan; weights under torch's names."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp


def lstm(x, carry, weight_ih, weight_hh, bias):
    """One layer: x [B, T, I], carry (h, c) each [B, D] -> y [B, T, D], carry.

    Gates lie in torch's order: input, forget, cell, output.
    """
    gates = x @ weight_ih.T + bias  # all frames in one product

    def step(carry, gate):  # [B, 4 D]
        h, c = carry
        i, f, g, o = jnp.split(gate + h @ weight_hh.T, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    carry, y = jax.lax.scan(step, carry, gates.swapaxes(0, 1))
    return y.swapaxes(0, 1), carry


class LSTM(nn.Module):
    """Stacked LSTM of equal widths, [B, T, D] -> [B, T, D], final carry."""

    layers: int

    @nn.compact
    def __call__(self, x, carry=None):
        batch, _, width = x.shape
        if carry is None:
            zeros = jnp.zeros((batch, width), x.dtype)
            carry = tuple((zeros, zeros) for _ in range(self.layers))
        bound = 1 / math.sqrt(width)

        def init(key, shape, dtype=jnp.float32):
            return jax.random.uniform(key, shape, dtype, -bound, bound)

        last = []
        for n in range(self.layers):
            weight_ih = self.param(f"weight_ih_l{n}", init, (4 * width, width))
            weight_hh = self.param(f"weight_hh_l{n}", init, (4 * width, width))
            bias_ih = self.param(f"bias_ih_l{n}", init, (4 * width,))
            bias_hh = self.param(f"bias_hh_l{n}", init, (4 * width,))
            x, end = lstm(x, carry[n], weight_ih, weight_hh, bias_ih + bias_hh)
            last.append(end)
        return x, tuple(last)
