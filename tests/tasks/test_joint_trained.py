"""A joint model that was trained on a known relation: the stem is the context, one frame
later.  It is scored as trained, and what it generates obeys the relation."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.config.decode import DecodeConfig, Guidance
from stemjax.config.train import MeshConfig
from stemjax.decode.devices import Devices, decode_shared
from stemjax.decode.joint import decode_joint
from stemjax.decode.keep import Kept
from stemjax.decode.network import JointNetwork, StemGenNetwork
from stemjax.decode.settings import variation_keys
from stemjax.eval.metrics.context_gain import measure
from stemjax.models import stemgen
from stemjax.nn.axes import make_mesh
from tests.tasks.toy_training import MODEL, Q, T, V, task_of, trained

pytestmark = pytest.mark.slow

JOINT = dataclasses.replace(MODEL, joint=True)
CHANCE = 1 / V
ROWS = 16
CONFIG = DecodeConfig(steps=(T,), guidance=Guidance.MULTI)


def batch_of(key, size=32):
    context = jax.random.randint(key, (size, Q, T), 0, V)
    return {
        "context_codes": context,
        "target_codes": jnp.roll(context, 1, axis=-1),
        "instrument": jnp.zeros(size, jnp.int32),
    }


@pytest.fixture(scope="module")
def task():
    return task_of(JOINT)


@pytest.fixture(scope="module")
def params(task):
    return trained(task, JOINT, batch_of, steps=600)


def devices_of(params):
    return Devices(make_mesh(MeshConfig(), jax.devices()[:1]), params, ())


def generated(params, config=CONFIG, **given):
    """Codes of contexts and stems, [B, Q, T] each."""
    result = decode_joint(
        devices_of(params),
        JointNetwork(JOINT),
        config,
        {"instrument": np.zeros(ROWS, np.int32)},
        variation_keys(np.zeros(ROWS, int), np.arange(ROWS)),
        num_frames=T,
        window_frames=T,
        **given,
    )
    return np.asarray(result.context.codes), np.asarray(result.stem.codes)


def obeys(context, stem):
    """Share of the stem's codes that are those of the context, one frame before."""
    return np.mean(np.roll(context, 1, axis=-1) == stem)


def test_it_scores_as_trained(task, params):
    """What is decided by the given context is known; another context does not decide."""
    batch = batch_of(jax.random.key(99), 32)
    other = batch_of(jax.random.key(98), 32)["context_codes"]
    batch |= {
        "other_context_codes": other,
        "row": np.arange(32),
        "song": np.arange(32),
        "is_valid": np.ones(32, bool),
    }
    sums = jax.jit(lambda p: task.eval_sums(p, {}, {}, batch, None))(params)
    values = {name: float(a / n) for name, (a, n) in sums.items()}
    assert max(values["loss/level_1"], values["loss/level_2"]) < 0.1
    assert values["accuracy"] > 0.98 and values["context_gain"] > 1
    # both streams masked, as its training reports on fresh masks of the same batch
    one = jax.jit(lambda key: task.loss(params, {}, {}, batch, key)[1].sums)
    draws = [one(key) for key in jax.random.split(jax.random.key(3), 40)]
    for name in ("loss/target", "loss/context"):
        nats, count = np.sum([draw[name] for draw in draws], axis=0)
        # of 32 x 2 fixed masks against 40 x 32 drawn ones, some with dropped sources
        assert values[name] == pytest.approx(nats / count, abs=0.15)
    batch |= {name: np.asarray(value) for name, value in batch.items()}
    for level in measure(params, JOINT, [batch]).values():
        assert level["low"] > 1 and level["own_nats"] < 0.1
        assert level["over_null"]["low"] > 1


def test_both_streams_are_generated_from_nothing(params):
    context, stem = generated(params)
    # a step reveals codes of both streams without seeing each other: of 12 steps one
    # meets its partner, so some 1/12 of the codes are left to chance
    assert obeys(context, stem) > 0.8
    assert obeys(context[::-1], stem) < 2 * CHANCE  # contexts of other rows
    untrained = stemgen.init(jax.random.key(5), JOINT)
    assert obeys(*generated(untrained)) < 2 * CHANCE
    assert len(np.unique(context.reshape(ROWS, -1), axis=0)) == ROWS
    assert np.bincount(context.ravel(), minlength=V).min() > 20  # of 384, every code
    for guidance in (Guidance.NONE, Guidance.SINGLE):
        config = dataclasses.replace(CONFIG, guidance=guidance)
        assert obeys(*generated(params, config)) > 0.8


@pytest.mark.parametrize(
    "part", ["half a context", "a stem", "a context", "some of both"]
)
def test_the_rest_is_generated_around_a_given_part(params, part):
    rng = np.random.default_rng(0)
    context = rng.integers(0, V, (ROWS, Q, T))
    stem = np.roll(context, 1, axis=-1)
    is_kept = {name: np.zeros(context.shape, bool) for name in ("context", "stem")}
    match part:
        case "half a context":
            is_kept["context"][..., : T // 2] = True
        case "a stem":
            is_kept["stem"][:] = True
        case "a context":
            is_kept["context"][:] = True
        case "some of both":
            is_kept["context"][..., 2:5] = is_kept["stem"][..., 8:] = True
    given = {"context": Kept(context, is_kept["context"])}
    given["stem"] = Kept(stem, is_kept["stem"])
    new_context, new_stem = generated(params, **given)
    for name, new in (("context", new_context), ("stem", new_stem)):
        kept = is_kept[name]
        np.testing.assert_array_equal(new[kept], given[name].codes[kept])
    assert obeys(new_context, new_stem) > 0.85
    decided = np.roll(is_kept["context"], 1, axis=-1)
    if decided.any():  # by the given part of the context
        assert np.mean(new_stem[decided] == stem[decided]) > 0.8


def test_a_stem_is_generated_for_a_given_context(params):
    context = np.random.default_rng(1).integers(0, V, (ROWS, Q, T))
    result = decode_shared(
        devices_of(params),
        StemGenNetwork(JOINT),
        CONFIG,
        context,
        {"instrument": np.zeros(ROWS, np.int32)},
        variation_keys(np.zeros(ROWS, int), np.arange(ROWS)),
        num_frames=T,
        window_frames=T,
    )
    assert obeys(context, result.codes) > 0.95
