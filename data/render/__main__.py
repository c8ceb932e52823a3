"""`python -m data.render`: songs in Slakh's layout from MIDI or from the composer."""

import csv
import dataclasses
import os
import sys
from pathlib import Path

from stemjax.data.render.jobs import (
    Limits,
    Recipe,
    Report,
    Source,
    SynthChoice,
    render_all,
)
from stemjax.data.render.soundfont import INSTALL, default_soundfont, has_tinysoundfont
from stemjax.data.render.vary import Variation
from stemjax.io.errors import UserError, exit_on_bad_input

_OMIT = "omit"
_COLUMNS = ("title", "composer", "split")  # go into metadata.yaml


@dataclasses.dataclass(frozen=True, kw_only=True)
class RenderArgs:
    """Render songs into stems in Slakh2100's layout (32 kHz mono FLAC).

    Without --midi, a seeded composer writes the songs.
    """

    out: Path
    """Folder for the songs; songs already there are kept."""
    midi: Path | None = None
    """Folder of MIDI files to render instead of composing."""
    splits: Path | None = None
    """With --midi: table `file,title,composer,split`, as examples/bundle/splits/freedoom.csv."""
    split: str | None = None
    """With --splits: render the songs of this split alone."""
    transpose: int = 0
    """With --midi: semitones up (drums stay), for more keys from the same songs."""
    tempo: float = 1.0
    """With --midi: speed factor; 1.1 plays 10 % faster."""
    max_seconds: float = 0.0
    """With --midi: cut songs after this many seconds; 0: whole songs."""
    songs: int = 20
    """Without --midi: how many songs to compose."""
    seed: int = 0
    """Without --midi: seed of the composer."""
    seconds: float = 60.0
    """Without --midi: length of each song."""
    sf2: Path | None = None
    """Soundfont (.sf2); default: TimGM6mb inside pretty_midi, else a NumPy synth."""
    min_notes: int = 8
    """Leave out parts with fewer notes."""
    first_track: int = 1
    """Number of the first TrackXXXXX, so that one folder can hold several renderings."""
    workers: int = os.cpu_count() or 1
    """Processes."""

    def check(self) -> None:
        """Say which number is out of range; not in __post_init__, tyro would box it."""
        for name, least in (
            ("workers", 1),
            ("min_notes", 1),
            ("songs", 1),
            ("first_track", 1),
        ):
            if getattr(self, name) < least:
                flag = "--" + name.replace("_", "-")
                raise UserError(f"{flag} must be {least} or more")
        if abs(self.transpose) > 12 or not 0.5 <= self.tempo <= 2:
            raise UserError(
                "--transpose must be -12 to 12 and --tempo 0.5 to 2, got"
                f" {self.transpose}, {self.tempo}"
            )
        if self.max_seconds < 0 or self.seconds < 1 or self.seed < 0:
            raise UserError(
                "--max-seconds and --seed must not be negative and --seconds must be 1"
                f" or more, got {self.max_seconds}, {self.seed}, {self.seconds}"
            )


def composed_sources(args: RenderArgs) -> list[Source]:
    """Songs for the composer to write."""
    return [
        Source(
            f"Track{args.first_track + index:05d}",
            Recipe(args.seed, index, args.seconds),
            {},
        )
        for index in range(args.songs)
    ]


def midi_sources(args: RenderArgs) -> tuple[list[Source], list[str]]:
    """Songs of a folder in order of name, and the names that `splits` omits.

    A song keeps its number whatever is left out.  Rows that name no file there are told
    on stderr: their songs would take their split from elsewhere.
    """
    folder = args.midi
    if not folder.is_dir():
        raise UserError(f"--midi {folder} is no folder: check the path")
    paths = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in (".mid", ".midi")
    )
    if not paths:
        raise UserError(f"no .mid file in {folder}: check --midi")
    table = read_splits(args.splits) if args.splits else {}
    if absent := sorted(table.keys() - {path.name for path in paths}):
        print(
            f"{args.splits}: {len(absent)} of {len(table)} rows name no file in {folder},"
            f" {absent[0]!r} the first: check the column file",
            file=sys.stderr,
        )
    variation = Variation(args.transpose, args.tempo)
    sources, omitted = [], []
    for number, path in enumerate(paths, start=args.first_track):
        row = table.get(path.name, {})
        if row.get("split") == _OMIT:
            omitted.append(path.name)
            continue
        if args.split and row.get("split") != args.split:
            continue
        about = {key: row[key] for key in _COLUMNS if row.get(key)}
        sources.append(Source(f"Track{number:05d}", path, about, variation))
    if not sources:
        raise UserError(
            f"no song of {folder} is in split {args.split!r}: check --split"
        )
    return sources, omitted


def read_splits(path: Path) -> dict[str, dict[str, str]]:
    """Rows of a split table by file name."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {row["file"]: row for row in rows}
    except OSError as error:
        raise UserError(f"cannot read --splits {path}: {error.strerror}") from error
    except KeyError:
        raise UserError(f"{path} has no column `file`") from None


def choose_synth(sf2: Path | None) -> SynthChoice:
    """The soundfont asked for, else TimGM6mb, else the NumPy synth."""
    if sf2 is None:
        sf2 = default_soundfont()
        return SynthChoice(sf2 if has_tinysoundfont() else None)
    if not sf2.is_file():
        raise UserError(f"soundfont {sf2} does not exist: check --sf2")
    if not has_tinysoundfont():
        raise UserError("--sf2 needs tinysoundfont: " + INSTALL)
    return SynthChoice(sf2)


def run(args: RenderArgs) -> list[Report]:
    """Render and return the reports; a progress bar goes to stderr."""
    from tqdm import tqdm

    args.check()
    omitted: list[str] = []
    if args.midi is None:
        sources = composed_sources(args)
    else:
        sources, omitted = midi_sources(args)
    choice = choose_synth(args.sf2)
    limits = Limits(args.max_seconds, args.min_notes)
    workers = min(args.workers, len(sources))
    reports = []
    songs = render_all(sources, args.out, choice, limits, workers)
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


def main(argv: list[str] | None = None, *, prog: str = "python -m data.render") -> None:
    """Parse, render, and turn bad input into one line and exit 2."""
    import tyro

    with exit_on_bad_input():
        args = tyro.cli(RenderArgs, args=argv, prog=prog)
        reports = run(args)
        done = [report for report in reports if not report.problem]
        if not done:
            raise UserError(f"no song of {len(reports)} could be rendered")
    minutes = sum(report.seconds for report in done) / 60
    resumed = sum(report.is_resumed for report in done)
    print(
        f"{len(done)} songs in {args.out} ({minutes:.1f} min new, {resumed} already"
        f" there), {len(reports) - len(done)} skipped"
    )


if __name__ == "__main__":
    main()
