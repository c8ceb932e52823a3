"""A cache of analyses, keyed by content.

`cache/STAGE-HASH8/shard-*.npz` hold rows of arrays.  The folder's hash is that of the
stage's parameters and version, a row's key that of the samples it was computed from.  One
process writes each shard, once and as a whole, under a name made of its keys, so many
processes can fill a folder without locks.  An unreadable shard is removed and its rows
are computed again.
"""

import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from stemjax.io.atomic import replacing
from stemjax.io.npz import read_npz

CacheRow = dict[str, np.ndarray]
Item = TypeVar("Item")
SHARD_ROWS = 32
"""Rows of a shard; a killed process loses at most so many."""


def stage_folder(
    cache: str | os.PathLike, stage: str, params: Mapping[str, Any]
) -> pathlib.Path:
    """Folder of the rows of a stage with these parameters (JSON values)."""
    text = json.dumps(params, sort_keys=True, separators=(",", ":"))
    digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    return pathlib.Path(cache) / f"{stage}-{digest}"


def read_rows(
    folder: pathlib.Path, wanted: Container[str] | None = None
) -> dict[str, CacheRow]:
    """Read the rows of a stage's folder; unreadable shards are removed.

    Args:
      folder: of `stage_folder`.
      wanted: keys to read; None: all.
    """
    rows: dict[str, CacheRow] = {}
    for path in sorted(folder.glob("shard-*.npz")):
        try:
            rows |= _read_shard(path, wanted)
        except ValueError:
            print(f"{path}: cannot be read; its clips are analysed again")
            path.unlink(missing_ok=True)
    return rows


def _read_shard(
    path: pathlib.Path, wanted: Container[str] | None
) -> dict[str, CacheRow]:
    rows: dict[str, CacheRow] = {}

    def is_wanted(name: str) -> bool:
        return wanted is None or name.split(".", 1)[0] in wanted

    for name, array in read_npz(path, mend="delete it", is_wanted=is_wanted).items():
        key, field = name.split(".", 1)
        rows.setdefault(key, {})[field] = array
    return rows


def write_shard(folder: pathlib.Path, rows: Mapping[str, CacheRow]) -> None:
    """Write rows as one shard, atomically."""
    members = {
        f"{key}.{field}": value
        for key, row in sorted(rows.items())
        for field, value in row.items()
    }
    name = hashlib.blake2b("".join(sorted(rows)).encode(), digest_size=8).hexdigest()
    with replacing(folder / f"shard-{name}.npz") as part:
        np.savez(part, **members)


def cached(
    folder: pathlib.Path,
    items: Mapping[str, Item],
    analyse: Callable[[Sequence[Item]], Sequence[CacheRow]],
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> dict[str, CacheRow]:
    """Rows of `items` by key, read from the folder or computed.

    Args:
      folder: of `stage_folder`.
      items: by key.
      analyse: computes the rows of up to `SHARD_ROWS` items, which become a shard.
      progress: called with the number of rows that became available.
    """
    rows = read_rows(folder, items)
    progress(len(rows))
    missing = sorted(items.keys() - rows.keys())
    for keys in _chunks(missing, SHARD_ROWS):
        new = dict(zip(keys, analyse([items[key] for key in keys]), strict=True))
        write_shard(folder, new)
        rows |= new
        progress(len(new))
    return rows


def _chunks(values: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (values[i : i + size] for i in range(0, len(values), size))
