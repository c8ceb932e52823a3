"""Cosine schedule: number of codes that each decoding step reveals (StemGen, sec. 2.1.1;
Assumption A11).

With M codes to reveal and S steps, S_eff = min(S, M), n_0 = M and
n_t = clip(floor(M cos(pi/2 t/S_eff)), S_eff - t, n_{t-1} - 1) codes are hidden after
step t = 1 .. S_eff.  Every step reveals at least one code, and step S_eff all that are
left.  Later steps do nothing.

The floor is exact, because the table is computed in float64 on the host.  By Niven's
theorem cos(pi/2 t/S) is rational only at t/S = 0, 2/3 and 1: these values are computed as
integers, and no other product is so close to an integer that float64 errs (a test
compares with 50 digits).  A float32 cosine would miss M/2 at t/S = 2/3.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np


@functools.lru_cache(maxsize=64)
def hidden_table(max_hidden: int, steps: int) -> np.ndarray:
    """Table of n_t: [max_hidden + 1, steps + 1] int32, row M, column t."""
    if steps < 1 or max_hidden < 0:
        raise ValueError(f"need steps >= 1, max_hidden >= 0: {steps}, {max_hidden}")
    total = np.arange(max_hidden + 1)
    used = np.minimum(steps, total)  # S_eff
    table = np.zeros((max_hidden + 1, steps + 1), np.int32)
    table[:, 0] = total
    for t in range(1, steps + 1):
        cosine = np.floor(total * np.cos(np.pi / 2 * t / np.maximum(used, 1)))
        cosine = np.where(3 * t == 2 * used, total // 2, cosine)
        hidden = np.clip(cosine, used - t, table[:, t - 1] - 1)
        table[:, t] = np.where(t < used, hidden, 0)
    table.flags.writeable = False
    return table


def hidden_counts(num_hidden: jax.Array, steps: int, max_hidden: int) -> jax.Array:
    """Number of codes that are hidden after each step: n_0 .. n_S.

    Args:
      num_hidden: M, integers of any shape [...], traced, in 0..max_hidden.

    Returns:
      [..., steps + 1] int32.
    """
    return jnp.asarray(hidden_table(max_hidden, steps))[num_hidden]


def reveal_counts(num_hidden: jax.Array, steps: int, max_hidden: int) -> jax.Array:
    """Number of codes that each step reveals, with sum M: [...] -> [..., steps] int32."""
    counts = hidden_counts(num_hidden, steps, max_hidden)
    return counts[..., :-1] - counts[..., 1:]
