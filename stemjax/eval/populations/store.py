"""A cache of analyses by content: what was computed once is never computed again.

`cache/STAGE-HASH8/shard-*.npz` hold rows of arrays; the hash is that of the stage's
parameters and version, a row's key that of the samples it was computed from.  Each shard
is written once, whole, by one process, under a name made of its keys: many processes may
fill one folder without locks.  A shard that cannot be read is dropped and its rows are
computed again.
"""

import hashlib
import json
import os
import pathlib
import zipfile
import zlib
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from stemjax.io.atomic import replacing

Row = dict[str, np.ndarray]
Item = TypeVar("Item")
SHARD_ROWS = 32  # what a kill can cost


def stage_folder(
    cache: str | os.PathLike, stage: str, params: Mapping[str, Any]
) -> pathlib.Path:
    """Where the rows of a stage with these parameters (JSON values) lie."""
    text = json.dumps(params, sort_keys=True, separators=(",", ":"))
    digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    return pathlib.Path(cache) / f"{stage}-{digest}"


def read_rows(
    folder: pathlib.Path, wanted: Container[str] | None = None
) -> dict[str, Row]:
    """The rows of a stage's folder; unreadable shards are removed.

    wanted: keys; what other populations left in the folder is not read. None: all.
    """
    rows: dict[str, Row] = {}
    for path in sorted(folder.glob("shard-*.npz")):
        try:
            rows |= _read_shard(path, wanted)
        except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error):
            print(f"{path}: cannot be read; its clips are analysed again")
            path.unlink(missing_ok=True)
    return rows


def _read_shard(path: pathlib.Path, wanted: Container[str] | None) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    # the directory at the end of the file names the members; zip checks each one's CRC
    with path.open("rb") as file, np.load(file, allow_pickle=False) as members:
        for name in members.files:
            key, field = name.split(".", 1)
            if wanted is None or key in wanted:
                rows.setdefault(key, {})[field] = members[name]
    return rows


def write_shard(folder: pathlib.Path, rows: Mapping[str, Row]) -> None:
    """Write rows as one shard, whole or not at all."""
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
    analyse: Callable[[Sequence[Item]], Sequence[Row]],
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> dict[str, Row]:
    """The rows of `items` by key: read where the folder has them, else analysed.

    analyse: called with up to `SHARD_ROWS` items, whose rows are then kept as a shard.
    progress: called with the number of rows that came.
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
