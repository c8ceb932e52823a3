"""SIGKILL of prepare, tokens, batch and layer --replace, each started again at once.

    python -m benchmarks.reliability.restarts --n 20 --seconds 3600 [--commands tokens ...]

A command is killed at `CHAIN` random moments in turn, then runs to its end.  Its folder
must hold the bytes of a run that nothing interrupted, and no file more.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import soundfile

from benchmarks.reliability import command

CHAIN = 4
"""Kills before a run may end."""
SECONDS, RATE = 6.0, 32_000


def write_songs(folder: pathlib.Path) -> None:
    """Eight songs of two stems, noise of different colours."""
    rng = np.random.default_rng(0)
    for song in range(8):
        for name in ("bass", "piano"):
            audio = np.cumsum(rng.normal(size=round(SECONDS * RATE)))
            audio = 0.3 * audio / np.abs(audio).max()
            path = folder / "train" / f"song_{song}" / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, audio, RATE, subtype="PCM_16")


def contents(folder: pathlib.Path) -> dict[str, str]:
    """Relative path -> digest of every file; timings of reports do not count."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        if path.name == "sample.json":
            report = json.loads(content)
            report.pop("timings")
            content = json.dumps(report).encode()
        name = path.relative_to(folder).as_posix()
        found[name] = hashlib.sha256(content).hexdigest()
    return found


def commands(home: pathlib.Path) -> dict[str, Callable[[pathlib.Path], list[object]]]:
    """Name -> arguments of the command that writes to a folder."""
    songs, contexts = home / "songs", home / "contexts"
    context = contexts / "one.wav"
    write_songs(songs)
    contexts.mkdir()
    for number, name in enumerate(("one", "two")):
        stems = (songs / "train" / f"song_{number}").glob("*.wav")
        mix = sum(soundfile.read(path)[0][: 3 * RATE] for path in sorted(stems))
        soundfile.write(contexts / f"{name}.wav", 0.5 * mix, RATE)
    return {
        "prepare": lambda out: (
            ["-m", "data.prepare", "--layout", "folder", "--input", songs]
            + ["--out", out, "--workers", 2, "--shard-records", 2]
        ),
        "tokens": lambda out: (
            ["train.py", "tokens", "--data", home / "prepare" / "straight"]
            + ["--codec", "codec-mini", "--draws", 2, "--batch-size", 2]
            + ["--crop-seconds", 2, "--out", out]
        ),
        "batch": lambda out: (
            [
                "sample.py",
                "batch",
                "--contexts",
                contexts,
                "--instruments",
                "bass,drums",
            ]
            + ["--preset", "fast", "--out", out]
        ),
        "layer": lambda out: (
            ["sample.py", "layer", "--context", context, "--preset", "fast"]
            + ["--seed", 5, "--replace", 1, "--out", out]
        ),
    }


def make_session(home: pathlib.Path, log: pathlib.Path) -> pathlib.Path:
    """A session of two layers, which `layer --replace` starts from."""
    out = home / "session"
    if not out.exists():
        arguments = ["sample.py", "layer", "--context", home / "contexts" / "one.wav"]
        arguments += ["--instruments", "bass,drums", "--preset", "fast", "--out", out]
        end = command.run(arguments, log)
        if end.code:
            sys.exit(f"the session failed: {end.stderr[-2000:]}")
    return out


def main() -> None:
    """Run the campaign; exits with 1 if the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=20, help="SIGKILLs of each command")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=0)
    names = ["prepare", "tokens", "batch", "layer"]
    parser.add_argument("--commands", nargs="+", choices=names, default=names)
    args = parser.parse_args()
    os.environ |= command.ENVIRONMENT
    rng = random.Random(args.seed)
    until = time.monotonic() + args.seconds
    counts: Counter[str] = Counter()
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="stemjax-restarts-") as folder:
        home = pathlib.Path(folder)
        log = home / "log"
        made = commands(home)
        for name in names:
            if name not in args.commands and name != "prepare":
                continue

            def begin(out: pathlib.Path, name: str = name) -> None:
                out.parent.mkdir(exist_ok=True)
                if name == "layer":
                    shutil.copytree(make_session(home, log), out)

            out = home / name / "straight"
            begin(out)
            end = command.run(made[name](out), log)
            if end.code:
                sys.exit(f"{name} failed uninterrupted: {end.stderr[-2000:]}")
            wanted, took = contents(out), end.seconds
            print(f"{name}: {took:.1f} s uninterrupted", flush=True)
            out = home / name / "killed"
            while name in args.commands and counts[name] < args.n:
                if time.monotonic() > until:
                    break
                begin(out)
                for _ in range(CHAIN):
                    process = command.start(made[name](out), log)
                    time.sleep(rng.uniform(0.3, 1.0) * took)
                    counts[name] += process.poll() is None
                    process.kill()
                    command.finish(process, log)
                end = command.run(made[name](out), log)
                counts["restarts"] += 1
                if end.code or end.has_traceback:
                    faults.append(f"{name}: {end.code} {end.stderr[-1500:]}")
                elif (got := contents(out)) != wanted:
                    keys = sorted(got.keys() | wanted.keys())
                    wrong = [k for k in keys if got.get(k) != wanted.get(k)]
                    faults.append(f"{name}: other bytes or files: {wrong[:8]}")
                shutil.rmtree(out)
                print(f"{name}: {counts[name]} kills, {len(faults)} faults", flush=True)
    for fault in faults:
        print(fault)
    print(json.dumps({"campaign": "restarts", **counts, "faults": len(faults)}))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
