"""Ten steps on eight virtual devices give the losses of one, whatever the mesh."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.slow
ROOT = pathlib.Path(__file__).resolve().parents[2]
WIDTH, HIDDEN = 32, 64  # of the small model


@pytest.fixture(scope="module")
def report():
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.train.sharded_steps"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("mesh", ["8,1,1", "1,8,1", "2,2,2"])
def test_a_mesh_has_the_losses_of_one_device(report, mesh):
    one, many = report["one"]["losses"], report[mesh]["losses"]
    np.testing.assert_allclose(many, one, rtol=1e-4)
    # a run that learns: equal losses are no accident of a standing model
    assert one[0] == pytest.approx(np.log(64), rel=0.02) and one[-1] < 0.9 * one[0]


@pytest.mark.parametrize(
    ("mesh", "shard"),
    [
        ("one", [WIDTH, 2, HIDDEN]),
        ("8,1,1", [WIDTH, 2, HIDDEN]),
        ("1,8,1", [WIDTH // 8, 2, HIDDEN]),
        ("2,2,2", [WIDTH // 2, 2, HIDDEN // 2]),
    ],
)
def test_parameters_moments_and_average_lie_as_the_rules_say(report, mesh, shard):
    assert report[mesh]["shards"] == {
        "params": shard,
        "moments": shard,
        "average": shard,
    }
