"""Residual vector quantization and codebook updates (EnCodec, sec. 3.2).

Pure functions of vectors [M, D] and codebooks [V, D] or [Q, V, D], float32.  A code is
the exponential moving average of the vectors assigned to it, computed from counts and
sums that add up over micro-batches and devices.
"""

import functools

import jax
import jax.numpy as jnp

EPSILON = 1e-5  # EnCodec's Laplace smoothing of cluster sizes
CHUNK = 16_384  # vectors per distance matrix [M, V], to limit memory


def nearest(vectors, codebook):
    """Index of the nearest code of each vector: [M, D], [V, D] -> [M] int32.

    The distance is squared Euclidean, computed by one matrix product per `CHUNK`
    vectors.  The lowest index wins a tie.
    """
    squares = jnp.sum(codebook**2, axis=1)

    def index(x):
        # |x|^2 is the same for every code and is omitted.
        return jnp.argmin(squares - 2 * (x @ codebook.T), axis=-1).astype(jnp.int32)

    if len(vectors) <= CHUNK:
        return index(vectors)
    return jax.lax.map(index, vectors, batch_size=CHUNK)


def quantize_residual(vectors, codebooks, scales=None):
    """Quantize vectors [M, D] with codebooks [Q, V, D], level by level.

    Each level quantizes the residual of the levels before it.

    scales: [Q, D], factor of each dimension in the distances of each level; None: 1.

    Returns:
      codes [Q, M] int32; quantized [M, D], the sum of the chosen codes; residuals
      [Q, M, D], the input of each level.
    """
    residual, codes, residuals = vectors, [], []
    for level, codebook in enumerate(codebooks):
        scale = 1.0 if scales is None else scales[level]
        chosen = nearest(residual * scale, codebook * scale)
        codes.append(chosen)
        residuals.append(residual)
        residual = residual - codebook[chosen]
    return jnp.stack(codes), vectors - residual, jnp.stack(residuals)


def straight_through(continuous, quantized):
    """Returns `quantized`; its gradient passes to `continuous` unchanged."""
    return continuous + jax.lax.stop_gradient(quantized - continuous)


def code_sums(codes, vectors, num_codes: int):
    """Number of vectors per code [V] and their sum [V, D].

    codes: [M] int32.  vectors: [M, D].
    """
    counts = jnp.zeros(num_codes).at[codes].add(1.0)
    sums = jnp.zeros((num_codes, vectors.shape[1])).at[codes].add(vectors)
    return counts, sums


@functools.partial(jax.jit, static_argnames="num_codes")
def kmeans(key, vectors, num_codes: int, iterations: int):
    """K-means (Lloyd) from sampled vectors: [M, D] -> centres [V, D], counts [V].

    An empty cluster keeps its centre.  With M < 4 V, clusters of one vector would leave
    no residual for the next level; then M // 4 clusters are fitted, and each remaining
    code is a sampled vector plus noise with the deviation inside the clusters.
    """
    count, width = vectors.shape
    fitted = max(1, min(num_codes, count // 4))
    k_start, k_pick, k_noise = jax.random.split(key, 3)
    start = vectors[jax.random.permutation(k_start, count)[:fitted]]

    def iterate(_, centres):
        counts, sums = code_sums(nearest(vectors, centres), vectors, fitted)
        moved = sums / jnp.maximum(counts, 1)[:, None]
        return jnp.where(counts[:, None] > 0, moved, centres)

    centres = jax.lax.fori_loop(0, iterations, iterate, start)
    if fitted < num_codes:
        inside = vectors - centres[nearest(vectors, centres)]
        more = num_codes - fitted
        picked = vectors[jax.random.randint(k_pick, (more,), 0, count)]
        noise = jax.random.normal(k_noise, (more, width)) * jnp.std(inside, axis=0)
        centres = jnp.concatenate([centres, picked + noise])
    counts, _ = code_sums(nearest(vectors, centres), vectors, num_codes)
    return centres, counts


def residual_kmeans(
    key, vectors, *, num_levels: int, num_codes: int, iterations: int, scales=None
):
    """Codebooks of a residual quantizer by k-means: [M, D] -> [Q, V, D].

    Each level is fitted to the residuals of the levels before it.

    scales: as in `quantize_residual`.
    """
    residual, codebooks = vectors, []
    for level, k_level in enumerate(jax.random.split(key, num_levels)):
        scale = 1.0 if scales is None else scales[level]
        codebook, _ = kmeans(k_level, residual * scale, num_codes, iterations)
        residual = residual - codebook[nearest(residual * scale, codebook)] / scale
        codebooks.append(codebook / scale)
    return jnp.stack(codebooks)


def ema_update(embed_avg, cluster_size, counts, sums, *, decay: float):
    """One moving-average step of the codebooks; leading axes are levels.

    Args:
      embed_avg: [..., V, D] moving average of the sums.
      cluster_size: [..., V] moving average of the counts.
      counts: [..., V] of this step, over the whole batch.
      sums: [..., V, D] of this step, over the whole batch.
      decay: weight of the old averages.

    Returns: embed [..., V, D], embed_avg [..., V, D], cluster_size [..., V].
    """
    cluster_size = decay * cluster_size + (1 - decay) * counts
    embed_avg = decay * embed_avg + (1 - decay) * sums
    total = jnp.sum(cluster_size, axis=-1, keepdims=True)
    codes = cluster_size.shape[-1]
    smooth = (cluster_size + EPSILON) / (total + codes * EPSILON) * total
    return embed_avg / jnp.maximum(smooth, 1e-12)[..., None], embed_avg, cluster_size


def pick_candidates(key, vectors, errors, number: int):
    """Sample different vectors in proportion to their errors: -> [number, D].

    Sampling without replacement, as the seeding of k-means++: a restarted code moves to
    where codes are missing, not to one of many equal vectors of silence.

    vectors: [M, D].  errors: [M] squared distances to the chosen codes.
    """
    scores = jnp.log(errors + 1e-20) + jax.random.gumbel(key, errors.shape)
    _, picked = jax.lax.top_k(scores, number)
    return vectors[picked]


def restart_dead(embed, embed_avg, cluster_size, candidates, *, threshold, size):
    """Restart the dead codes of one level from candidates [R, D].

    A code is dead if its cluster size is below `threshold`.  The i-th dead code becomes
    candidate i; further dead codes wait for the next step.  A restarted code gets the
    cluster size `size`, which keeps it alive until vectors choose it.

    Returns: embed [V, D], embed_avg [V, D], cluster_size [V].
    """
    is_dead = cluster_size < threshold
    rank = jnp.cumsum(is_dead) - 1
    is_new = is_dead & (rank < len(candidates))
    fresh = candidates[jnp.clip(rank, 0, len(candidates) - 1)]
    embed = jnp.where(is_new[:, None], fresh, embed)
    embed_avg = jnp.where(is_new[:, None], fresh * size, embed_avg)
    return embed, embed_avg, jnp.where(is_new, size, cluster_size)


def perplexity(counts) -> jax.Array:
    """exp(entropy) of counts [V]: V if all codes are used equally, 1 if only one is."""
    share = counts / jnp.maximum(jnp.sum(counts), 1e-12)
    return jnp.exp(-jnp.sum(share * jnp.log(jnp.maximum(share, 1e-12))))
