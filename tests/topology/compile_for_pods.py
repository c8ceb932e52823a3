"""The paper's train step and decoder, compiled for machines that are not here.

Run by `make topology`, not by the suite: minutes, and compilers of hundreds of MB.
Nothing is run: what a pod does with these programs is not shown here.
"""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
ROOT = pathlib.Path(__file__).resolve().parents[2]
HBM = 16 * 10**9  # bytes of a TPU v5e chip
PARAMETERS = 268_818_944


def plan(*flags, code=0):
    run = subprocess.run(
        [sys.executable, "train.py", "stemgen-slakh", "--dry-run", "--compile", *flags],
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=3600,
    )
    assert run.returncode == code, run.stderr
    return run


@pytest.fixture(scope="module")
def pod():
    run = plan("--topology", "v5e:8x8", "--batch-size", "64")
    return json.loads(run.stdout.splitlines()[-1])


def test_the_pod_is_what_was_asked_for(pod):
    assert pod["compiled_for"] == {
        "platform": "tpu",
        "device": "TPU v5 lite",
        "devices": 64,
    }
    assert pod["mesh"] == {"data": 64, "fsdp": 1, "tensor": 1}


def test_the_train_step_fits_a_chip_as_it_is(pod):
    step = pod["train_step"]
    # parameters and two moments in float32, whole on every chip
    assert step["argument_bytes"] == pytest.approx(12 * PARAMETERS, rel=0.01)
    assert step["peak_bytes"] < HBM
    assert step["fits"] == [
        {"memory_gb": 16, "flags": "", "peak_bytes": step["peak_bytes"]}
    ]
    # bfloat16: one example's activations in float32 would be twice as many
    assert step["activation_bytes"] < 3e9
    assert step["program_flops"] == pytest.approx(pod["flops_per_step"], rel=0.05)
    # a chip's share, by the compiler's own count
    assert 64 * step["device_flops"] == pytest.approx(pod["flops_per_step"], rel=0.1)
    assert set(step["collectives"]) == {"all-reduce"}  # of gradients


def test_the_decoder_fits_a_chip_and_needs_no_other(pod):
    decoder = pod["decoder"]
    assert (decoder["contexts"], decoder["frames"]) == (64, 1000)
    assert 4 * PARAMETERS < decoder["peak_bytes"] < HBM
    assert decoder["collectives"].keys() <= {"all-reduce"}  # "is any code hidden?"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--topology", "v5e:8x8"), "batch 40"),  # of the paper: 64 is the nearest
        (("--topology", "v5e:8x8"), "use 64"),
        (("--topology", "v5e:7x3"), "v5e:7x3"),
        (("--topology", "v99:8x8"), "v99:8x8"),
        (("--topology", "v5e:8x8", "--mesh.data", "5"), "64 devices"),
    ],
)
def test_what_no_pod_can_run_exits_2_in_one_line(flags, message):
    error = plan(*flags, code=2).stderr
    assert message in error and error.startswith("error: ")
    assert len(error.splitlines()) == 1


@pytest.mark.skipif(
    importlib.util.find_spec("jax_plugins") is None, reason="needs the extra cuda12"
)
def test_the_train_step_on_one_gpu():
    report = json.loads(plan("--topology", "h100:1").stdout.splitlines()[-1])
    step = report["train_step"]
    rows = {row["memory_gb"]: row for row in step["fits"]}
    assert rows[80]["flags"] == rows[141]["flags"] == ""
    assert "rematerialise" in rows[24]["flags"]
    assert step["program_flops"] == pytest.approx(report["flops_per_step"], rel=0.05)
