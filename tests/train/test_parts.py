"""Prefetching, metric files, shardings, public names: the trainer's small parts."""

import itertools
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from stemjax.config.presets import PRESETS, STEMGEN_SLAKH
from stemjax.config.train import MeshConfig
from stemjax.config.train_sweeps import changed
from stemjax.models import stemgen
from stemjax.train import metrics
from stemjax.train.export import _release_config, public_names
from stemjax.train.hooks import Hook, TrainingProgress
from stemjax.train.planning.dry_run import planned_mesh
from stemjax.train.prefetch import Prefetch
from stemjax.train.resume import SavedRun
from stemjax.train.sharding import param_shardings, unbox


def test_batches_come_in_order_and_the_wait_is_counted():
    def slow():
        for k in range(3):
            time.sleep(0.05)
            yield k

    batches = Prefetch(slow(), lambda k: 10 * k)
    assert list(batches) == [0, 10, 20]
    assert 0.02 < batches.waited
    with pytest.raises(StopIteration):
        next(batches)
    batches.close()


def test_an_error_in_the_data_is_raised_where_its_batch_would_have_come():
    def faulty():
        yield 1
        raise OSError("record 7 is broken")

    batches = Prefetch(faulty(), lambda k: k)
    assert next(batches) == 1
    with pytest.raises(OSError, match="record 7"):
        next(batches)
    batches.close()


def test_prefetching_stays_ahead_by_its_depth_and_ends_with_the_run():
    made = []
    batches = Prefetch(itertools.count(), lambda k: made.append(k) or k, depth=2)
    assert next(batches) == 0
    time.sleep(0.3)
    assert len(made) <= 4  # taken, two waiting, one in the hand
    batches.close()
    assert not [t for t in threading.enumerate() if t.name == "prefetch"]


def test_sums_are_divided_once_and_empty_counts_are_left_out():
    total = {}
    for value, count in ((3.0, 1.0), (0.0, 3.0)):
        total = metrics.add(total, {"a": (value, count), "never": (0.0, 0.0)})
    # a mean of means would be (3 + 0) / 2
    assert metrics.divide(total) == {"a": 0.75}


@pytest.mark.parametrize("keeps_prefix", [True, False])
def test_a_release_says_whether_its_training_kept_a_prefix(tmp_path, keeps_prefix):
    run = changed(STEMGEN_SLAKH, (("objective.keep_prefix", keeps_prefix),))
    about = {"codec": {"name": "codec", "sha256": "b"}}
    saved = SavedRun(format=1, kind="stemgen", id="a", run=run, about=about)
    assert _release_config(tmp_path, saved, 1).keeps_prefix is keeps_prefix


def test_lines_keep_full_precision_and_rewind(tmp_path):
    path = tmp_path / "metrics.jsonl"
    value = float(np.float32(1) / np.float32(3))
    for step in (1, 2, 3):
        metrics.append_line(path, {"step": step, "loss": value})
    assert metrics.read_lines(path)[0]["loss"] == value
    metrics.drop_after(path, 2)
    assert [line["step"] for line in metrics.read_lines(path)] == [1, 2]
    with pytest.raises(ValueError, match="JSON"):
        metrics.append_line(path, {"step": 4, "loss": float("nan")})


def test_tensorboard_events_are_written(tmp_path):
    board = metrics.TensorBoard(tmp_path, start_step=0)
    board.write(1, {"train/loss": 2.0})
    board.close()
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"train/loss" in events.read_bytes()


def test_progress_survives_json():
    progress = TrainingProgress(
        best_value=0.5, best_step=7, window={"loss": (0.1, 2.0)}
    )
    assert TrainingProgress.from_json(progress.to_json()) == progress


def test_hooks_fire_on_multiples_and_zero_is_never():
    assert [s for s in range(1, 9) if Hook(3, print).is_due(s)] == [3, 6]
    assert not any(Hook(0, print).is_due(s) for s in range(10))


def test_the_papers_parameters_are_shared_out_over_the_mesh():
    mesh = planned_mesh(MeshConfig(data=2, fsdp=4, tensor=2))
    boxed = jax.eval_shape(
        lambda k: stemgen.init(k, STEMGEN_SLAKH.model, boxed=True), jax.random.key(0)
    )
    places = param_shardings(boxed, mesh)
    flat = jax.tree.leaves_with_path(places)
    shapes = jax.tree.leaves(unbox(boxed))
    assert len(flat) == len(shapes)
    for (path, place), leaf in zip(flat, shapes, strict=True):
        # every big matrix is cut at least four ways
        if leaf.size >= 2**20:
            assert leaf.size >= 4 * np.prod(place.shard_shape(leaf.shape)), path
    assert places["heads"]["kernel"].spec == PartitionSpec(None, "fsdp", "tensor")


def test_a_dimension_that_does_not_divide_stays_whole():
    mesh = planned_mesh(MeshConfig(data=1, fsdp=3, tensor=2))
    boxed = jax.eval_shape(
        lambda k: stemgen.init(k, STEMGEN_SLAKH.model, boxed=True), jax.random.key(0)
    )
    spec = param_shardings(boxed, mesh)["heads"]["kernel"].spec
    assert spec == PartitionSpec(None, None, "tensor")  # 1024 / 3 is not whole


def test_weights_are_released_under_public_names():
    half = {"layers_0": {"conv": {"weight": jnp.ones((2, 1, 3))}}}
    params = {"encoder": half, "decoder": half, "discriminator": half}
    state = {"quantizer": {"layers_1": {"codebook": {"embed": jnp.zeros((3, 2))}}}}
    assert list(public_names("codec", params, state, "w")) == [
        "decoder.layers.0.conv.weight",
        "encoder.layers.0.conv.weight",
        "quantizer.layers.1.codebook.embed",
    ]
    assert list(public_names("stemgen", {"a": {"b": jnp.ones(1)}}, {}, "w")) == ["a.b"]


def test_the_tiny_presets_log_every_step():
    for name, preset in PRESETS.items():
        assert preset.is_self_contained is name.endswith("-tiny"), name
        assert preset.run.loop.log_every == 1 or not preset.is_self_contained, name
