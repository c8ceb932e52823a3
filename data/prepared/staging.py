"""Data sets in an object store, copied to this machine before they are read.

Random access needs a local disk: a prepared folder or a token store behind a URL is
copied file by file (shards are at most 256 MB) into a folder that its content hash
names, so the same data are copied once however they are called.  A file appears under
its name when its checksum holds, and the manifest comes last: stopped at any moment, the
same command goes on.  Processes of one host share the copy; one of them makes it.
"""

import contextlib
import functools
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stemjax.data.drawing.prefetch import in_threads
from stemjax.data.prepared.manifest import KIND as PREPARED
from stemjax.data.prepared.manifest import MANIFEST, RMS
from stemjax.data.prepared.records import Encoding, sha256_of_records
from stemjax.data.prepared.remote import RemoteFolder, is_remote
from stemjax.data.tokens.format import KIND as TOKENS
from stemjax.data.tokens.format import sha256_of, write_whole
from stemjax.io.errors import UserError

STAGING = "STEMJAX_STAGING"  # environment variable: where copies are kept
_MARGIN_BYTES = 64 << 20


class RemoteFile(NamedTuple):
    """A file that a manifest names. bytes: None where the manifest does not say."""

    name: str
    bytes: int | None
    sha256: str
    digest: Callable[[Path], str]


def staging_root() -> Path:
    """$STEMJAX_STAGING, by default $XDG_CACHE_HOME/stemjax/staging."""
    if root := os.environ.get(STAGING):
        return Path(root)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "stemjax" / "staging"


def staged(place: str) -> Path:
    """The local folder of a data set; one behind a URL ("://") is copied first.

    Raises:
      UserError: no data set there, the object store says no, a file that is not what
        the manifest says, or too little disk.
    """
    if not is_remote(place):
        return Path(place)
    remote = RemoteFolder(place)
    content = remote.read(MANIFEST)
    if content is None:
        raise UserError(
            f"{place}: no {MANIFEST}; give a folder that `python -m data.prepare` or"
            " `python train.py tokens` wrote"
        )
    manifest, _ = _parse(place, content)
    folder = staging_root() / manifest["content_hash"]
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / ".lock"):
        here = folder / MANIFEST
        # One that was copied from elsewhere says the same of other bytes (of a zip file).
        content = here.read_bytes() if here.is_file() else content
        _, files = _parse(place, content)
        missing = [file for file in files if not _is_here(folder, file)]
        _announce(place, folder, missing)

        def copy(number: int) -> None:
            _copy(remote, missing[number], folder)

        for _ in in_threads(copy, range(len(missing))):
            pass
        write_whole(here, content)
    return folder


def _parse(place: str, content: bytes) -> tuple[dict[str, Any], list[RemoteFile]]:
    try:
        manifest = json.loads(content)
        files = list(_FILES[manifest["kind"]](manifest))
        is_plain = all(re.fullmatch(r"[\w-][\w.-]*", file.name) for file in files)
        if not is_plain or not re.fullmatch(r"[0-9a-f]{64}", manifest["content_hash"]):
            raise ValueError("a name that no data set has")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{place}/{MANIFEST}: not a manifest; make the folder again"
        ) from None
    return manifest, files


def _token_files(manifest: Mapping[str, Any]) -> Iterator[RemoteFile]:
    for name, file in manifest["files"].items():
        yield RemoteFile(name, file["bytes"], file["sha256"], sha256_of)


def _prepared_files(manifest: Mapping[str, Any]) -> Iterator[RemoteFile]:
    encoding = Encoding(manifest["encoding"])
    digest = functools.partial(sha256_of_records, encoding=encoding)
    for shards in manifest["shards"].values():
        for shard in shards:
            yield RemoteFile(shard["file"], shard["bytes"], shard["sha256"], digest)
    yield RemoteFile(RMS, None, manifest["rms_sha256"], _digest_of_levels)


_FILES = {TOKENS: _token_files, PREPARED: _prepared_files}


def _digest_of_levels(path: Path) -> str:
    """Of the values of an .npy file, as a prepared folder's manifest has it."""
    table = np.load(path, allow_pickle=False)
    return hashlib.sha256(table.astype("<i2").tobytes()).hexdigest()


def _is_here(folder: Path, file: RemoteFile) -> bool:
    """Files get their name when their checksum holds; the size tells a later cut."""
    path = folder / file.name
    return path.is_file() and file.bytes in (None, path.stat().st_size)


def _announce(place: str, folder: Path, missing: list[RemoteFile]) -> None:
    if not missing:
        return
    need = sum(file.bytes or 0 for file in missing)
    free = shutil.disk_usage(folder).free
    print(
        f"staging {place}: {len(missing)} files, {need / 1e6:.1f} MB, into {folder}",
        flush=True,
    )
    if need + _MARGIN_BYTES > free:
        raise UserError(
            f"{folder} has {free / 1e6:.1f} MB free, {place} needs {need / 1e6:.1f} MB:"
            f" free some or set {STAGING} to another disk"
        )


def _copy(remote: RemoteFolder, file: RemoteFile, folder: Path) -> None:
    part = folder / f".{file.name}.part"
    remote.download(file.name, part)
    try:
        is_right = file.digest(part) == file.sha256
    except (ValueError, OSError):  # not even a file of its kind
        is_right = False
    if not is_right:
        part.unlink()
        raise UserError(f"{remote.url}/{file.name} is damaged: copy it there again")
    os.replace(part, folder / file.name)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time; the lock ends with the process that holds it."""
    import fcntl  # not on Windows, where only local folders are read

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
