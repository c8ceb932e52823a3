"""`python -m examples.bundle.training_set`: render, then prepare, the bundled weights' set."""

import dataclasses
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from examples.bundle.training_set.songs import (
    MAX_SONGS,
    MAX_VERSIONS,
    Amount,
    Job,
    composed_jobs,
    measure,
    midi_jobs,
)
from examples.bundle.training_set.summary import lines_of, summarise
from stemjax.data.layouts.song import folders_in
from stemjax.data.prepare import Outcome, PrepareArgs, prepare
from stemjax.data.prepared.manifest import MANIFEST
from stemjax.data.prepared.records import Encoding
from stemjax.data.prepared.shards import RECORD_BYTES
from stemjax.data.render.__main__ import RenderArgs, choose_synth
from stemjax.data.render.jobs import Limits, Report, render_all
from stemjax.io.errors import UserError, exit_on_bad_input

SONGS, PREPARED = "songs", "prepared"
_MIN_NOTES = RenderArgs.min_notes
_FLAC_BYTES = 26_000  # per second of a stem, its share of the mix included: measured
_RENDER_SHARE = 0.005  # seconds of one core per second of a stem: measured
_RECORD_SECONDS = 10
_MARGIN_BYTES = 256 << 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingSetArgs:
    """Render MIDI and composed songs in several versions and prepare them to train from.

    Stopped and started again, it goes on after the last finished song or shard.
    """

    out: Path
    """Folder to write: songs/ (Slakh's layout) and prepared/ (give this to train.py)."""
    midi: Path | None = None
    """Folder of MIDI files, as Freedoom's musics/."""
    splits: Path | None = None
    """With --midi: table `file,title,composer,split`; default: by a hash of the name."""
    sf2: tuple[Path, ...] = ()
    """Soundfont (.sf2, .sf3); repeat for several; default: as stemjax.data.render."""
    versions: int = 2
    """Renderings of a MIDI song in train; the first is as written."""
    composed: int = 200
    """Songs of the composer, of which 8 in 10 are in train."""
    composed_seconds: float = 60.0
    """Length of each composed song."""
    max_seconds: float = 120.0
    """Cut MIDI songs after this many seconds; 0: whole songs."""
    seed: int = 0
    """Of the composer and of all variation."""
    workers: int = os.cpu_count() or 1
    """Processes; each holds one soundfont. The result does not depend on them."""
    flac: bool = False
    """FLAC inside the prepared records: half the disk, slower to read."""

    def check(self) -> None:
        """Say which number is out of range."""
        for name, least, most in (
            ("versions", 1, MAX_VERSIONS),
            ("composed", 0, MAX_SONGS),
            ("composed_seconds", 1, 3600),
            ("max_seconds", 0, 24 * 3600),
            ("seed", 0, 2**32 - 1),
            ("workers", 1, 4096),
        ):
            if not least <= getattr(self, name) <= most:
                flag = "--" + name.replace("_", "-")
                raise UserError(f"{flag} must be {least} to {most}")
        if self.midi is None and not self.composed:
            raise UserError("there is nothing to render: give --midi or --composed")
        if self.splits and self.midi is None:
            raise UserError("--splits is a table of MIDI songs: give --midi too")
        names = [path.name for path in self.sf2]
        if len(set(names)) < len(names):
            raise UserError("two --sf2 have the same file name: rename one")


def make(args: TrainingSetArgs) -> tuple[list[Report], Outcome]:
    """Render what is missing, prepare, and return what became of the songs.

    Raises:
      UserError: bad flags, too little disk, or no song that can be used.
    """
    args.check()
    choices = [choose_synth(path) for path in args.sf2 or (None,)]
    jobs = []
    if args.midi:
        jobs += midi_jobs(args.midi, args.splits, args.versions, args.seed, choices)
    jobs += composed_jobs(args.composed, args.composed_seconds, args.seed, choices)
    limits = Limits(args.max_seconds, _MIN_NOTES)
    songs = args.out / SONGS
    _refuse_others(songs, jobs)
    _announce(len(jobs), measure(jobs, songs, limits), args)
    reports = list(_render(jobs, songs, limits, args.workers))
    problems = [report for report in reports if report.problem]
    if len(problems) == len(reports):
        raise UserError(
            f"no song of {len(reports)} could be rendered: {problems[0].problem}"
        )
    outcome = prepare(
        PrepareArgs(
            input=songs,
            out=args.out / PREPARED,
            workers=args.workers,
            flac=args.flac,
        )
    )
    return reports, outcome


