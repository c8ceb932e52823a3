"""Encoding on several devices gives the codes of one device."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent


@pytest.mark.slow  # a process with four devices
def test_codes_on_four_devices_are_those_of_one():
    run = subprocess.run(
        [sys.executable, HERE / "sharded_encode.py"],
        cwd=HERE.parents[1],
        env=os.environ
        | {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "4", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
    results = json.loads(run.stdout.splitlines()[-1])
    assert results["devices"] == 4
    # Bit for bit, although a device encodes its rows in other chunks.
    assert results["equal"] == [True, True]
    assert results["chunks"] == [100, 400]
    assert min(results["codes"]) > 50
    # Each device encodes two rows, without communication.
    assert results["rows_of_one"] == 2 and results["gathers"] == 0
