"""Command `stemjax batch`: generate stems for every recording of a folder."""

import errno
import hashlib
import pathlib
import time
from collections.abc import Mapping
from typing import Any

from stemjax.cli.sample import inputs, outputs
from stemjax.cli.sample.arguments import BatchArguments
from stemjax.cli.sample.sample import REPORT, sample_recording
from stemjax.config.categories import CATEGORIES
from stemjax.io.errors import UserError
from stemjax.io.json_file import read_json
from stemjax.io.process.lock import only_process

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def run(arguments: BatchArguments) -> None:
    """Generate the stems that do not exist yet.

    A recording that cannot be used is skipped and reported at the end.

    Raises:
      UserError: no recordings, --out holds stems of another request, or some were
        skipped.
    """
    categories = inputs.parse_instruments(arguments.instruments)
    inputs.check_options(arguments)
    folder, out = pathlib.Path(arguments.contexts), pathlib.Path(arguments.out)
    recordings = find_recordings(folder)
    with only_process(out):
        _sample_all(arguments, categories, recordings, out)


def _sample_all(
    arguments: BatchArguments,
    categories: list[int],
    recordings: list[pathlib.Path],
    out: pathlib.Path,
) -> None:
    model, config = inputs.load_model(arguments)
    jobs = [(path, category) for path in recordings for category in categories]
    missing = [
        (path, category)
        for path, category in jobs
        if not is_answered(
            destination_of(out, path, category),
            path,
            outputs.request_of(arguments, model, config, category),
        )
    ]
    print(f"{len(jobs)} stems, of which {len(jobs) - len(missing)} are in {out}")
    errors: dict[pathlib.Path, str] = {}
    for number, (path, category) in enumerate(missing, start=1):
        if path in errors:
            continue
        print(f"{number}/{len(missing)} {path.name}: {CATEGORIES[category]}")
        try:
            sample_recording(
                model,
                config,
                arguments,
                path,
                category,
                destination_of(out, path, category),
                started=time.perf_counter(),
                timings={},
            )
        except UserError as error:
            errors[path] = str(error)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            errors[path] = f"{path}: {error}; check the file and your rights"
    if errors:
        more = f" ({len(errors)} recordings were skipped)" if len(errors) > 1 else ""
        first = next(iter(errors.values()))
        raise UserError(f"{first}{more}; the others are in {out}")


def destination_of(
    out: pathlib.Path, recording: pathlib.Path, category: int
) -> pathlib.Path:
    """Folder of the stems of one category for a recording."""
    return out / folder_name(recording) / CATEGORIES[category]


def folder_name(recording: pathlib.Path) -> str:
    """Name of a recording's folder: without the ending, unless it would be . or .. then."""
    return recording.name if recording.stem in (".", "..") else recording.stem


def is_answered(
    destination: pathlib.Path, recording: pathlib.Path, request: Mapping[str, Any]
) -> bool:
    """Whether a folder holds the stems of a request for a recording.

    Raises:
      UserError: it holds those of another request or recording.
    """
    path = destination / REPORT
    if not path.is_file():
        return False
    mend = "give another --out, or delete the folder"
    report = read_json(path, mend=mend)
    try:
        made, digest = dict(report["request"]), report["context"]["sha256"]
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"{path}: does not say how its stems were made; {mend}"
        ) from None
    for name, value in request.items():
        if made.get(name) != value:
            flag = name.replace("_", "-")
            raise UserError(
                f"{destination}: made with --{flag} {made.get(name)}, not {value};"
                f" {mend}"
            )
    if digest != hashlib.sha256(recording.read_bytes()).hexdigest():
        raise UserError(f"{destination}: made from another {recording.name}; {mend}")
    # a process that was killed after its report has not made these yet
    entries = report.get("variations", [report])
    late = [
        entry[key] for entry in entries for key in ("picture", "midi") if key in entry
    ]
    return all((destination / name).is_file() for name in late)


def find_recordings(folder: pathlib.Path) -> list[pathlib.Path]:
    """The audio files of a folder, sorted by name, without hidden ones.

    Raises:
      UserError: no such folder, no audio files, or two that differ only in their ending.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give a folder of recordings")
    paths = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in AUDIO_SUFFIXES
        and (path.name.startswith("..") or not path.name.startswith("."))
        and not path.is_dir()
    )
    if not paths:
        raise UserError(f"{folder}: no wav, flac, ogg or mp3 in it; add recordings")
    names = [folder_name(path) for path in paths]
    if twice := next((n for n in names if names.count(n) > 1), None):
        raise UserError(f"{folder}: two recordings are called {twice}; rename one")
    return paths
