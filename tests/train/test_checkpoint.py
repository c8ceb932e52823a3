"""Checkpoints where the disk refuses, and steps that a killed process left."""

import contextlib
import os
import resource

import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.io.errors import UserError
from stemjax.train import checkpoint, metrics
from stemjax.train.state import TrainState

SIZE = 200_000


def state(step: int) -> TrainState:
    """Arrays that do not compress."""
    noise = np.random.default_rng(step).normal(size=SIZE).astype(np.float32)
    return TrainState(
        step=jnp.asarray(step),
        params={"w": jnp.asarray(noise)},
        model_state={},
        opt_state={"m": jnp.asarray(noise)},
        ema=None,
        root_key=None,
        is_finite=None,
    )


@contextlib.contextmanager
def files_up_to(size: int):
    """Writes past `size` bytes of a file fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_checkpoint_that_cannot_be_written_is_one_error_and_the_last_stays(
    tmp_path, capfd
):
    series = tmp_path / "checkpoints"
    with checkpoint.open_series(series, 2) as manager:
        checkpoint.save(manager, state(1), {})
        checkpoint.wait(manager)
    with pytest.raises(UserError, match="checkpoint cannot be written.*File too large"):
        with checkpoint.open_series(series, 2) as manager, files_up_to(100_000):
            checkpoint.save(manager, state(2), {})
            checkpoint.wait(manager)
    params, _, step = checkpoint.restore_params(tmp_path)
    assert step == 1
    np.testing.assert_array_equal(params["w"], state(1).params["w"])
    assert "Traceback" not in "".join(capfd.readouterr())


def test_steps_that_a_killed_process_did_not_delete_are_deleted(tmp_path):
    for name in ("5", "10", "15", "20.orbax-checkpoint-tmp"):
        (tmp_path / name / "model").mkdir(parents=True)
    checkpoint.drop_surplus(tmp_path, 2)
    assert sorted(os.listdir(tmp_path)) == ["10", "15", "20.orbax-checkpoint-tmp"]
    checkpoint.drop_surplus(tmp_path / "none", 2)


def test_events_that_cannot_be_written_are_an_error_at_once(tmp_path):
    board = metrics.TensorBoard(tmp_path, start_step=0)
    with pytest.raises(OSError, match="File too large"), files_up_to(500):
        for step in range(100):
            board.write(step, {"train/loss": 2.0})
