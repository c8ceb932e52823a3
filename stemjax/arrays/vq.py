"""Residual vector quantization (EnCodec, sec. 3.2): codes, k-means, EMA codebooks.

Pure functions of vectors [M, D] and codebooks [Q, V, D] in float32.
"""

import jax
import jax.numpy as jnp


def nearest(vectors, codebook):
    """Index of the nearest code: vectors [M, D], codebook [V, D] -> [M] int32."""
    # |x - e|^2 without |x|^2, which does not change the argmin
    distance = jnp.sum(codebook**2, axis=1) - 2 * vectors @ codebook.T
    return jnp.argmin(distance, axis=1).astype(jnp.int32)


def quantize_residual(vectors, codebooks):
    """Quantize, subtract, quantize what is left, level by level.

    Returns:
      codes [Q, M] int32, quantized [M, D] (the sum of the chosen codes), and the
      residuals [Q, M, D] that each level was given.
    """
    residual, codes, residuals = vectors, [], []
    for codebook in codebooks:
        chosen = nearest(residual, codebook)
        residuals.append(residual)
        codes.append(chosen)
        residual = residual - codebook[chosen]
    return jnp.stack(codes), vectors - residual, jnp.stack(residuals)


def lookup(codes, codebooks):
    """Sum of codes: codes [Q, ...] int, codebooks [Q, V, D] -> [..., D]."""
    return sum(book[c] for book, c in zip(codebooks, codes, strict=True))


def kmeans(key, vectors, num_codes: int, iterations: int):
    """Lloyd's algorithm from random vectors: [M, D] -> centres [V, D], counts [V].

    With fewer vectors than codes some start equal, with a little noise to part them;
    a centre that nobody chooses stays where it is.
    """
    count, k_pick, k_noise = len(vectors), *jax.random.split(key)
    if count >= num_codes:
        picked = jax.random.permutation(k_pick, count)[:num_codes]
        centres = vectors[picked]
    else:
        picked = jax.random.randint(k_pick, (num_codes,), 0, count)
        noise = jax.random.normal(k_noise, (num_codes, vectors.shape[1]))
        centres = vectors[picked] + 1e-2 * jnp.std(vectors, axis=0) * noise

    def step(_, carry):
        centres, _ = carry
        chosen = nearest(vectors, centres)
        counts, sums = code_sums(chosen, vectors, num_codes)
        moved = sums / jnp.maximum(counts, 1)[:, None]
        return jnp.where(counts[:, None] > 0, moved, centres), counts

    return jax.lax.fori_loop(0, iterations, step, (centres, jnp.zeros(num_codes)))


def code_sums(codes, vectors, num_codes: int):
    """Per code: how often it was chosen [V], and the sum of its vectors [V, D]."""
    counts = jnp.zeros(num_codes).at[codes].add(1.0)
    sums = jnp.zeros((num_codes, vectors.shape[1])).at[codes].add(vectors)
    return counts, sums


def ema_update(embed_avg, cluster_size, counts, sums, *, decay: float, epsilon=1e-5):
    """One exponential-moving-average step of one codebook.

    Returns:
      embed [V, D], embed_avg [V, D], cluster_size [V] (Laplace-smoothed in `embed`).
    """
    cluster_size = decay * cluster_size + (1 - decay) * counts
    embed_avg = decay * embed_avg + (1 - decay) * sums
    total = jnp.sum(cluster_size)
    smooth = (cluster_size + epsilon) / (total + len(counts) * epsilon) * total
    return embed_avg / smooth[:, None], embed_avg, cluster_size


def restart_dead(embed, embed_avg, cluster_size, candidates, *, threshold: float):
    """Put codes whose `cluster_size` is below `threshold` onto candidates [V, D]."""
    is_dead = cluster_size < threshold
    embed = jnp.where(is_dead[:, None], candidates, embed)
    embed_avg = jnp.where(is_dead[:, None], candidates * threshold, embed_avg)
    return embed, embed_avg, jnp.where(is_dead, threshold, cluster_size)
