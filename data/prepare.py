"""`python -m data.prepare`: songs split into stems become a folder to train from.

Host side.  Layouts list the songs, shards are made in processes, `assemble` joins them.
"""

import dataclasses
import enum
import math
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from stemjax.data.layouts import folder, medleydb, moisesdb, musdb, slakh
from stemjax.data.layouts.song import Fault
from stemjax.data.layouts.split_table import read_split_table
from stemjax.data.prepared.assemble import assemble, plan_of, read_report, undo
from stemjax.data.prepared.manifest import MANIFEST, read_manifest
from stemjax.data.prepared.records import Encoding
from stemjax.data.prepared.segments import SAMPLE_RATE, read_stem
from stemjax.data.prepared.shards import (
    RECORD_BYTES,
    WORK,
    Shard,
    finished,
    make_shard,
    measure,
    plan_shards,
)
from stemjax.io.errors import UserError, exit_on_bad_input, fail

_INDEX_BYTES = 3 << 16  # array_record's index and the padding of its last block
_WRITE_SECONDS = 0.002  # per record, measured on one core
_MARGIN_BYTES = 64 << 20


class Layout(enum.Enum):
    """How a data set lies on the disk."""

    SLAKH = "slakh"
    MUSDB = "musdb"
    MEDLEYDB = "medleydb"
    MOISESDB = "moisesdb"
    FOLDER = "folder"


