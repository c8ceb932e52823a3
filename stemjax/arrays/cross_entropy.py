"""Cross-entropy of code logits (StemGen, sec. 2.1)."""

import jax
import jax.numpy as jnp


def token_cross_entropy(logits: jax.Array, codes: jax.Array) -> jax.Array:
    """-log softmax(logits)[code] in nats: [..., V] float, [...] int -> [...] float32."""
    logits = logits.astype(jnp.float32)
    V = logits.shape[-1]
    # One-hot by comparison: its gradient is elementwise; a gather's is a scatter.
    is_code = jnp.arange(V) == codes[..., None]
    code_logit = jnp.where(is_code, logits, 0.0).sum(axis=-1)
    return jax.nn.logsumexp(logits, axis=-1) - code_logit
