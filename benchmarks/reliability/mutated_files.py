"""Damages files of the project's formats and reads them as the commands do.

For each kind of file, `--n` copies are damaged at random: cut, flipped, emptied, missing,
a folder in place of the file, or fields and arrays deleted, renamed, retyped, nested, huge
or not finite.  A reader must end in one line that a user can act on, or give the value of
the whole file; a difference is right only in a file whose format holds no digest of it.

    python -m benchmarks.reliability.mutated_files --n 300 --seconds 3600

Prints one JSON line at the end: for each kind, the number of each outcome.  Exits with 1 if
anything else happened.
"""

import argparse
import collections
import contextlib
import dataclasses
import hashlib
import io
import json
import os
import pathlib
import pickle
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.reliability.mutations import fresh_copy, mutate
from stemjax.io.errors import UserError

HANG_SECONDS = 60
ONE_LINE, EQUAL, UNSEEN = "one line", "equal", "difference that the format cannot see"


@dataclasses.dataclass(frozen=True)
class FileKind:
    """Files of one format, and the way in which a command reads them."""

    make: Callable[[pathlib.Path], None]
    """Fills an empty folder."""
    files: Sequence[str]
    """Patterns of the files that are damaged."""
    read: Callable[[pathlib.Path], Any]
    """Value of the folder; a `UserError` or an `OSError` is one line."""
    blind: Sequence[str]
    """Patterns of the files that hold values without a digest."""


def digest(value: Any) -> str:
    """Digest of any value of plain data, arrays and dataclasses."""
    import jax

    leaves = [
        np.asarray(x).tobytes() + str(np.shape(x)).encode() if _is_array(x) else repr(x)
        for x in jax.tree.leaves(value)
    ]
    return hashlib.sha256(pickle.dumps(leaves)).hexdigest()


def _is_array(value: Any) -> bool:
    return hasattr(value, "dtype")


def make_release(folder: pathlib.Path) -> None:
    from tests.entry.random_release import write_random_release

    write_random_release(folder)


def load_model(folder: pathlib.Path) -> Any:
    import stemjax

    model = stemjax.load(folder)
    about = (model.name, model.version, model.sha256, model.config, model.decode)
    codec = (model.codec.config, model.codec.variables)
    return digest([about, model.trained_frames, model.params, *codec])


def make_prepared(folder: pathlib.Path) -> None:
    import soundfile

    from stemjax.data import prepare

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as songs:
        for split in ("train", "validation", "test"):
            for name in ("bass", "drums", "piano"):
                path = pathlib.Path(songs) / split / f"song {split}" / f"{name}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                audio = 0.1 * rng.standard_normal(64_000)
                soundfile.write(path, audio, 32_000)
        words = ["--input", songs, "--out", str(folder), "--workers", "1"]
        folder.rmdir()
        with contextlib.redirect_stdout(io.StringIO()):
            prepare.main([*words, "--layout", "folder"])


def read_prepared(folder: pathlib.Path) -> str:
    from stemjax.data.layouts.song import SPLITS
    from stemjax.data.spec import open_data

    data = open_data(str(folder)).data
    tables = [vars(data.index(split)) for split in SPLITS]
    return digest([tables, data.content_hash, data.read(np.arange(len(data)))])


def make_tokens(folder: pathlib.Path) -> None:
    from stemjax.data.prepared.synthetic import SyntheticSet
    from tests.data.tokens.made_stores import filled

    filled(folder, SyntheticSet(0, songs=(2, 1, 1), seconds=4.0))


def read_tokens(folder: pathlib.Path) -> str:
    from stemjax.data.layouts.song import SPLITS
    from stemjax.data.spec import open_data

    data = open_data(str(folder)).data
    tables = [vars(data.index(split)) for split in SPLITS]
    codes = [np.array(data.codes(entry)) for entry in range(data.entries)]
    return digest([tables, data.content_hash, codes, data.codec])


def make_session(folder: pathlib.Path) -> None:
    from stemjax.session import session_file
    from tests.session.test_session_file import SESSION, StubCodec

    session_file.save(folder, SESSION)
    rng = np.random.default_rng(0)
    for layer in SESSION.layers:
        codes = rng.integers(0, 2048, (4, 77))
        session_file.save_tokens(folder / layer.tokens, codes, StubCodec())


def read_session(folder: pathlib.Path) -> str:
    from stemjax.session import session_file
    from stemjax.session.layering import request_of
    from tests.session.test_session_file import StubCodec

    session = session_file.read(folder)
    codes = [
        session_file.read_tokens(folder / layer.tokens, StubCodec())
        for layer in session.layers
    ]
    return digest([session, [request_of(layer) for layer in session.layers], codes])


