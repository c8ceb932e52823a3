"""SIGKILL, SIGTERM and SIGINT at random moments of training `stemgen-tiny`.

    python -m benchmarks.reliability.kills --n 100 --terms 30 --ints 30 --seconds 7200

Runs are interrupted and started again until they are done.  Each must end with the bits
of a run that nothing interrupted: losses, evaluations, newest and best checkpoint, and no
file more.  A SIGTERM or SIGINT must end with its exit code (or 0 after the last step),
no traceback and no hang.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter

from benchmarks.reliability import command

STEPS = 40
CODES = {signal.SIGKILL: {-9}, signal.SIGTERM: {143, 0}, signal.SIGINT: {130, 0}}


def training(workdir: pathlib.Path) -> list[object]:
    """Arguments of the training command."""
    return ["train.py", "stemgen-tiny", "--workdir", workdir, "--steps", STEPS]


def last_step(workdir: pathlib.Path) -> int:
    """Number of lines of metrics.jsonl."""
    try:
        return (workdir / "metrics.jsonl").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def send_at_random(
    process: subprocess.Popen, workdir: pathlib.Path, number: int, rng: random.Random
) -> str:
    """Send the signal in the start, or within a few steps; returns where."""
    place = rng.choice(["start", "steps", "steps"])
    if place == "start":
        command.wait_until(lambda: command.catches_sigterm(process), process, 60)
        time.sleep(rng.uniform(0.0, 15.0))
    else:
        before = last_step(workdir)
        count = rng.randint(1, 12)
        command.wait_until(lambda: last_step(workdir) >= before + count, process)
        time.sleep(rng.uniform(0.0, 1.5))
    if process.poll() is None:
        process.send_signal(number)
    return place


def final_state(workdir: pathlib.Path) -> dict[str, object]:
    """All that must be equal: logged values, arrays of the checkpoints, names of files."""
    import jax
    import orbax.checkpoint as ocp

    state: dict[str, object] = {}
    for name in ("metrics.jsonl", "eval.jsonl"):
        lines = [json.loads(s) for s in (workdir / name).read_text().splitlines()]
        state[name] = [
            {k: v for k, v in line.items() if k in ("step", "loss", "accuracy")}
            for line in lines
        ]
    names = [p for p in workdir.iterdir() if p.name != "tensorboard"]
    state["names"] = sorted(p.name for p in names)
    with ocp.StandardCheckpointer() as checkpointer:
        for series in ("checkpoints", "best"):
            steps = sorted(p.name for p in (workdir / series).iterdir())
            state[series] = steps
            for item in ("model", "optimiser"):
                path = (workdir / series / steps[-1] / item).resolve()
                arrays = jax.tree_util.tree_leaves_with_path(checkpointer.restore(path))
                for key, array in arrays:
                    place = f"{series}/{item}{jax.tree_util.keystr(key)}"
                    state[place] = jax.device_get(array).tobytes()
            host = workdir / series / steps[-1] / "host" / "metadata"
            state[f"{series}/host"] = json.loads(host.read_text())
    state["DONE"] = (workdir / "DONE").read_text()
    return state


def main() -> None:
    """Run the campaign; exits with 1 if the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=100, help="SIGKILLs")
    parser.add_argument("--terms", type=int, default=30, help="SIGTERMs")
    parser.add_argument("--ints", type=int, default=30, help="SIGINTs")
    parser.add_argument("--seconds", type=float, default=7200.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    os.environ |= command.ENVIRONMENT
    rng = random.Random(args.seed)
    signals = [signal.SIGKILL] * args.n
    signals += [signal.SIGTERM] * args.terms + [signal.SIGINT] * args.ints
    rng.shuffle(signals)
    until = time.monotonic() + args.seconds
    counts: Counter[str] = Counter()
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="stemjax-kills-") as folder:
        home = pathlib.Path(folder)
        log = home / "log"
        straight = command.run(training(home / "straight"), log)
        if straight.code != 0:
            sys.exit(f"the uninterrupted run failed: {straight.stderr[-2000:]}")
        wanted = final_state(home / "straight")

        def judge(workdir: pathlib.Path) -> None:
            counts["runs"] += 1
            got = final_state(workdir)
            if got != wanted:
                keys = sorted(wanted.keys() | got.keys())
                wrong = [k for k in keys if wanted.get(k) != got.get(k)]
                shown = [got.get(k) for k in wrong if not isinstance(got.get(k), bytes)]
                faults.append(f"{workdir.name} ends with other {wrong[:5]} {shown[:2]}")
            shutil.rmtree(workdir)

        workdir = home / "run-0"
        for number in signals:
            if time.monotonic() > until:
                break
            process = command.start(training(workdir), log)
            place = send_at_random(process, workdir, number, rng)
            end = command.finish(process, log)
            counts[f"{signal.Signals(number).name} {place}"] += 1
            counts[signal.Signals(number).name] += 1
            counts["hangs"] += end.code is None
            counts["tracebacks"] += end.has_traceback
            if end.code not in CODES[number] | {0} or end.has_traceback:
                faults.append(f"{number} in {place}: {end.code} {end.stderr[-1500:]}")
            elif number != signal.SIGKILL and end.code and len(end.errors) > 1:
                faults.append(f"{number} in {place}: lines {end.errors}")
            done = sum(counts[n.name] for n in CODES)
            print(
                f"{done}/{len(signals)} {signal.Signals(number).name} in {place}: exit"
                f" {end.code} after {end.seconds:.1f} s, step {last_step(workdir)};"
                f" {len(faults)} faults",
                flush=True,
            )
            if (workdir / "DONE").exists():
                judge(workdir)
                workdir = home / f"run-{counts['runs']}"
        if workdir.exists():
            end = command.run(training(workdir), log)
            if end.code == 0:
                judge(workdir)
            else:
                faults.append(f"the last start: {end.code} {end.stderr[-1500:]}")
    for fault in faults:
        print(fault)
    print(json.dumps({"campaign": "kills", **counts, "faults": len(faults)}))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
