"""JSON lines by step: one file on disk, parts in a bucket, which cannot append to a file.

In a bucket `metrics.jsonl` is the folder `metrics` of parts `0000000100.jsonl`, named by
the step of their first line.  Each new line rewrites the newest part; a full part is not
written again.  Both forms may lie side by side, after a copy from or to a bucket: they
are read together, and new lines continue them.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError
from stemjax.io.json_file import parse_json, read_bytes, typed
from stemjax.io.remote import Path, as_path, is_remote, read_files

PART_LINES = 200
SUFFIX = ".jsonl"
MEND = "mend or delete the line"
_newest: dict[str, tuple[str, list[str]]] = {}  # newest part of each log: name, lines


def append_line(path: str | os.PathLike, record: Mapping) -> None:
    """Append a JSON object with a `step` as one line; floats keep full precision."""
    line = json.dumps(dict(record), allow_nan=False)
    if not is_remote(path):
        with open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")
        return
    key = os.fspath(path)
    if key not in _newest:
        parts = read_files(_folder(path), SUFFIX)
        name = max(parts, default="")
        _newest[key] = (name, parts[name].decode().splitlines() if name else [])
    name, lines = _newest[key]
    if not lines or len(lines) >= PART_LINES:
        name, lines = _part_name(record), []
    lines = [*lines, line]
    _write_lines(_folder(path) / name, lines)
    _newest[key] = (name, lines)


def read_lines(path: str | os.PathLike) -> list[dict[str, Any]]:
    """Objects of a file and of its parts, by step, without a last line that is cut off.

    Raises:
      UserError: a line that is not an object of numbers with a step; names it.
    """
    path = as_path(path)
    files = [(path, read_bytes(path, mend=MEND))] if path.exists() else []
    parts = read_files(_folder(path), SUFFIX)
    files += [(_folder(path) / name, text) for name, text in parts.items()]
    records = [r for file, text in files for _, r in _parse(text, file)]
    return sorted(records, key=lambda record: record["step"])


def drop_after(path: str | os.PathLike, step: int) -> None:
    """Drop the lines past the `step`, which will be written again.

    Raises:
      UserError: as `read_lines`.
    """
    path = as_path(path)
    _newest.pop(os.fspath(path), None)
    files = [(path, read_bytes(path, mend=MEND))] if path.exists() else []
    parts = read_files(_folder(path), SUFFIX)
    files += [(_folder(path) / name, text) for name, text in parts.items()]
    for file, text in files:
        kept = [line for line, record in _parse(text, file) if record["step"] <= step]
        if not kept and file != path:
            file.unlink()
        elif b"".join(line + b"\n" for line in kept) != text:
            _write_lines(file, [line.decode() for line in kept])


def _folder(path: str | os.PathLike) -> Path:
    path = as_path(path)
    return path.with_name(path.name.removesuffix(SUFFIX))


def _part_name(record: Mapping) -> str:
    return f"{record['step']:010d}{SUFFIX}"


def _parse(text: bytes, source: Any) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Lines with their objects; a last line without its end may be cut off."""
    *lines, rest = text.split(b"\n")
    for number, line in enumerate(lines, start=1):
        yield line, _parse_line(line, f"{source}, line {number}")
    with contextlib.suppress(UserError):
        yield rest, _parse_line(rest, source)


def _parse_line(line: bytes, source: Any) -> dict[str, Any]:
    record = parse_json(line, source, mend=MEND)
    record = typed(dict[str, int | float | None], record, source, mend=MEND)
    if not isinstance(record.get("step"), int):
        raise UserError(f"{source}: no whole number 'step'; {MEND}")
    return record


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    write_text(path, "".join(line + "\n" for line in lines))
