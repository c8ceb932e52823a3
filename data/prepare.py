"""`python -m data.prepare`: songs split into stems become a folder to train from.

A layout lists the songs, processes write the shards, and `assemble` joins them.
"""

import dataclasses
import enum
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from stemjax.config.numbers import Amount, CheckedNumbers, Count
from stemjax.data.layouts import folder, medleydb, moisesdb, musdb, slakh
from stemjax.data.layouts.song import SongFault
from stemjax.data.layouts.split_table import read_split_table
from stemjax.data.prepared.assemble import assemble, plan_of, read_report, undo
from stemjax.data.prepared.estimate import announce
from stemjax.data.prepared.manifest import MANIFEST, read_manifest
from stemjax.data.prepared.records import Encoding
from stemjax.data.prepared.shards import (
    WORK,
    Shard,
    finished,
    make_shard,
    measure,
    plan_shards,
)
from stemjax.data.prepared.summary import lines_of, summarise
from stemjax.io.errors import UserError, exit_on_bad_input, fail
from stemjax.io.process.command_line import parse
from stemjax.io.process.lock import LOCK, only_process
from stemjax.io.process.signals import CONTINUES, EndSignals
from stemjax.io.process.worker_pool import worker_pool


class SongLayout(enum.Enum):
    """Arrangement of a data set's files."""

    SLAKH = "slakh"
    MUSDB = "musdb"
    MEDLEYDB = "medleydb"
    MOISESDB = "moisesdb"
    FOLDER = "folder"


