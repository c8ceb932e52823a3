"""How the bundled weights are made: one phase of the work a call.

    python examples/bundle/bundle.py PHASE --out OUT [--minutes M] [-- FLAGS OF THE COMMAND]

Each phase runs this repository's own commands as processes and shows their output.  A
phase stops after `--minutes`; the same call continues it.  README.md beside this file
lists the phases.
"""

import contextlib
import csv
import dataclasses
import enum
import fnmatch
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import tyro

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # run as a script, this file's folder comes first

from stemjax.data.layouts.folder import TABLE  # noqa: E402
from stemjax.data.layouts.song import SPLITS  # noqa: E402
from stemjax.data.prepared.segments import SAMPLE_RATE, read_stem  # noqa: E402
from stemjax.io.atomic import replacing_folder, write_text  # noqa: E402
from stemjax.io.errors import UserError, exit_on_bad_input  # noqa: E402

TABLES = Path(__file__).resolve().parent / "splits"
COLUMNS = {"package", "file", "song", "stem", "category", "split"}
SAVE_SECONDS = 60.0  # for a command that is stopped, to save its state
STOPPED = 3  # exit status if the time is up


class Phase(enum.Enum):
    """Steps of the work, in order."""

    RECORDINGS = "recordings"
    RENDER = "render"
    PREPARE = "prepare"
    CODEC = "codec"
    TOKENS = "tokens"
    TRAIN = "train"
    EXPORT = "export"


@dataclasses.dataclass(frozen=True, kw_only=True)
class BundleArgs:
    """Make a codec and a model like the bundled ones, phase by phase.

    Flags after `--` go to the command of the phase and override what the script sets:
    bundle.py render --out OUT -- --midi freedoom/musics --sf2 FluidR3_GM.sf2
    """

    phase: tyro.conf.Positional[Phase]
    """recordings: audio for the codec; render: songs; prepare: records; codec: train and
    export a codec; tokens: encode; train: train a model; export: release it."""
    out: Path
    """Folder of all results, from which the phases read one another's."""
    minutes: float = 0.0
    """Time budget of this call in minutes; 0: none. Exit status 3 if it is used up."""
    preset: str = ""
    """codec, train: preset of train.py; default: codec-mini, stemgen-mini."""
    packages: Path | None = None
    """recordings: folder of unpacked Debian packages, `dpkg -x NAME_*.deb DIR/NAME`."""
    table: Path = TABLES / "recordings.csv"
    """recordings: CSV with package, file (a pattern), song, stem, category and split."""


def commands(args: BundleArgs) -> list[str]:
    """The command lines of a phase, without the interpreter."""
    out, train = (shlex.quote(str(p)) for p in (args.out.absolute(), ROOT / "train.py"))
    prepared, codec = f"{out}/prepared", f"{out}/releases/codec"
    prepare = "-m data.prepare --layout"
    export = f"{train} export --dtype bf16 --workdir {out}/runs"
    match args.phase:
        case Phase.RECORDINGS:
            folder = f"{out}/recordings"
            return [f"{prepare} folder --input {folder}/songs --out {folder}/prepared"]
        case Phase.RENDER:
            line = f"-m data.render --out {out}/songs --versions 3 --songs 200"
            return [f"{line} --seconds 60 --max-seconds 120"]
        case Phase.PREPARE:
            return [f"{prepare} slakh --input {out}/songs --out {prepared}"]
        case Phase.CODEC:
            line = f"{train} {args.preset or 'codec-mini'} --workdir {out}/runs/codec"
            line += f" --data {prepared}"
            if (args.out / "recordings" / "prepared").exists():
                line += f"=2,{out}/recordings/prepared=1"
            return [line, f"{export}/codec --out {codec} --name codec-mini"]
        case Phase.TOKENS:
            line = f"{train} tokens --data {prepared} --codec {codec}"
            return [f"{line} --draws 4 --out {out}/tokens"]
        case Phase.TRAIN:
            line = f"{train} {args.preset or 'stemgen-mini'} --workdir {out}/runs/model"
            return [f"{line} --data {out}/tokens --codec {codec}"]
        case Phase.EXPORT:
            return [f"{export}/model --out {out}/releases/model --name stemgen-mini"]


