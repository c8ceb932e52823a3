"""Vector quantization: slow NumPy twins, tables by hand, properties of codebooks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.arrays import vq


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def slow_nearest(vectors: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    return np.array([np.argmin(((codebook - x) ** 2).sum(axis=1)) for x in vectors])


def slow_quantize(vectors, codebooks):
    residual, codes, residuals = vectors.astype(float), [], []
    for book in codebooks:
        residuals.append(residual)
        codes.append(slow_nearest(residual, book))
        residual = residual - book[codes[-1]]
    return np.array(codes), vectors - residual, np.array(residuals)


def test_nearest_by_hand():
    book = jnp.array([[0.0, 0.0], [1.0, 0.0], [5.0, 5.0]])
    points = jnp.array([[0.4, 0.0], [0.6, 0.0], [9.0, 9.0], [0.5, 0.0]])
    assert vq.nearest(points, book).tolist() == [0, 1, 2, 0]  # the tie goes down
    assert vq.nearest(points, book).dtype == jnp.int32


def test_chunks_change_nothing(monkeypatch):
    vectors, book = jnp.asarray(normal(0, 101, 4)), jnp.asarray(normal(1, 16, 4))
    whole = vq.nearest(vectors, book)
    monkeypatch.setattr(vq, "CHUNK", 10)
    np.testing.assert_array_equal(vq.nearest(vectors, book), whole)


def test_residual_quantization_is_its_twin():
    vectors, books = normal(0, 50, 8), normal(1, 3, 20, 8) / [[[1]], [[2]], [[4]]]
    books = books.astype(np.float32)
    codes, quantized, residuals = vq.quantize_residual(
        jnp.asarray(vectors), jnp.asarray(books)
    )
    slow_codes, slow_quantized, slow_residuals = slow_quantize(vectors, books)
    np.testing.assert_array_equal(codes, slow_codes)
    # float32 sums of three values near 1
    np.testing.assert_allclose(quantized, slow_quantized, atol=2e-6)
    np.testing.assert_allclose(residuals, slow_residuals, atol=2e-6)


def test_straight_through_has_the_value_of_one_and_the_gradient_of_the_other():
    x, q = jnp.array([1.0, 2.0]), jnp.array([0.5, 3.0])
    np.testing.assert_array_equal(vq.straight_through(x, q), q)
    by_x, by_q = jax.grad(
        lambda x, q: jnp.sum(vq.straight_through(x, q) ** 2), argnums=(0, 1)
    )(x, q)
    np.testing.assert_array_equal(by_x, 2 * q)
    np.testing.assert_array_equal(by_q, 0)


def test_code_sums_by_hand():
    counts, sums = vq.code_sums(
        jnp.array([2, 0, 2]), jnp.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), 4
    )
    assert counts.tolist() == [1, 0, 2, 0]
    assert sums.tolist() == [[3, 4], [0, 0], [6, 8], [0, 0]]


def test_kmeans_finds_clusters():
    centres = np.array([[0, 0], [10, 0], [0, 10], [10, 10]], np.float32)
    vectors = np.concatenate(
        [c + 0.1 * normal(i, 200, 2) for i, c in enumerate(centres)]
    )
    found = None
    # random starts may share a cluster: one of these eight seeds a start in each
    for seed in range(8):
        book, counts = vq.kmeans(jax.random.key(seed), vectors, 4, 10)
        if counts.tolist() == [200] * 4:
            found = np.asarray(book)
    assert found is not None
    order = slow_nearest(centres, found)
    # a mean of 200 points of deviation 0.1 is off by 0.007; 5 deviations
    np.testing.assert_allclose(found[order], centres, atol=0.035)


def test_lloyd_iterations_are_their_twin_and_never_hurt():
    vectors = normal(0, 300, 6)
    args = (jax.random.key(3), jnp.asarray(vectors), 12)
    errors = []
    for iterations in range(4):
        book, counts = (np.asarray(x) for x in vq.kmeans(*args, iterations))
        chosen = slow_nearest(vectors, book)
        np.testing.assert_array_equal(counts, np.bincount(chosen, minlength=12))
        errors.append(((vectors - book[chosen]) ** 2).sum())
        following = np.stack([vectors[chosen == v].mean(axis=0) for v in range(12)])
        ours, _ = vq.kmeans(*args, iterations + 1)
        np.testing.assert_allclose(ours, following, atol=1e-5)  # means of ~25 float32
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.9 * errors[0]


def test_kmeans_of_few_vectors_leaves_a_residual():
    """Else the next level would start from zeros."""
    vectors = jnp.asarray(normal(0, 100, 16))
    book, counts = vq.kmeans(jax.random.key(0), vectors, 512, 5)
    assert book.shape == (512, 16) and float(counts.sum()) == 100
    left = vectors - book[vq.nearest(vectors, book)]
    assert 0.1 < float(jnp.sqrt(jnp.mean(left**2))) < 1.0
    assert int((counts > 0).sum()) > 50  # and yet most vectors have their own code


def test_residual_kmeans_halves_the_error_level_by_level():
    vectors = np.random.default_rng(0).normal(size=(2000, 4)).astype(np.float32)
    books = vq.residual_kmeans(
        jax.random.key(0),
        jnp.asarray(vectors),
        num_levels=2,
        num_codes=64,
        iterations=5,
    )
    assert books.shape == (2, 64, 4)
    residual = vectors
    for book in np.asarray(books):
        before = np.mean(residual**2)
        residual = residual - book[slow_nearest(residual, book)]
        # 64 codes in 4 dimensions: 64^(2/4) = 8 times less power at best
        assert np.mean(residual**2) < 0.35 * before


def test_moving_average_by_hand():
    embed, average, size = vq.ema_update(
        jnp.array([[2.0, 4.0], [1.0, 1.0]]),
        jnp.array([2.0, 1.0]),
        jnp.array([4.0, 0.0]),
        jnp.array([[8.0, 0.0], [0.0, 0.0]]),
        decay=0.5,
    )
    np.testing.assert_allclose(size, [3.0, 0.5])
    np.testing.assert_allclose(average, [[5.0, 2.0], [0.5, 0.5]])
    # EnCodec's smoothing: (size + e) / (total + V e) * total, e = 1e-5
    smooth = (np.array([3.0, 0.5]) + 1e-5) / (3.5 + 2e-5) * 3.5
    np.testing.assert_allclose(embed, np.asarray(average) / smooth[:, None], rtol=1e-6)


def test_a_moving_average_of_the_same_batch_reaches_its_means():
    vectors = normal(0, 64, 4)
    codes = jnp.asarray(np.arange(64) % 8)
    counts, sums = vq.code_sums(codes, jnp.asarray(vectors), 8)
    average, size = jnp.zeros((8, 4)), jnp.ones(8)
    for _ in range(200):
        embed, average, size = vq.ema_update(average, size, counts, sums, decay=0.9)
    means = np.stack([vectors[v::8].mean(axis=0) for v in range(8)])
    np.testing.assert_allclose(embed, means, atol=1e-5)  # 0.9^200 is 1e-9


def test_dead_codes_take_candidates_in_order_and_no_more_than_there_are():
    embed, average = jnp.zeros((5, 2)), jnp.ones((5, 2))
    size = jnp.array([0.0, 3.0, 0.1, 0.2, 5.0])
    candidates = jnp.array([[7.0, 7.0], [8.0, 8.0]])
    embed, average, new_size = vq.restart_dead(
        embed, average, size, candidates, threshold=0.5, size=2.0
    )
    assert embed.tolist() == [[7, 7], [0, 0], [8, 8], [0, 0], [0, 0]]
    assert average.tolist() == [[14, 14], [1, 1], [16, 16], [1, 1], [1, 1]]
    np.testing.assert_allclose(new_size, [2.0, 3.0, 2.0, 0.2, 5.0])


def test_candidates_differ_and_are_the_badly_quantized():
    vectors = jnp.arange(100.0)[:, None]
    errors = jnp.where(jnp.arange(100) < 10, 1.0, 1e-6)
    picked = vq.pick_candidates(jax.random.key(0), vectors, errors, 10)
    values = sorted(picked[:, 0].tolist())
    assert values == list(range(10))  # odds of any other draw: 1e-4
    every = vq.pick_candidates(jax.random.key(1), vectors, errors, 100)
    assert sorted(every[:, 0].tolist()) == list(range(100))
    other = vq.pick_candidates(jax.random.key(2), vectors, jnp.ones(100), 10)
    assert sorted(other[:, 0].tolist()) != values


@pytest.mark.parametrize("silent", [True, False])
def test_candidates_of_a_batch_without_error_are_still_vectors(silent):
    vectors = jnp.zeros((20, 3)) if silent else jnp.asarray(normal(0, 20, 3))
    picked = vq.pick_candidates(jax.random.key(0), vectors, jnp.zeros(20), 5)
    assert picked.shape == (5, 3) and np.isfinite(picked).all()


def test_perplexity_by_hand():
    assert float(vq.perplexity(jnp.array([5.0, 5, 5, 5]))) == pytest.approx(4)
    assert float(vq.perplexity(jnp.array([9.0, 0, 0]))) == pytest.approx(1)
    # entropy of (1/2, 1/4, 1/4) is 1.5 bits
    assert float(vq.perplexity(jnp.array([2.0, 1, 1]))) == pytest.approx(2**1.5)
