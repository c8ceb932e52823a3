"""Residual vector quantization and its codebooks (EnCodec, sec. 3.2).

Pure functions of vectors [M, D] and codebooks [V, D] or [Q, V, D], float32.  Codebooks
follow exponential moving averages of the vectors that chose them, from counts and sums
that add over micro-batches and devices.
"""

import jax
import jax.numpy as jnp

EPSILON = 1e-5  # EnCodec's Laplace smoothing of cluster sizes
CHUNK = 16_384  # vectors; beyond, the distances [M, V] would fill the memory


def nearest(vectors, codebook):
    """The nearest code of each vector: [M, D], [V, D] -> [M] int32.

    Squared Euclidean distance by one matrix product (per `CHUNK` vectors); the lowest
    index wins a tie.
    """
    squares = jnp.sum(codebook**2, axis=1)

    def index(x):
        # |x|^2 is the same for every code and is left out
        return jnp.argmin(squares - 2 * (x @ codebook.T), axis=-1).astype(jnp.int32)

    if len(vectors) <= CHUNK:
        return index(vectors)
    return jax.lax.map(index, vectors, batch_size=CHUNK)


def quantize_residual(vectors, codebooks, scales=None):
    """Each level quantizes what the levels before it left: [M, D], [Q, V, D].

    scales: [Q, D], what a level multiplies the dimensions by to find the nearest code.

    Returns:
      codes [Q, M] int32; quantized [M, D], the sum of the chosen codes; residuals
      [Q, M, D], the vectors that each level was given.
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
    """`quantized`, whose gradient goes to `continuous` unchanged."""
    return continuous + jax.lax.stop_gradient(quantized - continuous)


def code_sums(codes, vectors, num_codes: int):
    """How often each code was chosen [V], and the sum of its vectors [V, D]."""
    counts = jnp.zeros(num_codes).at[codes].add(1.0)
    sums = jnp.zeros((num_codes, vectors.shape[1])).at[codes].add(vectors)
    return counts, sums


def kmeans(key, vectors, num_codes: int, iterations: int):
    """Lloyd's iterations from sampled vectors: [M, D] -> centres [V, D], counts [V].

    A centre that no vector chooses stays where it started.  With M < 4 V a cluster per
    code would be one vector each, and nothing would be left for the next level: then
    M // 4 clusters are fitted, and the other codes are vectors moved by the noise that
    is left inside a cluster.
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


def kmeans_residual(
    key, vectors, levels: int, num_codes: int, *, iterations: int, scales=None
):
    """Codebooks [Q, V, D] by `kmeans` of what the levels before left of vectors [M, D].

    scales: as in `quantize_residual`.
    """
    residual, books = vectors, []
    for level, k in enumerate(jax.random.split(key, levels)):
        scale = 1.0 if scales is None else scales[level]
        book, _ = kmeans(k, residual * scale, num_codes, iterations)
        residual = residual - book[nearest(residual * scale, book)] / scale
        books.append(book / scale)
    return jnp.stack(books)


def ema_update(embed_avg, cluster_size, counts, sums, *, decay: float):
    """One moving-average step; leading axes (levels) may precede V.

    Args:
      embed_avg [..., V, D] and cluster_size [..., V]: averages of sums and counts.
      counts [..., V] and sums [..., V, D]: of this step, over the whole batch.

    Returns:
      embed [..., V, D], embed_avg, cluster_size.
    """
    cluster_size = decay * cluster_size + (1 - decay) * counts
    embed_avg = decay * embed_avg + (1 - decay) * sums
    total = jnp.sum(cluster_size, axis=-1, keepdims=True)
    codes = cluster_size.shape[-1]
    smooth = (cluster_size + EPSILON) / (total + codes * EPSILON) * total
    return embed_avg / jnp.maximum(smooth, 1e-12)[..., None], embed_avg, cluster_size


def pick_candidates(key, vectors, errors, number: int):
    """`number` different vectors, the badly quantized ones likelier: -> [number, D].

    Sampling without replacement in proportion to `errors` [M] (squared distances), as
    k-means++ seeds: a restarted code then falls where codes are missing, not on one of
    many equal vectors of silence.
    """
    scores = jnp.log(errors + 1e-20) + jax.random.gumbel(key, errors.shape)
    _, picked = jax.lax.top_k(scores, number)
    return vectors[picked]


def restart_dead(embed, embed_avg, cluster_size, candidates, *, threshold, size):
    """Codes of one level below `threshold` start again on candidates [R, D].

    The i-th dead code takes candidate i; dead codes beyond R wait for the next step. A
    restarted code gets `size` as its cluster size, which gives it time to be chosen.

    Returns:
      embed [V, D], embed_avg [V, D], cluster_size [V].
    """
    is_dead = cluster_size < threshold
    rank = jnp.cumsum(is_dead) - 1
    is_new = is_dead & (rank < len(candidates))
    fresh = candidates[jnp.clip(rank, 0, len(candidates) - 1)]
    embed = jnp.where(is_new[:, None], fresh, embed)
    embed_avg = jnp.where(is_new[:, None], fresh * size, embed_avg)
    return embed, embed_avg, jnp.where(is_new, size, cluster_size)


def perplexity(counts) -> jax.Array:
    """exp of the entropy of counts [V]: V if all are used alike, 1 if one code is."""
    share = counts / jnp.maximum(jnp.sum(counts), 1e-12)
    return jnp.exp(-jnp.sum(share * jnp.log(jnp.maximum(share, 1e-12))))