_READERS = {
    Layout.SLAKH: slakh.read_songs,
    Layout.MUSDB: musdb.read_songs,
    Layout.MEDLEYDB: medleydb.read_songs,
    Layout.MOISESDB: moisesdb.read_songs,
    Layout.FOLDER: folder.read_songs,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrepareArgs:
    """Resample songs to 32 kHz mono and cut them into records.

    Stopped and started again, it goes on after the last finished shard.
    """

    input: Path
    """Folder of the songs."""
    out: Path
    """Folder to write; it must be new, or of the same preparation."""
    layout: Layout = Layout.SLAKH
    """slakh: TrackXXXXX/stems/Sxx.flac; musdb (MUSDB18-HQ), medleydb, moisesdb: as
    unpacked; folder: song/stem.wav."""
    splits: Path | None = None
    """Table of splits: CSV with `split` and one of file, title, id."""
    workers: int = os.cpu_count() or 1
    """Processes; the result does not depend on them."""
    flac: bool = False
    """FLAC inside the records: smaller, slower to read."""
    strict: bool = False
    """Exit 2 when a song had to be skipped."""
    shard_records: int = 0
    """Records of 10 s per shard; 0: by the size of the data set."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a preparation gave."""

    manifest: dict[str, Any]
    faults: tuple[Fault, ...]  # songs that were skipped
    warnings: tuple[Fault, ...]
    omitted: int  # songs left out on purpose: same MIDI, rows that say omit
    made: int  # shards made now; the others were there


def prepare(args: PrepareArgs) -> Outcome:
    """Prepare a folder; estimates go to stdout, the progress bar to stderr.

    Raises:
      UserError: nothing to prepare, an --out of something else, or too little disk.
    """
    _check(args)
    table = read_split_table(args.splits) if args.splits else None
    listing = _READERS[args.layout](args.input, table)
    sized, unreadable = measure(listing)
    faults = [*listing.faults, *unreadable]
    if not sized:
        raise UserError(_no_song(args, faults))
    encoding = Encoding.FLAC if args.flac else Encoding.INT16
    shards = plan_shards(sized, encoding, args.shard_records)
    work = args.out / WORK
    made = 0
    if _is_finished(args.out, shards):
        shutil.rmtree(work, ignore_errors=True)
    else:
        undo(args.out)
        reports = {shard.name: finished(shard, work) for shard in shards}
        todo = [shard for shard in shards if reports[shard.name] is None]
        _announce(shards, todo, args)
        work.mkdir(parents=True, exist_ok=True)
        for shard, report in _make(todo, work, args.workers):
            reports[shard.name] = report
        made = len(todo)
        if not any(report["records"] for report in reports.values()):
            for report in reports.values():
                faults += [Fault(*pair) for pair in report["faults"]]
            raise UserError(_no_song(args, faults))
        assemble(args.out, shards, [reports[shard.name] for shard in shards])
    manifest, report = read_manifest(args.out), read_report(args.out)
    return Outcome(
        manifest,
        (*faults, *(Fault(*pair) for pair in report["faults"])),
        (*listing.warnings, *(Fault(*pair) for pair in report["warnings"])),
        listing.omitted,
        made,
    )


def _check(args: PrepareArgs) -> None:
    if not args.input.is_dir():
        raise UserError(f"--input {args.input} is no folder: check the path")
    for name, least in (("workers", 1), ("shard_records", 0)):
        if getattr(args, name) < least:
            flag = "--" + name.replace("_", "-")
            raise UserError(f"{flag} must be {least} or more")


def _no_song(args: PrepareArgs, faults: Sequence[Fault]) -> str:
    why = f" (of {len(faults)}, the first: {faults[0].reason})" if faults else ""
    return (
        f"no song can be used in {args.input} with the layout {args.layout.value}{why}:"
        " check --input and --layout"
    )


def _is_finished(out: Path, shards: Sequence[Shard]) -> bool:
    """Whether `out` is this very preparation, done; False: it is new or begun.

    Raises:
      UserError: it is something else.
    """
    if not out.exists():
        return False
    if not out.is_dir():
        raise UserError(f"--out {out} is a file: give a folder")
    if (out / MANIFEST).exists():
        if read_manifest(out)["plan"] == plan_of(shards):
            return True
        raise UserError(
            f"--out {out} was prepared from other songs or with other options:"
            " give a new folder or delete it"
        )
    if not (out / WORK).is_dir() and any(out.iterdir()):
        raise UserError(f"--out {out} holds other files: give a new folder")
    return False


def _announce(
    shards: Sequence[Shard], todo: Sequence[Shard], args: PrepareArgs
) -> None:
    """Print songs, disk and time.

    Raises:
      UserError: the disk is too small.
    """
    songs = sum(len(shard.songs) for shard in shards)
    hours = sum(shard.seconds for shard in shards) / 3600
    print(f"{songs} songs, {hours:.2f} h of stems, {len(shards)} shards", flush=True)
    if len(todo) < len(shards):
        print(f"{len(shards) - len(todo)} shards are there from an earlier run")
    if not todo:
        return
    records = sum(shard.records for shard in todo)
    need = records * RECORD_BYTES[todo[0].encoding] + len(todo) * _INDEX_BYTES
    home = next(
        path for path in (args.out, *args.out.absolute().parents) if path.exists()
    )
    free = shutil.disk_usage(home).free
    seconds = _seconds_needed(todo, args.workers)
    print(
        f"needs at most {_size(need)} of {_size(free)} free and about"
        f" {_clock(seconds)} with {args.workers} processes",
        flush=True,
    )
    if need + _MARGIN_BYTES > free:
        mend = "free some" if args.flac else "free some or add --flac"
        raise UserError(
            f"{home} has {_size(free)} free, preparing needs {_size(need)}: {mend}"
        )


def _seconds_needed(todo: Sequence[Shard], workers: int) -> float:
    """From the time that the first stem takes here."""
    stem = todo[0].songs[0].song.stems[0]
    start = time.perf_counter()
    try:
        seconds = len(read_stem(stem.path)) / SAMPLE_RATE
    except UserError:  # the song will be listed as a fault in its turn
        return math.nan
    per_second = (time.perf_counter() - start) / max(seconds, 0.01)
    records = sum(shard.records for shard in todo)
    work = per_second * sum(shard.seconds for shard in todo) + _WRITE_SECONDS * records
    return work / min(workers, len(todo)) + 1


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _clock(seconds: float) -> str:
    if math.isnan(seconds):
        return "an unknown time"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def _make(
    todo: Sequence[Shard], work: Path, workers: int
) -> Iterator[tuple[Shard, dict[str, Any]]]:
    """Make shards, in processes when there are several; yields them as they finish."""
    from tqdm import tqdm

    songs = sum(len(shard.songs) for shard in todo)
    with tqdm(total=songs, unit="song", desc="prepare", disable=not todo) as bar:
        if workers == 1 or len(todo) < 2:
            for shard in todo:
                yield shard, make_shard(shard, work)
                bar.update(len(shard.songs))
            return
        # Spawned, not forked: the parent may hold threads of readers or of jax.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(todo)), mp_context=context) as pool:
            jobs = {pool.submit(make_shard, shard, work): shard for shard in todo}
            try:
                for job in as_completed(jobs):
                    yield jobs[job], job.result()
                    bar.update(len(jobs[job].songs))
            except BrokenProcessPool:
                raise UserError(
                    "a process was killed, as when memory is short: start again with"
                    " fewer --workers; finished shards are kept"
                ) from None
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise


def _print_outcome(outcome: Outcome, out: Path) -> None:
    for fault in outcome.warnings:
        print(f"warning: {fault.song}: {fault.reason}", file=sys.stderr)
    splits = outcome.manifest["splits"]
    for split, counts in splits.items():
        print(
            f"{split}: {counts['songs']} songs, {counts['segments']} segments,"
            f" {counts['stems']} stems, {counts['seconds'] / 60:.1f} min"
        )
    if outcome.omitted:
        print(
            f"left out on purpose: {outcome.omitted} songs"
            " (copies, stems that bleed, omit in --splits)"
        )
    if not splits["train"]["songs"]:
        print("warning: no song is in train: give --splits CSV", file=sys.stderr)
    if outcome.faults:
        print(f"skipped {len(outcome.faults)} songs:", file=sys.stderr)
        for fault in outcome.faults:
            print(f"  {fault.song}: {fault.reason}", file=sys.stderr)
    print(f"{out}: {outcome.made} shards made now; {outcome.manifest['content_hash']}")


def main(
    argv: list[str] | None = None, *, prog: str = "python -m data.prepare"
) -> None:
    """Parse, prepare, and turn bad input into one line and exit 2."""
    import tyro

    with exit_on_bad_input():
        args = tyro.cli(
            PrepareArgs,
            args=argv,
            prog=prog,
            config=(tyro.conf.EnumChoicesFromValues,),  # slakh, not SLAKH
        )
        outcome = prepare(args)
    _print_outcome(outcome, args.out)
    if args.strict and outcome.faults:
        fail(f"{len(outcome.faults)} songs were skipped and --strict was given")


if __name__ == "__main__":
    main()
