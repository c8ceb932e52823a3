"""LSTM with torch's parameter names (EnCodec, sec. 3.1).

The input is multiplied by one large matrix product before the scan; only the product with
the hidden state runs step by step.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

Carry = tuple[tuple[jax.Array, jax.Array], ...]
"""Per layer the hidden state and the cell state, [B, H] each."""


class LSTM(nn.Module):
    """LSTM layers of width H over [B, T, H]; parameters `weight_ih_l0`, ... as in torch.

    The order of the gates is input, forget, cell, output.
    """

    width: int
    layers: int

    @nn.compact
    def __call__(
        self, x: jax.Array, carry: Carry | None = None
    ) -> tuple[jax.Array, Carry]:
        """Outputs [B, T, H] of the last layer, and the state after the last frame.

        carry: the initial state; None: zeros.
        """
        batch = x.shape[0]
        if carry is None:
            zeros = jnp.zeros((batch, self.width), x.dtype)
            carry = ((zeros, zeros),) * self.layers
        final = []
        for layer in range(self.layers):
            x, state = _run_layer(x, carry[layer], *self._weights(layer))
            final.append(state)
        return x, tuple(final)

    def _weights(self, layer: int) -> tuple[jax.Array, jax.Array, jax.Array]:
        # `init` gives torch's standard deviation; see `nn.conv.Affine`.
        init = nn.initializers.constant((3 * self.width) ** -0.5)
        shape, zeros = (4 * self.width, self.width), nn.initializers.zeros
        w_in = self.param(f"weight_ih_l{layer}", init, shape)
        w_hidden = self.param(f"weight_hh_l{layer}", init, shape)
        b_in = self.param(f"bias_ih_l{layer}", zeros, shape[:1])
        b_hidden = self.param(f"bias_hh_l{layer}", zeros, shape[:1])
        return w_in, w_hidden, b_in + b_hidden


def _run_layer(x, state, w_in, w_hidden, bias):
    """Outputs [B, T, H] of one layer and its final (hidden, cell)."""
    inputs = (x @ w_in.T + bias).swapaxes(0, 1)  # [T, B, 4H]

    def step(state, from_input):
        hidden, cell = state
        # Without a transpose of the weight, which costs 10 % on a CPU.
        from_hidden = jnp.einsum("bh,gh->bg", hidden, w_hidden)
        i, f, g, o = jnp.split(from_input + from_hidden, 4, axis=-1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return (hidden, cell), hidden

    state, outputs = lax.scan(step, state, inputs)
    return outputs.swapaxes(0, 1), state
