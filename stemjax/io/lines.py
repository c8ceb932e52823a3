"""JSON lines by step: one file on disk, parts in a bucket, which cannot append to a file.

In a bucket `metrics.jsonl` is the folder `metrics` of parts `0000000100.jsonl`, named by
the step of their first line.  Each new line rewrites the newest part; a full part is not
written again.  Both forms may lie side by side, after a copy from or to a bucket: they
are read together, and new lines continue them.
"""

import json
import os
from collections.abc import Iterable, Mapping

from stemjax.io.atomic import write_text
from stemjax.io.json_file import json_text
from stemjax.io.remote import Path, as_path, is_remote, read_files

PART_LINES = 200
SUFFIX = ".jsonl"
_newest: dict[str, tuple[str, list[str]]] = {}  # newest part of each log: name, lines


def append_line(path: str | os.PathLike, record: Mapping) -> None:
    """Append a JSON object with a `step` as one line; floats keep full precision."""
    line = json_text(dict(record))
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


def read_lines(path: str | os.PathLike) -> list[dict]:
    """Objects of a file and of its parts, by step, without lines that are cut off."""
    path = as_path(path)
    texts = [path.read_bytes()] if path.is_file() else []
    texts += read_files(_folder(path), SUFFIX).values()
    records = []
    for line in (line for text in texts for line in text.decode().splitlines()):
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return sorted(records, key=lambda record: record.get("step", 0))


def drop_after(path: str | os.PathLike, step: int) -> None:
    """Drop the lines past `step`, which will be written again."""
    path = as_path(path)
    _newest.pop(os.fspath(path), None)
    files = [(path, path.read_bytes())] if path.is_file() else []
    parts = read_files(_folder(path), SUFFIX)
    files += [(_folder(path) / name, text) for name, text in parts.items()]
    for file, text in files:
        lines = text.decode().splitlines()
        kept = [line for line in lines if _step_of(line) <= step]
        if not kept and file != path:
            file.unlink()
        elif len(kept) < len(lines):
            _write_lines(file, kept)


def _folder(path: str | os.PathLike) -> Path:
    path = as_path(path)
    return path.with_name(path.name.removesuffix(SUFFIX))


def _part_name(record: Mapping) -> str:
    return f"{record['step']:010d}{SUFFIX}"


def _step_of(line: str) -> float:
    """Step of a line; infinity for a line that is cut off."""
    try:
        return json.loads(line)["step"]
    except ValueError:
        return float("inf")


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    write_text(path, "".join(line + "\n" for line in lines))
