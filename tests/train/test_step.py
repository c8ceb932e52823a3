"""One step: accumulation, the average, what a non-finite step leaves behind."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.config.train import MeshConfig
from stemjax.io.errors import UserError
from stemjax.nn.axes import make_mesh
from stemjax.train.state import new_state, state_shardings
from stemjax.train.step import check_batch, make_eval_step, make_train_step
from tests.train import toy


def run_steps(run, batches, task=toy.TASK):
    """State after the batches, with the sums of the last step."""
    mesh = make_mesh(run.mesh)
    with jax.set_mesh(mesh):
        shardings = state_shardings(task, run, mesh)
        state = new_state(task, run, shardings)
        step = make_train_step(task, run, mesh, shardings)
        flags = []
        for batch in batches:
            state, sums, is_finite = step(state, toy.FROZEN, batch)
            flags.append(bool(is_finite))
        assert step._cache_size() == 1  # compiled once, though the toy's state is weak
    return state, jax.device_get(sums), flags


def quiet(run=toy.RUN, **loop):
    """The toy's task without noise, so that rows alone decide the gradient."""

    def loss(params, model_state, frozen, batch, key):
        return toy.loss(params, model_state, frozen, batch, key, noise=0.0)

    return toy.with_loop(run, **loop), toy.TASK._replace(loss=loss)


def test_micro_batches_add_up_to_the_whole_batch():
    batches = [toy.batch(s, 8) for s in range(3)]
    run, task = quiet()
    whole, whole_sums, _ = run_steps(run, batches, task)
    run, task = quiet(accumulate=4)
    parts, parts_sums, _ = run_steps(run, batches, task)
    # float32 sums in another order: a few ulp of values near 1, through three steps
    for a, b in zip(
        jax.tree.leaves(whole.params), jax.tree.leaves(parts.params), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=2e-6)
    np.testing.assert_allclose(
        whole.model_state["seen"], parts.model_state["seen"], atol=1e-5
    )
    for name in ("squares", "loss", "grad_norm"):
        np.testing.assert_allclose(whole_sums[name][0], parts_sums[name][0], rtol=1e-5)
    assert whole_sums["squares"][1] == parts_sums["squares"][1] == 8
    assert int(parts.step) == 3


def test_prepare_and_statistics_run_once_a_step():
    state, _, _ = run_steps(quiet(accumulate=2)[0], [toy.batch(0, 8)])
    assert bool(state.model_state["is_started"])
    np.testing.assert_allclose(
        state.model_state["seen"], toy.batch(0, 8)["x"].sum(axis=0), rtol=1e-5
    )


def test_the_average_follows_by_hand():
    run = dataclasses.replace(toy.RUN, ema_decay=0.9)
    first, _, _ = run_steps(run, [toy.batch(0, 8)])
    second, _, _ = run_steps(run, [toy.batch(0, 8), toy.batch(1, 8)])
    np.testing.assert_allclose(
        second.ema["w"],
        2 / 11 * first.ema["w"] + 9 / 11 * second.params["w"],
        rtol=1e-5,
    )
    assert not np.allclose(second.ema["w"], second.params["w"], atol=1e-4)


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_a_non_finite_step_changes_nothing_nor_do_those_after(poison):
    good = [toy.batch(s, 8) for s in range(2)]
    bad = toy.batch(2, 8)
    bad["y"][3, 1] = poison
    before, _, flags = run_steps(toy.RUN, good)
    assert flags == [True, True]
    after, _, flags = run_steps(toy.RUN, [*good, bad, toy.batch(3, 8)])
    assert flags == [True, True, False, False]
    for a, b in zip(
        jax.tree.leaves(before._replace(root_key=0, is_finite=0)),
        jax.tree.leaves(after._replace(root_key=0, is_finite=0)),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_noise_comes_from_the_step_alone():
    a, _, _ = run_steps(toy.RUN, [toy.batch(0, 8)] * 2)
    b, _, _ = run_steps(toy.RUN, [toy.batch(0, 8)] * 2)
    c, _, _ = run_steps(dataclasses.replace(toy.RUN, seed=1), [toy.batch(0, 8)] * 2)
    np.testing.assert_array_equal(a.params["w"], b.params["w"])
    assert not np.array_equal(a.params["w"], c.params["w"])


def test_padding_rows_count_for_nothing():
    mesh = make_mesh(toy.RUN.mesh)
    with jax.set_mesh(mesh):
        shardings = state_shardings(toy.TASK, toy.RUN, mesh)
        state = new_state(toy.TASK, toy.RUN, shardings)
        evaluate = make_eval_step(toy.TASK, mesh, shardings)
        (batch,) = toy.eval_batches(8)()
        sums = evaluate(
            state.params, state.model_state, toy.FROZEN, batch, jax.random.key(0)
        )
    y = jnp.tanh(batch["x"][:7] @ state.params["w"] + state.params["bias"]) * 1.5
    expected = np.square(y - batch["y"][:7]).mean()
    assert float(sums["loss"][1]) == 7
    assert float(sums["loss"][0] / sums["loss"][1]) == pytest.approx(expected, rel=1e-5)


def test_a_batch_that_does_not_divide_is_refused():
    run = toy.with_loop(toy.RUN, accumulate=3)
    with pytest.raises(UserError, match="--batch-size: batch 8 does not divide into 3"):
        check_batch(run, make_mesh(MeshConfig()))
