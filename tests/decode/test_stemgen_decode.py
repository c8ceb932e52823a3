"""The loop around the real network: rows, buckets, presets, sharding."""

import json
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

from stemjax.config.decode import FAST, Guidance
from stemjax.config.model import (
    INSTRUMENT,
    Condition,
    ConditionKind,
    StemGenConfig,
    TransformerConfig,
)
from stemjax.decode.iterate import decode, decode_with
from stemjax.decode.network import StemGenNetwork
from stemjax.models import stemgen
from tests.decode.stub_networks import TableNetwork, inputs

CONFIG = StemGenConfig(
    num_codebooks=2,
    codebook_size=64,
    transformer=TransformerConfig(width=32, layers=2, heads=2, mlp_hidden=64),
)
SHAPES = TableNetwork(CONFIG.num_codebooks, CONFIG.codebook_size)
HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def params():
    """Heads scaled up: near-equal logits would hide what a row depends on."""
    params = stemgen.init(jax.random.key(0), CONFIG)
    params["heads"]["kernel"] = 20 * params["heads"]["kernel"]
    return params


def run(params, batch, rows=slice(None), frames=20, **options):
    context, conditions, keys = inputs(SHAPES, batch, 20)
    context = np.pad(context, ((0, 0), (0, 0), (0, frames - 20)))
    conditions = {"instrument": conditions["instrument"][rows]}
    result = decode(
        params, CONFIG, FAST, context[rows], conditions, keys[rows], **options
    )
    return np.asarray(result.codes)


def test_a_row_is_the_same_in_batches_of_1_2_and_8(params):
    codes = run(params, 8)
    assert len(np.unique(codes.reshape(8, -1), axis=0)) == 8
    for rows in (slice(0, 1), slice(7, 8), slice(4, 6)):
        np.testing.assert_array_equal(run(params, 8, rows), codes[rows])


def test_padding_is_not_attended_to(params):
    """Tokens agree across buckets: their logits differ by some 1e-6 only."""
    codes = run(params, 2)
    padded = run(params, 2, frames=32, lengths=[20, 20])
    np.testing.assert_array_equal(padded[..., :20], codes)
    heard = run(params, 2, frames=32)
    assert (heard[..., :20] != codes).any()


def test_branches_one_by_one_agree(params):
    together = run(params, 2, branches_together=True)
    apart = run(params, 2, branches_together=False)
    np.testing.assert_array_equal(together, apart)


def test_the_network_drops_what_it_is_told_to(params):
    network = StemGenNetwork(CONFIG)
    context, conditions, _ = inputs(SHAPES, 2, 20)
    target = np.full((4, 2, 20), CONFIG.codebook_size)
    two = {"instrument": np.tile(conditions["instrument"], 2)}
    is_dropped = np.array([[False, True]] * 2 + [[True, False]] * 2)
    embedded = network.embed(
        params, np.tile(context, (2, 1, 1)), two, is_dropped, np.full(4, 20)
    )
    logits = network.logits(params, embedded, target, 1)
    null_context = stemgen.embed_context(
        params, CONFIG, np.full((2, 2, 20), CONFIG.codebook_size)
    )
    null_instrument = stemgen.embed_conditions(
        params, CONFIG, {"instrument": np.full(2, 18)}
    )
    for rows, contexts, condition in (
        (slice(0, 2), stemgen.embed_context(params, CONFIG, context), null_instrument),
        (
            slice(2, 4),
            null_context,
            stemgen.embed_conditions(params, CONFIG, conditions),
        ),
    ):
        want = stemgen.apply_level(
            params,
            CONFIG,
            context=contexts,
            target_codes=target[rows],
            condition=condition,
            level=1,
        )
        # one more batch row and a mask may reorder float32 sums
        np.testing.assert_allclose(logits[rows], want, rtol=1e-4, atol=1e-5)


def test_three_sources_decode():
    """A vector condition beside the instrument: one scale and one branch more."""
    mood = Condition(name="mood", kind=ConditionKind.VECTOR, size=3)
    cfg = StemGenConfig(
        num_codebooks=1,
        codebook_size=8,
        transformer=TransformerConfig(width=16, layers=1, heads=2, mlp_hidden=16),
        conditions=(INSTRUMENT, mood),
    )
    params = stemgen.init(jax.random.key(1), cfg)
    params["heads"]["kernel"] = 50 * params["heads"]["kernel"]
    context, conditions, keys = inputs(TableNetwork(1, 8), 2, 12)
    conditions["mood"] = np.eye(3, dtype=np.float32)[:2]
    codes = []
    for scales in ((3.0, 2.0, 0.0), (3.0, 2.0, 4.0)):
        config = type(FAST)(steps=(6,), scales=scales, guidance=Guidance.MULTI)
        result = decode_with(
            StemGenNetwork(cfg), params, config, context, conditions, keys
        )
        codes.append(np.asarray(result.codes))
    assert (codes[0] != codes[1]).any()


def test_four_devices_share_the_work_without_gathering():
    """Batch-first on a data mesh: of seven rows two each, the same tokens and audio."""
    script = HERE / "sharded_decode.py"
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout.strip().splitlines()[-1])
    assert report["flops_share"] <= 0.34  # 2 of 7 rows, 0.286, and what is not per row
    assert report["flops_one"] > 1e6
    assert report["gathers"] == []
    assert report["equal"] and report["same_audio"]
    assert report["different_rows"] == 7
    # float32 means of 12 tokens, summed on another device
    np.testing.assert_allclose(*report["gains"], atol=1e-5)
    assert np.abs(report["gains"][0]).min() > 1e-3