def run(words: list[str], deadline: float) -> None:
    """Run a command until it ends, or until `deadline` (of `time.monotonic`).

    Exits with the command's status if it fails, and with `STOPPED` after the deadline.
    """
    print("$ python", shlex.join(words), flush=True)
    process = subprocess.Popen(
        [sys.executable, *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    try:
        status = process.wait(max(1.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        status = STOPPED
    finally:
        end(process)
    exit_with(status)


def exit_with(status: int) -> None:
    """Exit if a status is not 0."""
    if status == STOPPED:
        print("time is up: run the same command again to continue", file=sys.stderr)
    if status:
        sys.exit(status)


def end(process: subprocess.Popen) -> None:
    """End a running command, and kill it with its workers if it takes too long."""
    if process.poll() is None:
        process.terminate()  # train.py saves a checkpoint
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SAVE_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a table of recordings, by column.

    `file` is a pattern below the package's folder, which may lead into a zip archive;
    an empty `category` is unknown.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"cannot read --table {path}: {error}") from error
    if not rows or not COLUMNS <= set(rows[0]):
        raise UserError(f"{path} needs rows with {','.join(sorted(COLUMNS))}")
    splits: dict[str, str] = {}
    for row in rows:
        where, split = f"{path}: {row['song']}", row["split"]
        if split not in SPLITS:
            raise UserError(f"{where} has the split {split!r}, not one of {SPLITS}")
        if splits.setdefault(row["song"], split) != split:
            raise UserError(f"{where} is in two splits: leave one")
    return rows


def lay_out(args: BundleArgs, deadline: float) -> None:
    """Write OUT/recordings/songs/SPLIT/SONG/STEM.flac and stems.csv.

    Files of a pattern (in order of name) and rows of a stem are joined end to end.
    """
    if args.packages is None:
        raise UserError("recordings needs --packages: see examples/bundle/README.md")
    rows, songs = read_table(args.table), args.out / "recordings" / "songs"
    for package in dict.fromkeys(row["package"] for row in rows):
        if not (args.packages / package).is_dir():
            raise UserError(
                f"{args.packages / package} is no folder: apt-get download {package},"
                " then dpkg -x its .deb there"
            )
    lines = ["{song},{stem}.flac,{category}\n".format(**row) for row in rows]
    text = "song,file,category\n" + "".join(dict.fromkeys(lines))
    if (songs / TABLE).exists() and (songs / TABLE).read_text() != text:
        raise UserError(f"{songs} holds other songs: give a new --out")
    for split, song in dict.fromkeys((row["split"], row["song"]) for row in rows):
        exit_with(STOPPED if time.monotonic() > deadline else 0)
        if not (songs / split / song).exists():
            parts = [row for row in rows if row["song"] == song]
            write_song(songs / split / song, parts, args.packages)
    write_text(songs / TABLE, text)


def write_song(folder: Path, rows: list[dict[str, str]], packages: Path) -> None:
    """Write the stems of a song, all scaled alike if a peak exceeds full scale."""
    import soundfile

    parts: dict[str, list[np.ndarray]] = {}
    for row in rows:
        audio = read_pattern(packages / row["package"], row["file"])
        parts.setdefault(row["stem"], []).extend(audio)
    stems = {name: np.concatenate(audio) for name, audio in parts.items()}
    peak = max(1.0, *(float(np.abs(audio).max()) for audio in stems.values()))
    with replacing_folder(folder) as part:
        for name, audio in stems.items():
            path = part / f"{name}.flac"
            soundfile.write(path, audio / peak, SAMPLE_RATE, subtype="PCM_16")


def read_pattern(package: Path, pattern: str) -> list[np.ndarray]:
    """All files that match, mono float32 [N] at 32 kHz each."""
    archives = [p for p in Path(pattern).parents if (package / p).is_file()]
    if archives:
        archive, inner = package / archives[0], Path(pattern).relative_to(archives[0])
        try:
            with zipfile.ZipFile(archive) as file, tempfile.TemporaryDirectory() as to:
                names = fnmatch.filter(sorted(file.namelist()), inner.as_posix())
                audio = [read_stem(Path(file.extract(name, to))) for name in names]
        except zipfile.BadZipFile as error:
            raise UserError(f"{archive} is no zip archive: unpack it again") from error
    else:
        audio = [read_stem(path) for path in sorted(package.glob(pattern))]
    if not audio:
        raise UserError(f"no file {pattern} in {package}: unpack the package again")
    return audio


def main(argv: list[str] | None = None) -> None:
    """Run one phase; words after `--` are added to its first command."""
    words = sys.argv[1:] if argv is None else argv
    cut = words.index("--") if "--" in words else len(words)
    config = (tyro.conf.EnumChoicesFromValues,)
    args = tyro.cli(BundleArgs, args=words[:cut], config=config)
    deadline = time.monotonic() + (args.minutes * 60 or float("inf"))
    with exit_on_bad_input(resumes=True):
        if args.phase is Phase.RECORDINGS:
            lay_out(args, deadline)
        first, *others = map(shlex.split, commands(args))
        for line in ([*first, *words[cut + 1 :]], *others):
            run(line, deadline)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))  # ends its child
    main()
