"""The codec's training task: what one step does to parameters and codebooks."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.codec import functional
from stemjax.config.codec import CodecConfig, CodecObjective
from stemjax.config.runs import CodecRun
from stemjax.tasks import codec as codec_task

SMALL = CodecRun(
    steps=10,
    batch_size=4,
    model=CodecConfig(
        num_filters=4,
        upsampling_ratios=(20,),  # one stage: quick to compile
        num_lstm_layers=0,
        hidden_size=8,
        num_codebooks=2,
        codebook_size=32,
    ),
    objective=CodecObjective(
        mel_windows=(64,), crop_seconds=0.05, wave_weight=1.0, kmeans_iterations=3
    ),
)
FRAMES = 80  # per example: 0.05 s of 32 kHz in hops of 20


def music(batch_size: int, samples: int, seed: int = 0) -> np.ndarray:
    """Decaying tones of several partials, [B, N] int16."""
    rng = np.random.default_rng(seed)
    t = np.arange(samples) / 32_000
    rows = []
    for _ in range(batch_size):
        base = 110 * 2 ** rng.uniform(0, 3)
        decay = np.exp(-t * rng.uniform(2, 8))
        partials = [np.sin(2 * np.pi * base * k * t) / k for k in range(1, 6)]
        rows.append(0.3 * decay * sum(partials))
    return np.round(np.stack(rows) * 32_767).astype(np.int16)


@pytest.fixture(scope="module")
def started():
    """Task, parameters, prepared codebooks and a batch of the small run."""
    task = codec_task.make(SMALL)
    params, state = jax.jit(task.init)(jax.random.key(0))
    batch = {"audio": music(4, 1600)}
    prepare = jax.jit(task.prepare)
    state = prepare(params, state, None, batch, jax.random.key(1))
    return task, params, state, batch, prepare


@pytest.fixture(scope="module")
def loss_and_gradient(started):
    task = started[0]
    return jax.jit(jax.value_and_grad(task.loss, has_aux=True))


def test_a_dummy_batch_lies_on_the_hop():
    batch = codec_task.make(SMALL).dummy_batch(3)
    assert batch["audio"].shape == (3, 1600) and batch["audio"].dtype == np.int16
    odd = dataclasses.replace(
        SMALL, objective=dataclasses.replace(SMALL.objective, crop_seconds=0.0501)
    )
    assert codec_task.make(odd).dummy_batch(1)["audio"].shape == (1, 1600)


@pytest.mark.slow
def test_preparing_fills_the_codebooks_once(started):
    task, params, state, batch, prepare = started
    books = functional.stack_codebooks(state)
    assert books.shape == (2, 32, 8)
    assert (functional.stack_codebooks(state, "inited") == 1).all()
    # k-means of 320 latents must use its 32 codes well; random codes use a few
    latents = functional.encode_latents(params, SMALL.model, batch["audio"] / 32_768.0)
    codes, residuals = codec_task._quantize(state, latents)
    for level in range(2):
        assert len(np.unique(codes[level])) > 20
        explained = 1 - np.var(residuals[level + 1]) / np.var(residuals[level])
        assert explained > 0.3
    later = prepare(
        params, state, None, {"audio": music(4, 1600, seed=9)}, jax.random.key(2)
    )
    jax.tree.map(np.testing.assert_array_equal, later, state)


@pytest.mark.slow
def test_the_loss_is_the_weighted_sum_of_its_parts(started, loss_and_gradient):
    _, params, state, batch, _ = started
    (loss, out), _ = loss_and_gradient(params, state, None, batch, jax.random.key(0))
    mean = {k: float(total / count) for k, (total, count) in out.sums.items()}
    expected = mean["mel"] + mean["wave"] + 0.25 * mean["commitment"]
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    assert out.sums["mel"][1] == 4
    # every code starts with the same cluster size
    assert mean["perplexity_1"] == pytest.approx(32, rel=1e-4)


@pytest.mark.slow
def test_the_gradient_passes_straight_through_to_the_encoder(started):
    """By hand: the loss's slope at the quantized latents, pulled back by the encoder."""
    _, params, state, batch, _ = started
    cfg, audio = SMALL.model, batch["audio"] / np.float32(32_768)
    free = dataclasses.replace(SMALL.objective, commit_weight=0.0)
    run = dataclasses.replace(SMALL, objective=free)
    gradient, _ = jax.jit(jax.grad(codec_task.make(run).loss, has_aux=True))(
        params, state, None, batch, jax.random.key(0)
    )

    @jax.jit
    def by_hand(params):
        latents, pull_back = jax.vjp(
            lambda p: functional.encode_latents(p, cfg, audio), params
        )
        codes = functional.quantize(state, latents)

        def distance(latents):
            output = functional.decode_latents(params, cfg, latents)
            parts = codec_task._distances(run, output, audio, 1e-6)
            return jnp.mean(parts["mel"] + parts["wave"])

        return pull_back(jax.grad(distance)(functional.dequantize(state, codes)))[0]

    for a, b in zip(
        jax.tree.leaves(gradient["encoder"]),
        jax.tree.leaves(by_hand(params)["encoder"]),
        strict=True,
    ):
        assert float(abs(b).max()) > 0
        # sums of thousands of float32 terms in two orders
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * float(abs(b).max()))


