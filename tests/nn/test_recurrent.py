"""The LSTM against a slow NumPy twin, and its state."""

import jax
import numpy as np

from stemjax.nn.recurrent import LSTM


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def slow_lstm(params, x):
    """Frame by frame, gate by gate, in float64; x: [T, H]."""
    for layer in range(2):
        w_in, w_hidden, b_in, b_hidden = (
            np.asarray(params[f"{name}_l{layer}"], np.float64)
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        hidden = cell = np.zeros(x.shape[1])
        outputs = []
        for frame in x:
            gates = w_in @ frame + b_in + w_hidden @ hidden + b_hidden
            i, f, g, o = gates.reshape(4, -1)
            cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
            hidden = sigmoid(o) * np.tanh(cell)
            outputs.append(hidden)
        x = np.stack(outputs)
    return x


def test_the_lstm_is_its_slow_twin_and_carries_its_state():
    lstm = LSTM(6, 2)
    x = jax.random.normal(jax.random.key(0), (2, 9, 6))
    params = jax.jit(lstm.init)(jax.random.key(1), x)["params"]
    keys = dict(zip(params, jax.random.split(jax.random.key(2), 8), strict=True))
    # Initial biases are zero; different ones show whether both are used.
    params = {
        k: v + 0.5 * jax.random.normal(keys[k], v.shape) for k, v in params.items()
    }
    run = jax.jit(lambda x, carry: lstm.apply({"params": params}, x, carry))
    whole, last = run(x, None)
    for row in range(2):
        wanted = slow_lstm(params, np.asarray(x[row], np.float64))
        # float32 gates of order 1
        np.testing.assert_allclose(whole[row], wanted, atol=2e-6)
    first, carry = run(x[:, :4], None)
    second, carry = run(x[:, 4:], carry)
    np.testing.assert_allclose(np.concatenate([first, second], 1), whole, atol=1e-7)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-7), carry, last)
    assert np.abs(whole[:, 4:] - run(x[:, 4:], None)[0]).max() > 1e-2
