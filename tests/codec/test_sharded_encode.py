"""Encoding shared out over devices gives one device's codes."""

import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent


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
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["devices"] == 4
    # bit for bit, although a device's own rows go through in other chunks
    assert found["equal"] == [True, True]
    assert found["chunks"] == [100, 400]
    assert min(found["codes"]) > 50
    # each device works on its own two rows and asks the others nothing
    assert found["rows_of_one"] == 2 and found["gathers"] == 0
