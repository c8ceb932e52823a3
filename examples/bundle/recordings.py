"""`python -m examples.bundle.recordings`: openly licensed recordings out of Debian packages.

Host side.  examples/bundle/splits/recordings.csv says which files of which packages, under what
licence, whose, and of which split; they become songs of the `folder` layout, most of
them of a single stem: audio for codecs (`data.drawing.crops`).
"""

import csv
import dataclasses
import fnmatch
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stemjax.data.layouts.folder import TABLE
from stemjax.data.layouts.song import SPLITS
from stemjax.data.prepared.segments import SAMPLE_RATE, read_stem
from stemjax.io.errors import UserError, exit_on_bad_input

DEFAULT_TABLE = Path(__file__).parent / "splits" / "recordings.csv"
_COLUMNS = ("package", "file", "song", "stem", "category", "split")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordingsArgs:
    """Lay out recordings from unpacked Debian packages as 32 kHz mono FLAC.

    Stopped and started again, it goes on after the last finished song.
    """

    packages_root: Path
    """Folder of unpacked packages: `dpkg -x NAME_*.deb DIR/NAME` each."""
    out: Path
    """Folder to write, for `python -m data.prepare --layout folder --input`."""
    table: Path = DEFAULT_TABLE
    """CSV with package, file (a pattern), song, stem, category and split."""


@dataclasses.dataclass(frozen=True)
class Row:
    """Files of a package that make a stem, or a part of one."""

    package: str
    file: str  # pattern under the package's folder; it may lead into a zip archive
    song: str
    stem: str
    category: str  # "": unknown
    split: str


def read_table(path: Path) -> list[Row]:
    """The rows of a table of recordings.

    Raises:
      UserError: unreadable, without columns or rows, an unknown split, a song in two.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if not set(_COLUMNS) <= set(reader.fieldnames or ()):
                raise UserError(f"{path} needs the columns {','.join(_COLUMNS)}")
            rows = [Row(*(row[name] or "" for name in _COLUMNS)) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"cannot read --table {path}: {error}") from error
    if not rows:
        raise UserError(f"{path} lists no recordings")
    split_of: dict[str, str] = {}
    for row in rows:
        if row.split not in SPLITS:
            raise UserError(
                f"{path}: {row.song} has the split {row.split!r}, not one of"
                f" {', '.join(SPLITS)}"
            )
        if split_of.setdefault(row.song, row.split) != row.split:
            raise UserError(f"{path}: {row.song} is in two splits: leave one")
    return rows


def lay_out(args: RecordingsArgs) -> int:
    """Write SPLIT/SONG/STEM.flac for every song, then stems.csv; returns the songs.

    Rows of one stem are joined end to end, as are the files that a pattern matches, in
    order of name.  A song whose peak passes 1 is scaled down, all its stems alike.

    Raises:
      UserError: a package or file that is not there, or an --out of another table.
    """
    from tqdm import tqdm

    rows = read_table(args.table)
    for package in dict.fromkeys(row.package for row in rows):
        if not (args.packages_root / package).is_dir():
            raise UserError(
                f"{args.packages_root / package} is no folder: apt-get download"
                f" {package}, then dpkg -x its .deb there"
            )
    lines = [f"{r.song},{r.stem}.flac,{r.category}\n" for r in rows]
    stems = "song,file,category\n" + "".join(dict.fromkeys(lines))
    if (args.out / TABLE).exists() and (args.out / TABLE).read_text() != stems:
        raise UserError(f"--out {args.out} holds other songs: give a new folder")
    songs: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        songs.setdefault((row.split, row.song), []).append(row)
    for (split, song), parts in tqdm(songs.items(), unit="song", desc="recordings"):
        folder = args.out / split / song
        if not folder.exists():
            _write_song(folder, parts, args.packages_root)
    (args.out / TABLE).write_text(stems)
    return len(songs)


def _write_song(folder: Path, rows: Sequence[Row], root: Path) -> None:
    import soundfile

    parts: dict[str, list[np.ndarray]] = {}
    for row in rows:
        parts.setdefault(row.stem, []).append(_read(root / row.package, row.file))
    stems = {name: np.concatenate(audio) for name, audio in parts.items()}
    peak = max(float(np.abs(audio).max()) for audio in stems.values())
    work = folder.with_name("." + folder.name)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for name, audio in stems.items():
        path = work / f"{name}.flac"
        soundfile.write(path, audio / max(1.0, peak), SAMPLE_RATE, subtype="PCM_16")
    work.rename(folder)


def _read(package: Path, pattern: str) -> np.ndarray:
    """All files that match, joined: mono float32 [N] at 32 kHz."""
    inner = Path()  # of an archive among the pattern's folders
    for outer in Path(pattern).parents:
        if (package / outer).is_file():
            inner = Path(pattern).relative_to(outer)
            break
    if not inner.parts:
        found = [read_stem(path) for path in sorted(package.glob(pattern))]
    else:
        found = _read_members(package / outer, inner.as_posix())
    if not found:
        raise UserError(f"no file {pattern} in {package}: unpack the package again")
    return np.concatenate(found)


def _read_members(archive: Path, pattern: str) -> list[np.ndarray]:
    try:
        with zipfile.ZipFile(archive) as opened, tempfile.TemporaryDirectory() as work:
            names = fnmatch.filter(sorted(opened.namelist()), pattern)
            return [read_stem(Path(opened.extract(name, work))) for name in names]
    except zipfile.BadZipFile as error:
        raise UserError(f"{archive} is no zip archive: unpack it again") from error


def main() -> None:
    """Parse, write, and turn bad input into one line and exit 2."""
    import tyro

    with exit_on_bad_input():
        args = tyro.cli(RecordingsArgs, prog="python -m examples.bundle.recordings")
        count = lay_out(args)
    print(
        f"{args.out}: {count} songs; next: python -m data.prepare --layout folder"
        f" --input {args.out} --out DIR"
    )


if __name__ == "__main__":
    main()
