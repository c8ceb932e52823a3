"""`python -m data.render`: songs in Slakh's layout from MIDI or from the composer."""

import csv
import dataclasses
import os
import sys
from pathlib import Path

from data.errors import DataError
from data.render.jobs import Limits, Report, Source, SynthChoice, render_all
from data.render.soundfont import default_soundfont, has_tinysoundfont

_OMIT = "omit"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RenderArgs:
    """Render songs into stems in Slakh2100's layout (32 kHz mono FLAC).

    Without --midi, a seeded composer writes the songs.
    """

    out: Path
    """Folder for the songs; songs already there are kept."""
    midi: Path | None = None
    """Folder of MIDI files to render instead of composing."""
    sf2: Path | None = None
    """Soundfont (.sf2); default: TimGM6mb inside pretty_midi, else a NumPy synth."""
    splits: Path | None = None
    """Table `file,title,composer,split` for --midi, e.g. data/splits/freedoom.csv."""
    max_seconds: float = 0.0
    """Cut songs after this many seconds; 0: whole songs."""
    min_notes: int = 8
    """Leave out parts with fewer notes."""
    workers: int = os.cpu_count() or 1
    """Processes."""

    def __post_init__(self):
        if self.workers < 1 or self.min_notes < 1 or self.max_seconds < 0:
            raise DataError(
                "--workers and --min-notes must be 1 or more and --max-seconds 0 or"
                f" more, got {self.workers}, {self.min_notes}, {self.max_seconds}"
            )


def midi_sources(folder: Path, splits: Path | None) -> tuple[list[Source], list[str]]:
    """Songs of a folder in order of name, and the names that `splits` omits."""
    if not folder.is_dir():
        raise DataError(f"--midi {folder} is no folder: check the path")
    paths = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in (".mid", ".midi")
    )
    if not paths:
        raise DataError(f"no .mid file in {folder}: check --midi")
    table = read_splits(splits) if splits else {}
    sources, omitted = [], []
    for number, path in enumerate(paths, start=1):
        row = table.get(path.name, {})
        if row.get("split") == _OMIT:
            omitted.append(path.name)
            continue
        about = {
            key: row[key] for key in ("title", "composer", "split") if row.get(key)
        }
        about["source_midi"] = path.name
        sources.append(Source(f"Track{number:05d}", about, path=path))
    return sources, omitted


def read_splits(path: Path) -> dict[str, dict[str, str]]:
    """Rows of a split table by file name."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {row["file"]: row for row in rows}
    except OSError as error:
        raise DataError(f"cannot read --splits {path}: {error.strerror}") from error
    except KeyError:
        raise DataError(f"{path} has no column `file`") from None


def run(args: RenderArgs) -> list[Report]:
    """Render and return the reports; a progress bar goes to stderr."""
    from tqdm import tqdm

    sources, omitted = midi_sources(args.midi, args.splits)
    soundfont = args.sf2 or default_soundfont()
    if soundfont is None or not has_tinysoundfont():
        if args.sf2:
            raise DataError("--sf2 needs: pip install --no-deps tinysoundfont")
        soundfont = None
    if soundfont is not None and not soundfont.is_file():
        raise DataError(f"soundfont {soundfont} does not exist: check --sf2")
    limits = Limits(args.max_seconds, args.min_notes)
    workers = min(args.workers, len(sources))
    reports = []
    songs = render_all(sources, args.out, SynthChoice(soundfont), limits, workers)
    for report in tqdm(songs, total=len(sources), unit="song", desc="render"):
        if report.problem:
            tqdm.write(f"skipped {report.track}: {report.problem}", file=sys.stderr)
        if report.silent:
            names = ", ".join(report.silent)
            tqdm.write(
                f"{report.track}: silent parts left out: {names}", file=sys.stderr
            )
        reports.append(report)
    if omitted:
        print(f"omitted by {args.splits}: {', '.join(omitted)}")
    return reports


def main() -> None:
    """Parse, render, and turn bad input into one line and exit 2."""
    import tyro

    try:
        args = tyro.cli(RenderArgs, prog="python -m data.render")
        reports = run(args)
        done = [report for report in reports if not report.problem]
        if not done:
            raise DataError(f"no song of {len(reports)} could be rendered")
    except DataError as error:
        print("error: " + " ".join(str(error).split()), file=sys.stderr)
        sys.exit(2)
    minutes = sum(report.seconds for report in done) / 60
    resumed = sum(report.is_resumed for report in done)
    print(
        f"{len(done)} songs in {args.out} ({minutes:.1f} min new, {resumed} already"
        f" there), {len(reports) - len(done)} skipped"
    )


if __name__ == "__main__":
    main()