def make_workdir(folder: pathlib.Path) -> None:
    from stemjax.cli.train.main import main

    words = ["stemgen-tiny", "--workdir", str(folder), "--steps", "3"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main([*words, "--loop.eval-every", "3"])
    assert (folder / "DONE").is_file()


def read_workdir(folder: pathlib.Path) -> str:
    with contextlib.redirect_stdout(io.StringIO()):
        return load_model(folder)


def make_runs(folder: pathlib.Path) -> None:
    from stemjax.train.heartbeat import RunPhase
    from stemjax.train.resume import mark_done
    from tests.train.made_workdirs import make

    for name in ("damaged", "whole"):
        losses = [{"step": n, "loss": 1 / n, "mfu": 0.5} for n in range(1, 9)]
        evals = [{"step": n, "accuracy": n / 10} for n in (4, 8)]
        make(folder / name, losses=losses, evals=evals, beat=(30, 8, RunPhase.RUNNING))
        mark_done(folder / name, 8, "no better validation")


def read_runs(folder: pathlib.Path) -> str:
    """The table of runs: the whole workdir is always in it."""
    from stemjax.train.sweeps.runs_table import report
    from tests.train.made_workdirs import NOW

    report(folder, stale=1e12, now=NOW)
    table = json.loads(report(folder, stale=1e12, now=NOW, is_json=True))
    if "whole" not in [run["path"] for run in table["runs"]]:
        raise AssertionError("the whole workdir is not in the table")
    if table["not_read"]:
        raise UserError(" ".join(table["not_read"]))
    if not (folder / "damaged" / "run.json").exists():
        raise UserError("no run.json: no workdir")
    for run in table["runs"]:
        run["seen"] = run["seen"] if run["path"] == "damaged" else 0
    return digest(table)


KINDS: dict[str, FileKind] = {
    "release": FileKind(
        make_release,
        ("*.json", "*.safetensors", "codec/*.json", "codec/*.safetensors"),
        load_model,
        ("config.json", "model.safetensors"),
    ),
    "prepared": FileKind(
        make_prepared,
        ("manifest.json", "rms.npy", "*.array_record*"),
        read_prepared,
        ("manifest.json",),
    ),
    "tokens": FileKind(make_tokens, ("*",), read_tokens, ()),
    "session": FileKind(make_session, ("session.json",), read_session, ("*.json",)),
    "tokens.npz": FileKind(make_session, ("*.npz",), read_session, ("*.npz",)),
    "workdir": FileKind(
        make_workdir,
        ("run.json", "eval.jsonl", "best/*/model/*", "best/*/model/d/*", "codec/*"),
        read_workdir,
        ("run.json", "eval.jsonl", "best/*", "codec/*"),
    ),
    "run.json": FileKind(
        make_runs, ("damaged/run.json", "damaged/DONE"), read_runs, ("*",)
    ),
    "metrics.jsonl": FileKind(
        make_runs, ("damaged/*.jsonl", "damaged/heartbeat.json"), read_runs, ("*",)
    ),
}


def judge(kind: FileKind, folder: pathlib.Path, file: str, whole: Any) -> str:
    """Outcome of reading a damaged folder, one of those above or what is wrong."""
    try:
        with _time_limit():
            value = kind.read(folder)
    except UserError as error:
        message = str(error)
        return ONE_LINE if message.strip() and len(message) < 1000 else "a long message"
    except OSError as error:
        return ONE_LINE if error.filename or error.strerror else "an OSError"
    except TimeoutError:
        return "hang"
    except BaseException as error:  # noqa: BLE001  (every other end is wrong)
        return f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
    if value == whole:
        return EQUAL
    is_blind = any(pathlib.PurePath(file).match(pattern) for pattern in kind.blind)
    return UNSEEN if is_blind else "a difference without a word"


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    def stop(number, frame):
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(HANG_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def campaign(name: str, n: int, seed: int, until: float) -> collections.Counter:
    """Outcomes of `n` damaged copies of one kind; prints each that is wrong."""
    kind = KINDS[name]
    rng = np.random.default_rng([seed, *name.encode()])
    outcomes: collections.Counter = collections.Counter()
    with tempfile.TemporaryDirectory(prefix="mutated-") as home:
        source, copy = pathlib.Path(home) / "whole", pathlib.Path(home) / "copy"
        source.mkdir()
        kind.make(source)
        fresh_copy(source, copy)
        whole = kind.read(copy)
        paths = sorted({p for pattern in kind.files for p in source.glob(pattern)})
        files = [p.relative_to(source).as_posix() for p in paths if p.is_file()]
        for number in range(n):
            if time.monotonic() > until:
                outcomes["out of time"] += n - number
                break
            file = files[rng.integers(len(files))]
            fresh_copy(source, copy)
            done = mutate(rng, copy / file)
            outcome = judge(kind, copy, file, whole)
            if outcome not in (ONE_LINE, EQUAL, UNSEEN):
                print(f"{name} {number}: {file} {done}: {outcome}", flush=True)
                outcome = "wrong"
            outcomes[outcome] += 1
    print(f"{name}: {dict(outcomes)}", file=sys.stderr, flush=True)
    return outcomes


def main() -> None:
    """Run the campaigns and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    arguments = parser.parse_args()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    until = time.monotonic() + arguments.seconds
    results = {
        name: campaign(name, arguments.n, arguments.seed, until)
        for name in arguments.kinds
    }
    print(json.dumps({"campaign": "mutated_files", "n": arguments.n, **results}))
    wrong = sum(counts["wrong"] + counts["out of time"] for counts in results.values())
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