def test_commitment_moves_the_encoder_alone(started):
    _, params, state, batch, _ = started
    alone = dataclasses.replace(SMALL.objective, mel_weight=0.0, wave_weight=0.0)
    task = codec_task.make(dataclasses.replace(SMALL, objective=alone))
    gradient, _ = jax.jit(jax.grad(task.loss, has_aux=True))(
        params, state, None, batch, jax.random.key(0)
    )
    assert all((g == 0).all() for g in jax.tree.leaves(gradient["decoder"]))
    assert max(float(abs(g).max()) for g in jax.tree.leaves(gradient["encoder"])) > 0


def test_statistics_are_those_of_numpy(started, loss_and_gradient):
    _, params, state, batch, _ = started
    (_, out), _ = loss_and_gradient(params, state, None, batch, jax.random.key(0))
    latents = functional.encode_latents(params, SMALL.model, batch["audio"] / 32_768.0)
    codes, residuals = codec_task._quantize(state, latents)
    for level in range(2):
        counts = np.bincount(codes[level], minlength=32)
        np.testing.assert_array_equal(out.stats["count"][level], counts)
        sums = np.zeros((32, 8))
        np.add.at(sums, np.asarray(codes[level]), np.asarray(residuals[level]))
        np.testing.assert_allclose(out.stats["sum"][level], sums, atol=1e-4)
    assert out.stats["count"].sum() == 2 * 4 * FRAMES


@pytest.mark.slow
def test_micro_batches_add_up(started, loss_and_gradient):
    """1 x B against 2 x B / 2: the codebooks see the same counts and sums."""
    _, params, state, batch, _ = started
    (_, whole), _ = loss_and_gradient(params, state, None, batch, jax.random.key(0))
    halves = []
    for i in range(2):
        micro = {"audio": batch["audio"][i::2]}
        (_, half), _ = loss_and_gradient(params, state, None, micro, jax.random.key(i))
        halves.append(half)
    added = jax.tree.map(jnp.add, halves[0].stats, halves[1].stats)
    np.testing.assert_array_equal(added["count"], whole.stats["count"])
    # float32 sums in another order
    np.testing.assert_allclose(added["sum"], whole.stats["sum"], atol=1e-4)
    for name in ("mel", "wave", "commitment"):
        (a, m), (b, n) = (half.sums[name] for half in halves)
        np.testing.assert_allclose(a + b, whole.sums[name][0], rtol=1e-4)
        assert m + n == whole.sums[name][1] == 4
    # a summed candidate is still a latent of the batch, not a mean of several
    candidates = added["candidate"] / added["weight"][..., None]
    latents = functional.encode_latents(params, SMALL.model, batch["audio"] / 32_768.0)
    _, residuals = codec_task._quantize(state, latents)
    for level in range(2):
        gaps = np.linalg.norm(candidates[level][:, None] - residuals[level], axis=-1)
        spread = float(np.std(residuals[level]))
        assert np.median(gaps.min(axis=1)) < 1e-3 * spread


