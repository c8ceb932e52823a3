"""StemGen weights for tests: random ones without compiling, and a perfect copier."""

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.models.flops import abstract_params

LOUD = 50.0  # logits of the true code: its probability is 1 in float32


def random_params(cfg, seed=0):
    """Random weights: entries of about 0.4 and norms of about 1."""
    rng = np.random.default_rng(seed)

    def entry(path, shape):
        is_scale = path[-1].key == "scale"
        return jnp.asarray(is_scale + 0.4 * rng.normal(size=shape.shape), jnp.float32)

    return jax.tree.map_with_path(entry, abstract_params(cfg))


def listener(cfg, *, loudness: float = LOUD):
    """Weights whose most probable code at level q is the context's code at level q.

    The blocks add zero; a head multiplies the context's half of the normalised sum of
    embeddings by that level's rows.
    """
    params = random_params(cfg)
    params["backbone"]["norm"]["scale"] = jnp.ones(cfg.transformer.width)
    for i in range(cfg.transformer.layers):
        block = params["backbone"][f"layers_{i}"]
        block["attention"]["out"] = jnp.zeros_like(block["attention"]["out"])
        block["mlp"]["down"] = jnp.zeros_like(block["mlp"]["down"])
    half = cfg.transformer.width // 2
    # one orthogonal block of the context's half per level, one axis per code
    assert half >= cfg.num_codebooks * cfg.codebook_size
    rows = np.zeros(params["context_embed"]["embedding"].shape, np.float32)
    kernel = np.zeros(params["heads"]["kernel"].shape, np.float32)
    for q in range(cfg.num_codebooks):
        for v in range(cfg.codebook_size):
            axis = q * cfg.codebook_size + v
            rows[q, v, axis] = 1.0
            kernel[q, axis, v] = loudness
    params["context_embed"]["embedding"] = jnp.asarray(rows)
    params["heads"]["kernel"] = jnp.asarray(kernel)
    # Target and conditions are embedded as zero, so that the norm is constant.
    params["target_embed"] = jax.tree.map(jnp.zeros_like, params["target_embed"])
    for c in cfg.conditions:
        name = f"condition_embed_{c.name}"
        params[name] = jax.tree.map(jnp.zeros_like, params[name])
    return params