def _refuse_others(songs: Path, jobs: Sequence[Job]) -> None:
    """Whatever lies in songs/ is prepared, so it must be of this set."""
    if not songs.is_dir():
        return
    wanted = {job.source.track for job in jobs}
    others = [folder.name for folder in folders_in(songs) if folder.name not in wanted]
    if others:
        raise UserError(
            f"{songs} holds {len(others)} songs of another set ({others[0]}, ...):"
            " delete them or give a new --out"
        )


def _announce(count: int, amount: Amount, args: TrainingSetArgs) -> None:
    """Print songs, disk and time.

    Raises:
      UserError: the disk is too small.
    """
    all_seconds = amount.to_render + amount.rendered
    print(
        f"{count} songs, about {all_seconds / 3600:.2f} h of stems,"
        f" {amount.rendered / 3600:.2f} h of them there from an earlier run",
        flush=True,
    )
    encoding = Encoding.FLAC if args.flac else Encoding.INT16
    need = amount.to_render * _FLAC_BYTES
    if not (args.out / PREPARED / MANIFEST).exists():
        need += all_seconds / _RECORD_SECONDS * RECORD_BYTES[encoding]
    home = next(
        path for path in (args.out, *args.out.absolute().parents) if path.exists()
    )
    free = shutil.disk_usage(home).free
    minutes = amount.to_render * _RENDER_SHARE / args.workers / 60
    print(
        f"needs at most about {need / 1e9:.1f} GB of {free / 1e9:.1f} GB free;"
        f" rendering takes about {minutes:.0f} min with {args.workers} processes",
        flush=True,
    )
    if need + _MARGIN_BYTES > free:
        mend = "free some, lower --versions or --max-seconds"
        mend += "" if args.flac else ", or add --flac"
        raise UserError(
            f"{home} has {free / 1e9:.1f} GB free, this needs {need / 1e9:.1f} GB: {mend}"
        )


def _render(
    jobs: Sequence[Job], songs: Path, limits: Limits, workers: int
) -> Iterator[Report]:
    """One soundfont after another, so that a process holds one; yields reports."""
    from tqdm import tqdm

    with tqdm(total=len(jobs), unit="song", desc="render") as bar:
        for choice in dict.fromkeys(job.choice for job in jobs):
            sources = [job.source for job in jobs if job.choice == choice]
            processes = min(workers, len(sources))
            for report in render_all(sources, songs, choice, limits, processes):
                if report.problem:
                    bar.write(
                        f"skipped {report.track}: {report.problem}", file=sys.stderr
                    )
                bar.update()
                yield report


def main() -> None:
    """Parse, make the set, and turn bad input into one line and exit 2."""
    import tyro

    with exit_on_bad_input():
        args = tyro.cli(
            Annotated[TrainingSetArgs, tyro.conf.UseAppendAction],
            prog="python -m examples.bundle.training_set",
        )
        reports, outcome = make(args)
    folder = args.out / PREPARED
    for line in lines_of(summarise(folder)):
        print(line)
    for fault in outcome.faults:
        print(f"skipped {fault.song}: {fault.reason}", file=sys.stderr)
    made = sum(not report.problem and not report.is_resumed for report in reports)
    skipped = sum(bool(report.problem) for report in reports)
    print(
        f"{folder}: {made} songs rendered now, {skipped} skipped, {outcome.made} shards"
        f" made now; {outcome.manifest['content_hash']}"
    )


if __name__ == "__main__":
    main()