def test_update_is_the_moving_average_and_revives_dead_codes(started):
    task, _, state, _, _ = started
    rng = np.random.default_rng(0)
    counts = rng.integers(8, 12, size=(2, 32)).astype(np.float32)
    sums = rng.normal(size=(2, 32, 8)).astype(np.float32) * counts[..., None]
    candidates = rng.normal(size=(2, 5, 8)).astype(np.float32)
    old = functional.stack_codebooks(state, "cluster_size")
    sick = jax.tree.map(jnp.copy, state)
    book = sick["quantizer"]["layers_1"]["codebook"]
    book["cluster_size"] = book["cluster_size"].at[7].set(0.0)
    counts[1, 7] = 0
    stats = {
        "count": counts,
        "sum": sums,
        "candidate": 3 * candidates,
        "weight": np.full((2, 5), 3, np.float32),
    }
    new = jax.jit(task.update_state)(sick, stats, jax.random.key(0))
    size = functional.stack_codebooks(new, "cluster_size")
    alive = np.ones((2, 32), bool)
    alive[1, 7] = False
    expected = 0.99 * np.asarray(old) + 0.01 * counts
    np.testing.assert_allclose(size[alive], expected[alive], rtol=1e-6)
    average = 0.99 * functional.stack_codebooks(sick, "embed_avg") + 0.01 * sums
    embed = functional.stack_codebooks(new)
    # cluster sizes are near 2, so smoothing by 1e-5 moves nothing visible
    np.testing.assert_allclose(
        embed[alive], (average / np.asarray(expected)[..., None])[alive], rtol=1e-4
    )
    gaps = abs(np.asarray(embed)[1, 7] - candidates[1]).max(axis=-1)
    assert gaps.min() < 1e-6
    # twice the threshold of a tenth of the mean count
    assert size[1, 7] == pytest.approx(0.2 * counts.mean())
    update = jax.jit(task.update_state)
    others = [update(sick, stats, jax.random.key(seed)) for seed in range(6)]
    revived = {float(functional.stack_codebooks(s)[1, 7, 0]) for s in others}
    assert len(revived) > 1  # the step's key chooses among 5 candidates
    for other in others:
        np.testing.assert_array_equal(functional.stack_codebooks(other)[0], embed[0])


def test_codes_that_nobody_chose_restart_after_69_steps(started):
    """ln 2 / 0.01: the first size is twice the threshold of death."""
    task, _, state, _, _ = started
    counts = np.zeros((2, 32), np.float32)
    counts[:, 0] = 320  # all latents choose code 0
    stats = {
        "count": counts,
        "sum": np.zeros((2, 32, 8), np.float32),
        "candidate": np.full((2, 31, 8), 9, np.float32),
        "weight": np.ones((2, 31), np.float32),
    }
    update = jax.jit(task.update_state)
    restarted = []
    for step in range(72):
        state = update(state, stats, jax.random.key(step))
        is_new = np.isclose(functional.stack_codebooks(state), 9, rtol=1e-3).all(-1)
        restarted.append(int(is_new[:, 1:].sum()))
    assert restarted[67] == 0 and restarted[68:] == [2 * 31] * 4
    assert not is_new[:, 0].any()


def test_level_dropout_draws_fewer_levels():
    wide = dataclasses.replace(
        SMALL,
        model=dataclasses.replace(SMALL.model, num_codebooks=4),
        objective=dataclasses.replace(SMALL.objective, level_dropout=0.5),
    )
    kept = codec_task._levels_kept(wide, jax.random.key(0), 8000)
    shares = np.bincount(kept, minlength=5)[1:] / 8000
    # half keep all 4, the other half share 1..3; deviation sqrt(p (1 - p) / 8000)
    np.testing.assert_allclose(shares, [1 / 6, 1 / 6, 1 / 6, 1 / 2], atol=0.025)
    never = codec_task._levels_kept(SMALL, jax.random.key(0), 100)
    assert (never == 2).all()