_READERS = {
    SongLayout.SLAKH: slakh.read_songs,
    SongLayout.MUSDB: musdb.read_songs,
    SongLayout.MEDLEYDB: medleydb.read_songs,
    SongLayout.MOISESDB: moisesdb.read_songs,
    SongLayout.FOLDER: folder.read_songs,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrepareArgs(CheckedNumbers):
    """Resample songs to 32 kHz mono and cut them into records.

    Run the same command again to continue after the last finished shard.
    """

    input: Path
    """Folder of the songs."""
    out: Path
    """Folder to write: a new one, or one of the same preparation."""
    layout: SongLayout = SongLayout.SLAKH
    """Arrangement of the files, that of Slakh2100, MUSDB18-HQ, MedleyDB or MoisesDB as
    unpacked, or one folder per song with one file per stem (folder)."""
    splits: Path | None = None
    """Table of splits: CSV with the column split and one of file, title, id."""
    workers: Count = os.cpu_count() or 1
    """Processes; the result does not depend on them."""
    flac: bool = False
    """Store records as FLAC: half the disk, slower to read."""
    strict: bool = False
    """Exit with status 2 if a song was skipped."""
    shard_records: Amount = 0
    """Records of 10 s per shard; 0: chosen by the size of the data set."""


@dataclasses.dataclass(frozen=True)
class PrepareResult:
    """Result of a preparation."""

    manifest: dict[str, Any]
    faults: tuple[SongFault, ...]
    """Songs that were skipped."""
    warnings: tuple[SongFault, ...]
    omitted: int
    """Songs that were left out on purpose: copies, stems that bleed, omit in --splits."""
    made: int
    """Shards that this call wrote."""


def prepare(args: PrepareArgs) -> PrepareResult:
    """Prepare a folder; estimates go to stdout, the progress bar to stderr.

    Raises:
      UserError: nothing to prepare, an --out of other content, or too little disk.
    """
    _check(args)
    with only_process(args.out):
        return _prepare(args)


def _prepare(args: PrepareArgs) -> PrepareResult:
    table = read_split_table(args.splits) if args.splits else None
    listing = _READERS[args.layout](args.input, table)
    if table and (unused := table.unused()):
        print(f"warning: {unused}", file=sys.stderr)
    measured, unreadable = measure(listing)
    faults = [*listing.faults, *unreadable]
    if not measured:
        raise UserError(_no_song(args, faults))
    encoding = Encoding.FLAC if args.flac else Encoding.INT16
    shards = plan_shards(measured, encoding, args.shard_records)
    work = args.out / WORK
    made = 0
    if _is_finished(args.out, shards):
        shutil.rmtree(work, ignore_errors=True)
    else:
        undo(args.out)
        reports = {shard.name: finished(shard, work) for shard in shards}
        missing = [shard for shard in shards if reports[shard.name] is None]
        announce(shards, missing, args.out, args.workers)
        work.mkdir(parents=True, exist_ok=True)
        for shard, report in _make_shards(missing, work, args.workers):
            reports[shard.name] = report
        made = len(missing)
        if not any(report["records"] for report in reports.values()):
            for report in reports.values():
                faults += [SongFault(*pair) for pair in report["faults"]]
            raise UserError(_no_song(args, faults))
        assemble(args.out, shards, [reports[shard.name] for shard in shards])
    report = read_report(args.out)
    return PrepareResult(
        read_manifest(args.out),
        (*faults, *(SongFault(*pair) for pair in report["faults"])),
        (*listing.warnings, *(SongFault(*pair) for pair in report["warnings"])),
        listing.omitted,
        made,
    )


def _check(args: PrepareArgs) -> None:
    if not args.input.is_dir():
        raise UserError(f"--input {args.input} is no folder: check the path")
    if args.out.exists() and not args.out.is_dir():
        raise UserError(f"--out {args.out} is a file: give a folder")


def _no_song(args: PrepareArgs, faults: Sequence[SongFault]) -> str:
    why = f" (of {len(faults)}, the first: {faults[0].reason})" if faults else ""
    return (
        f"no song can be used in {args.input} with the layout {args.layout.value}{why}:"
        " check --input and --layout"
    )


def _is_finished(out: Path, shards: Sequence[Shard]) -> bool:
    """Whether a folder holds this preparation, finished; False: new or unfinished.

    Raises:
      UserError: it holds other content.
    """
    if (out / MANIFEST).exists():
        if read_manifest(out)["plan"] == plan_of(shards):
            return True
        raise UserError(
            f"--out {out} was prepared from other songs or with other options:"
            " give a new folder or delete it"
        )
    if not (out / WORK).is_dir() and {path.name for path in out.iterdir()} - {LOCK}:
        raise UserError(f"--out {out} holds other files: give a new folder")
    return False


def _make_shards(
    missing: Sequence[Shard], work: Path, workers: int
) -> Iterator[tuple[Shard, dict[str, Any]]]:
    """Write shards, in processes if there are several; yields them as they finish."""
    from tqdm import tqdm

    songs = sum(len(shard.songs) for shard in missing)
    with tqdm(total=songs, unit="song", desc="prepare", disable=not missing) as bar:
        if workers == 1 or len(missing) < 2:
            for shard in missing:
                yield shard, make_shard(shard, work)
                bar.update(len(shard.songs))
            return
        try:
            with worker_pool(min(workers, len(missing))) as pool:
                jobs = {
                    pool.submit(make_shard, shard, work): shard for shard in missing
                }
                for job in as_completed(jobs):
                    yield jobs[job], job.result()
                    bar.update(len(jobs[job].songs))
        except BrokenProcessPool:
            raise UserError(
                "a process was killed, perhaps for lack of memory: start again with"
                " fewer --workers; finished shards are kept"
            ) from None


def _print_result(result: PrepareResult, out: Path) -> None:
    for fault in result.warnings:
        print(f"warning: {fault.song}: {fault.reason}", file=sys.stderr)
    for line in lines_of(summarise(out)):
        print(line)
    if result.omitted:
        print(
            f"left out on purpose: {result.omitted} songs"
            " (copies, stems that bleed, omit in --splits)"
        )
    if not result.manifest["splits"]["train"]["songs"]:
        print("warning: no song is in train: give --splits CSV", file=sys.stderr)
    if result.faults:
        print(f"skipped {len(result.faults)} songs:", file=sys.stderr)
        for fault in result.faults:
            print(f"  {fault.song}: {fault.reason}", file=sys.stderr)
    print(f"{out}: {result.made} shards made now; {result.manifest['content_hash']}")


def main(
    argv: list[str] | None = None, *, prog: str = "python -m data.prepare"
) -> None:
    """Parse the arguments and prepare; bad input is one line and exit status 2."""
    with EndSignals(CONTINUES), exit_on_bad_input():
        args = parse(PrepareArgs, argv, prog=prog)
        result = prepare(args)
        _print_result(result, args.out)
    if result.faults and args.strict:
        fail(f"{len(result.faults)} songs were skipped and --strict was given")


if __name__ == "__main__":
    main()
