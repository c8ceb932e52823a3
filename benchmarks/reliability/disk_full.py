"""A disk that fills up at 20 places of training and of the commands that write folders.

    python -m benchmarks.reliability.disk_full --seconds 3600 [--n 20]

Each command writes to a small file system in memory, in a mount namespace of its own
(Linux, as root), whose size is a share of what the command needs.  It must end with one
line and exit code 2, and leave the newest checkpoint, or the session that was there,
readable.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter

from benchmarks.reliability import command
from benchmarks.reliability.kills import training
from benchmarks.reliability.restarts import commands, contents, make_session

SHARES = {
    "train": (0.01, 0.1, 0.3, 0.45, 0.6, 0.7, 0.8, 0.9),
    "prepare": (0.05, 0.5, 0.97),
    "tokens": (0.2, 0.5, 0.97),
    "export": (0.2, 0.7),
    "sample": (0.1, 0.3),
    "layer": (0.2, 0.5),
}
"""Sizes of the disk, in shares of what an uninterrupted command leaves or adds."""
BLOCK = 4096
SMALL = """
mount -t tmpfs -o size=$SIZE none "$MOUNT" || exit 99
test -d "$BEFORE" && cp -a "$BEFORE" "$MOUNT/out"
"$@"
code=$?
test -e "$MOUNT/out" && cp -a "$MOUNT/out" "$AFTER"
exit $code
"""
"""Shell script: a small disk, the folder that was there, the command, a copy to judge."""


def size_of(folder: pathlib.Path) -> int:
    """Bytes on a disk of whole blocks."""
    files = [p.stat().st_size for p in folder.rglob("*") if p.is_file()]
    return sum(-(-size // BLOCK) * BLOCK for size in files)


def fault_of_training(workdir: pathlib.Path) -> str | None:
    """What is wrong with the newest checkpoint of a run that could not go on."""
    import orbax.checkpoint as ocp

    series = workdir / "checkpoints"
    steps = [int(p.name) for p in series.glob("*") if p.name.isdecimal()]
    with ocp.StandardCheckpointer() as checkpointer:
        for item in ("model", "optimiser") if steps else ():
            try:
                checkpointer.restore((series / str(max(steps)) / item).resolve())
            except Exception as error:  # noqa: BLE001  (orbax raises many types)
                return f"checkpoint {max(steps)} is broken: {error}"
    return None


def main() -> None:
    """Run the campaign; exits with 1 if the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=20, help="places, the first ones")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--commands", nargs="+", choices=[*SHARES], default=[*SHARES])
    args = parser.parse_args()
    os.environ |= command.ENVIRONMENT
    until = time.monotonic() + args.seconds
    counts: Counter[str] = Counter()
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="stemjax-full-") as folder:
        home = pathlib.Path(folder)
        log, after, mount = home / "log", home / "after", home / "mount"
        mount.mkdir()
        made = commands(home)
        made["train"] = training
        made["export"] = lambda out: (
            [
                "train.py",
                "export",
                "--workdir",
                home / "train" / "straight",
                "--out",
                out,
            ]
        )
        made["sample"] = lambda out: (
            ["sample.py", "--context", home / "contexts" / "one.wav", "--instrument"]
            + ["bass", "--preset", "fast", "--out", out]
        )
        places = [(name, s) for name in args.commands for s in SHARES[name]]
        for name, share in places[: args.n]:
            if time.monotonic() > until:
                break
            for needed in {"export": ["train"], "tokens": ["prepare"]}.get(name, []) + [
                name
            ]:
                straight = home / needed / "straight"
                if not straight.exists():
                    straight.parent.mkdir(exist_ok=True)
                    if needed == "layer":
                        shutil.copytree(make_session(home, log), straight)
                    end = command.run(made[needed](straight), log)
                    if end.code:
                        sys.exit(f"{needed} failed: {end.stderr[-2000:]}")
            is_session = name == "layer"
            before = make_session(home, log) if is_session else home / "none"
            room = round(share * size_of(home / name / "straight"))
            room += size_of(before) if is_session else 0
            environment = os.environ | {
                "SIZE": str(-(-room // BLOCK) * BLOCK),
                "MOUNT": str(mount),
                "BEFORE": str(before),
                "AFTER": str(after),
            }
            began = time.monotonic()
            arguments = ["unshare", "-m", "sh", "-c", SMALL, "sh", sys.executable]
            arguments += map(str, made[name](mount / "out"))
            with open(f"{log}.out", "w") as out, open(f"{log}.err", "w") as err:
                process = subprocess.Popen(
                    arguments, cwd=command.ROOT, env=environment, stdout=out, stderr=err
                )
            end = command.finish(process, log, 900.0)
            counts[name] += 1
            counts["hangs"] += end.code is None
            fault = None
            if not end.is_refusal:
                fault = f"exit {end.code}: {end.errors[:3]} {end.stdout[-300:]}"
            elif name == "train" and after.exists():
                fault = fault_of_training(after)
            elif name == "layer" and contents(after) != contents(before):
                fault = "the session that was there has changed"
            if fault:
                faults.append(f"{name} at {share}: {fault}")
            shutil.rmtree(after, ignore_errors=True)
            seconds = time.monotonic() - began
            print(
                f"{name} at {share}: exit {end.code} after {seconds:.0f} s"
                f" {fault or end.errors}",
                flush=True,
            )
    for fault in faults:
        print(fault)
    print(json.dumps({"campaign": "disk_full", **counts, "faults": len(faults)}))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
