"""A codec against its discriminator: whose gradient is whose, what is kept and sent."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from safetensors.numpy import load_file

from stemjax import codec
from stemjax.codec import functional
from stemjax.config.codec import AdversarialObjective, DiscriminatorConfig
from stemjax.config.train import OptimConfig
from stemjax.io.errors import UserError
from stemjax.nn.axes import make_mesh
from stemjax.tasks import codec as codec_task
from stemjax.train import checkpoint, resume
from stemjax.train.export import export
from stemjax.train.hooks import TrainingProgress, note_best
from stemjax.train.initial import check_initial_weights, initial_weights
from stemjax.train.loop import TrainingOutcome, TrainingParts, fit
from stemjax.train.optim import make_optimizer
from stemjax.train.state import abstract_state, new_state, state_shardings
from stemjax.train.step import make_train_step
from tests.tasks.test_codec import SMALL, music

ADVERSARIAL = dataclasses.replace(
    SMALL,
    adversarial=AdversarialObjective(
        weight=0.3,
        matching_weight=0.7,
        discriminator=DiscriminatorConfig(windows=(64,), channels=4, dilations=(2,)),
        optim=OptimConfig(peak_lr=1e-3, warmup_steps=0, beta1=0.5, weight_decay=0.0),
    ),
    optim=OptimConfig(peak_lr=3e-3, warmup_steps=0, weight_decay=0.1),
    ema_decay=0.9,
)
HALVES = ("encoder", "decoder", "discriminator")


def batch(seed: int = 0) -> dict[str, np.ndarray]:
    return {"audio": music(4, 1600, seed=seed)}


def frozen(run):
    objective = dataclasses.replace(run.objective, freeze_codes=True)
    return dataclasses.replace(run, objective=objective)


def largest(tree) -> float:
    return max(float(jnp.max(jnp.abs(x))) for x in jax.tree.leaves(tree))


def assert_same(a, b) -> None:
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.fixture(scope="module")
def start():
    """Task, parameters and codebooks that the first batch began."""
    task = codec_task.make(ADVERSARIAL)
    params, state = jax.jit(task.init)(jax.random.key(0))
    state = jax.jit(task.prepare)(params, state, None, batch(), jax.random.key(1))
    return task, params, state


@pytest.fixture(scope="module")
def trained():
    """Two steps of the trainer: states 0, 1 and 2, and the metrics of the second."""
    return steps_of(ADVERSARIAL, 2)


def steps_of(run, count: int):
    task, mesh = codec_task.make(run), make_mesh(run.mesh)
    with jax.set_mesh(mesh):
        shardings = state_shardings(task, run, mesh)
        state = new_state(task, run, shardings)
        step = make_train_step(task, run, mesh, shardings)
        states = [kept(state)]
        for i in range(count):
            state, sums, is_finite = step(state, {}, batch(i))
            assert bool(is_finite)
            states.append(kept(state))
    means = {name: float(total / n) for name, (total, n) in sums.items()}
    return states, means, (step, mesh, shardings)


def kept(state):
    return jax.tree.map(np.array, state._replace(root_key=None))


@pytest.mark.slow
def test_each_half_has_its_own_gradient(start):
    task, params, state = start

    def parts(params):
        loss, out = task.loss(params, state, None, batch(), jax.random.key(0))
        mean = {name: total / count for name, (total, count) in out.sums.items()}
        of_the_generator = loss - mean["discriminator"]
        judged = 0.3 * mean["adversarial"] + 0.7 * mean["matching"]
        alone = mean["mel"] + mean["wave"] + 0.25 * mean["commitment"]
        return jnp.stack([of_the_generator, mean["discriminator"], judged, loss, alone])

    values, pull_back = jax.vjp(jax.jit(parts), params)
    rows = [pull_back(row)[0] for row in jnp.eye(5)[:4]]
    generator, discriminator, judged, whole = (
        [largest(row[half]) for half in HALVES] for row in rows
    )
    assert generator[2] == 0 and min(generator[:2]) > 0
    assert discriminator[:2] == [0, 0] and discriminator[2] > 0
    assert judged[2] == 0 and min(judged[:2]) > 0
    # the sum of both: what one backward pass gives to each
    for mine, half in ((rows[0], "decoder"), (rows[1], "discriminator")):
        scale = largest(mine[half])
        jax.tree.map(
            # float32 sums in two orders
            lambda a, b, s=scale: np.testing.assert_allclose(a, b, atol=1e-5 * s),
            mine[half],
            rows[3][half],
        )
    assert min(whole) > 0
    # the loss is that of the codec alone and what the discriminator adds to it
    assert float(values[3]) == pytest.approx(
        float(values[jnp.array([1, 2, 4])].sum()), rel=1e-5
    )


@pytest.mark.slow
def test_a_step_trains_all_and_says_how(trained):
    states, means, _ = trained
    for half in HALVES:
        moved = jax.tree.map(
            np.subtract, states[2].params[half], states[1].params[half]
        )
        assert largest(moved) > 0
    # of a discriminator that knows little yet: 2 is the hinge of one that knows nothing
    assert 1.5 < means["discriminator"] < 2.5 and 0.5 < means["adversarial"] < 1.5
    assert means["matching"] > 0
    assert 0 <= means["real_accuracy"] <= 1 and 0 <= means["fake_accuracy"] <= 1


@pytest.mark.slow
@pytest.mark.parametrize("half", ["decoder", "discriminator"])
def test_what_is_not_finite_in_one_half_stops_both(trained, half):
    states, _, (step, mesh, shardings) = trained
    before = jax.tree.map(np.copy, states[1])
    jax.tree.leaves(before.params[half])[-1][0] = np.nan
    with jax.set_mesh(mesh):
        bad = before._replace(root_key=jax.random.key(0))
        after, _, is_finite = step(jax.device_put(bad, shardings), {}, batch())
    assert not bool(is_finite) and step._cache_size() == 1
    assert_same(kept(after)._replace(is_finite=None), before._replace(is_finite=None))


def test_frozen_codes_want_a_codec_to_come_from():
    with pytest.raises(UserError, match="--objective.freeze-codes: give --init-from"):
        check_initial_weights(frozen(ADVERSARIAL))
    # a plan needs no weights
    assert initial_weights(frozen(ADVERSARIAL)).weights is None


def test_the_distance_that_falls_in_plain_training_decides_nothing():
    progress = TrainingProgress()
    for step, mel in ((1, 0.1), (20_001, 0.2)):
        values = {"mel": mel}
        task = codec_task.make(ADVERSARIAL)
        assert not note_best(progress, task, ADVERSARIAL, step, values)
        assert not progress.is_stopped


def save(workdir, run, state) -> None:
    resume.claim(workdir, "codec", run, {}, {})
    with checkpoint.open_series(workdir / checkpoint.SERIES, 1) as series:
        checkpoint.save(series, jax.tree.map(jnp.asarray, state), {})


@pytest.mark.slow
def test_a_run_resumes_with_the_moments_of_both_halves(trained, tmp_path):
    states, _, (_, mesh, shardings) = trained
    save(tmp_path, ADVERSARIAL, states[2])
    task = codec_task.make(ADVERSARIAL)
    with (
        jax.set_mesh(mesh),
        checkpoint.open_series(tmp_path / checkpoint.SERIES, 1) as series,
    ):
        restored, _ = checkpoint.restore_newest(
            series, abstract_state(task, ADVERSARIAL), shardings
        )
    assert_same(restored, states[2]._replace(is_finite=None))
    moments = jax.tree.leaves(restored.opt_state)
    assert len(moments) > 2 * len(jax.tree.leaves(restored.params))


def fit_in(workdir, run, initial) -> None:
    def batches(first_step):
        return (batch(first_step + i) for i in itertools.count())

    parts = TrainingParts(
        task=codec_task.make(run),
        run=run,
        frozen={},
        train_batches=batches,
        eval_batches=None,
        initial=initial,
    )
    assert fit(parts, workdir) is TrainingOutcome.DONE


@pytest.mark.slow
def test_a_release_has_no_discriminator_and_codes_stay_in_a_run_from_it(
    trained, tmp_path
):
    """Release in half precision, and a second run with frozen codes."""
    save(tmp_path / "first", ADVERSARIAL, trained[0][2])
    export(tmp_path / "first", tmp_path / "codec", is_half=True)
    flat = load_file(tmp_path / "codec" / "model.safetensors")
    assert flat and not [name for name in flat if "discriminator" in name]
    released = codec.load(tmp_path / "codec")

    run = dataclasses.replace(
        frozen(ADVERSARIAL), steps=1, init_from=str(tmp_path / "codec")
    )
    begun = initial_weights(run)
    assert set(begun.weights[0]) == {"encoder", "decoder"}
    books = [
        functional.stack_codebooks(begun.weights[1], name)
        for name in ("embed", "cluster_size", "embed_avg")
    ]
    np.testing.assert_array_equal(
        books[0], functional.stack_codebooks(released.variables["codebooks"])
    )
    # sums of bfloat16 would move the codes by a 256th
    np.testing.assert_allclose(books[2] / books[1][..., None], books[0], rtol=1e-6)

    fit_in(tmp_path / "second", begun.run, begun.weights)
    params, state, _ = checkpoint.restore_params(tmp_path / "second")
    assert_same(params["encoder"], begun.weights[0]["encoder"])
    assert_same(state, begun.weights[1])
    moved = jax.tree.map(np.subtract, params["decoder"], begun.weights[0]["decoder"])
    assert largest(moved) > 0
    export(tmp_path / "second", tmp_path / "heir", is_half=True)
    heir = codec.load(tmp_path / "heir")
    audio = batch()["audio"] / np.float32(32_768)
    codes = released.encode(audio)
    np.testing.assert_array_equal(heir.encode(audio), codes)
    assert np.abs(heir.decode(codes) - released.decode(codes)).max() > 0


def test_clipping_one_half_does_not_touch_the_other():
    """Against optax on each half alone."""
    rng = np.random.default_rng(0)
    params = {
        half: {"weight": jnp.asarray(rng.normal(size=(3, 4)), jnp.float32)}
        for half in HALVES
    }
    own, other = ADVERSARIAL.optim, ADVERSARIAL.adversarial.optim
    tx = make_optimizer(own, ADVERSARIAL.part_optims)
    state = tx.init(params)
    generator = {half: params[half] for half in HALVES[:2]}

    def by_hand(cfg):
        return optax.chain(
            optax.clip_by_global_norm(cfg.clip_norm),
            optax.adamw(
                cfg.peak_lr, b1=cfg.beta1, b2=cfg.beta2, weight_decay=cfg.weight_decay
            ),
        )

    twins = by_hand(own), by_hand(other)
    twin_states = [twins[0].init(generator), twins[1].init(params["discriminator"])]
    for sizes in ((1e6, 1e6, 1e-3), (1e-3, 1e-4, 1e6), (0.1, 0.1, 0.1)):
        grads = {
            half: {"weight": jnp.asarray(size * rng.normal(size=(3, 4)), jnp.float32)}
            for half, size in zip(HALVES, sizes, strict=True)
        }
        updates, state = tx.update(grads, state, params)
        first, twin_states[0] = twins[0].update(
            {half: grads[half] for half in HALVES[:2]}, twin_states[0], generator
        )
        second, twin_states[1] = twins[1].update(
            grads["discriminator"], twin_states[1], params["discriminator"]
        )
        expected = first | {"discriminator": second}
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), updates, expected
        )