def test_a_dropped_level_is_not_heard(started):
    """With level 2 silenced, its codes cannot matter to an example cut to level 1."""
    _, params, state, batch, _ = started
    always = dataclasses.replace(SMALL.objective, level_dropout=1.0)
    loss = jax.jit(codec_task.make(dataclasses.replace(SMALL, objective=always)).loss)
    cut, _ = loss(params, state, None, batch, jax.random.key(0))
    mute = jax.tree.map(jnp.copy, state)
    book = mute["quantizer"]["layers_1"]["codebook"]
    book["embed"] = book["embed"] + 5.0
    muted, out = loss(params, mute, None, batch, jax.random.key(0))
    commitment = out.sums["commitment"][0] / 4
    _, before = loss(params, state, None, batch, jax.random.key(0))
    drop = 0.25 * (commitment - before.sums["commitment"][0] / 4)
    assert float(muted - drop) == pytest.approx(float(cut), rel=1e-4)


def test_padding_rows_count_for_nothing(started):
    task, params, state, batch, _ = started
    evaluate = jax.jit(task.eval_sums)
    is_valid = np.array([True, True, True, False])
    sums = []
    for last in (0, 20_000):
        audio = batch["audio"].copy()
        audio[3] = last
        sums.append(
            evaluate(
                params,
                state,
                None,
                {"audio": audio, "is_valid": is_valid},
                jax.random.key(0),
            )
        )
    for name, (total, count) in sums[0].items():
        assert count == 3
        np.testing.assert_allclose(total, sums[1][name][0], rtol=1e-5)
    assert 1 <= float(sums[0]["perplexity_1"][0] / 3) <= 32


@pytest.mark.slow
def test_latents_go_unquantized_for_the_first_steps(started):
    _, params, filled, batch, _ = started
    objective = dataclasses.replace(SMALL.objective, continuous_steps=2)
    task = codec_task.make(dataclasses.replace(SMALL, objective=objective))
    _, state = task.init(jax.random.key(0))
    prepare, update = jax.jit(task.prepare), jax.jit(task.update_state)
    loss, key = jax.jit(task.loss), jax.random.key(1)
    validation = {**batch, "is_valid": np.ones(4, np.float32)}
    audio = jnp.float32(batch["audio"]) / 32_768
    latents = functional.encode_latents(params, SMALL.model, audio)
    continuous = functional.decode_latents(params, SMALL.model, latents)
    wave = float(jnp.mean(jnp.abs(continuous - audio)))
    of_zeros = functional.decode_latents(params, SMALL.model, 0 * latents)
    nothing = float(jnp.mean(jnp.abs(of_zeros - audio)))
    assert abs(nothing - wave) > 0.01  # an empty codebook's release is not the best
    evaluate = jax.jit(task.eval_sums)
    for step in range(2):
        state = prepare(params, state, None, batch, key)
        books = functional.stack_codebooks(state)
        begun = functional.stack_codebooks(state, "inited")
        assert not np.any(books) and np.all(begun == step / 2)
        _, out = loss(params, state, None, batch, key)
        assert out.sums["commitment"][0] == 0
        total, count = out.sums["wave"]
        np.testing.assert_allclose(total / count, wave, rtol=1e-5)
        total, count = evaluate(params, state, None, validation, key)["wave"]
        np.testing.assert_allclose(total / count, nothing, rtol=1e-5)
        state = update(state, out.stats, key)
    state = prepare(params, state, None, batch, key)
    # from then on as a run that quantizes at once: the same k-means, then averages
    jax.tree.map(np.testing.assert_array_equal, state, filled)
    _, out = loss(params, state, None, batch, key)
    assert out.sums["commitment"][0] > 0
    moved = functional.stack_codebooks(update(state, out.stats, key))
    assert np.any(moved != functional.stack_codebooks(state))
