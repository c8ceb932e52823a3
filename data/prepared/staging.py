"""Data sets behind URLs, copied to this machine before they are read.

Random access needs a local disk: a prepared folder or a token store behind a URL is
copied file by file (shards are at most 256 MB) into a folder that is named by its content
hash, so the same data are copied once under any address.  A file gets its name when its
checksum is right, and the manifest comes last: a copy that was interrupted continues.
Processes of one host share the copy; one of them makes it.
"""

import contextlib
import functools
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from stemjax.data.disk import check_disk
from stemjax.data.drawing.prefetch import in_threads
from stemjax.data.prepared.manifest import KIND as PREPARED
from stemjax.data.prepared.manifest import (
    MANIFEST,
    RMS,
    PreparedManifest,
    digest_of_levels,
)
from stemjax.data.prepared.records import Encoding, sha256_of_records
from stemjax.data.prepared.segments import RMS_FRAMES
from stemjax.data.tokens.format import KIND as TOKENS
from stemjax.data.tokens.format import TokenManifest
from stemjax.io.atomic import write_bytes
from stemjax.io.cache import cache_folder
from stemjax.io.errors import UserError
from stemjax.io.json_file import parse_json, typed
from stemjax.io.npz import map_npy
from stemjax.io.remote import download, is_remote, read_object
from stemjax.io.weights import sha256_of

STAGING = "STEMJAX_STAGING"
"""Environment variable: the folder of the copies."""


class StagedFile(NamedTuple):
    """A file that a manifest lists."""

    name: str
    bytes: int | None
    """Size; None if the manifest does not state it."""
    sha256: str
    digest: Callable[[Path], str]
    """Function that computes `sha256` from a copy."""


def staging_root() -> Path:
    """$STEMJAX_STAGING, by default $XDG_CACHE_HOME/stemjax/staging."""
    root = os.environ.get(STAGING)
    return Path(root) if root else cache_folder() / "staging"


def staged(place: str) -> Path:
    """The local folder of a data set; a remote one ("scheme://...") is copied first.

    Raises:
      UserError: no data set, a refusal of the storage, a file that differs from the
        manifest, or too little disk.
    """
    if not is_remote(place):
        return Path(place)
    url = place.rstrip("/")
    content = read_object(f"{url}/{MANIFEST}")
    if content is None:
        raise UserError(
            f"{place}: no {MANIFEST}; give a folder that `stemjax prepare` or"
            " `stemjax tokens` wrote"
        )
    manifest, _ = _parse(url, content)
    folder = staging_root() / manifest["content_hash"]
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / ".lock"):
        copy = folder / MANIFEST
        # Equal content from another address may lie in other bytes (of a zip file).
        content = copy.read_bytes() if copy.is_file() else content
        _, files = _parse(url, content)
        missing = [file for file in files if not _is_copied(folder, file)]
        _announce(place, folder, missing)

        def copy_file(number: int) -> None:
            _copy(url, missing[number], folder)

        for _ in in_threads(copy_file, range(len(missing))):
            pass
        write_bytes(copy, content)
    return folder


def _parse(url: str, content: bytes) -> tuple[dict[str, Any], list[StagedFile]]:
    """A manifest and its files; no name may lead out of the folder."""
    source, mend = f"{url}/{MANIFEST}", "make the folder again"
    manifest = typed(
        dict[str, Any], parse_json(content, source, mend=mend), source, mend=mend
    )
    if manifest.get("kind") not in (PREPARED, TOKENS):
        raise UserError(f"{source}: not a manifest; {mend}")
    is_tokens = manifest["kind"] == TOKENS
    typed(TokenManifest if is_tokens else PreparedManifest, manifest, source, mend=mend)
    if not re.fullmatch(r"[0-9a-f]{64}", manifest["content_hash"]):
        raise UserError(f"{source}: content_hash is no digest; {mend}")
    files = (_token_files if is_tokens else _prepared_files)(manifest)
    return manifest, list(files)


def _token_files(manifest: Mapping[str, Any]) -> Iterator[StagedFile]:
    for name, file in manifest["files"].items():
        yield StagedFile(name, file["bytes"], file["sha256"], sha256_of)


def _prepared_files(manifest: Mapping[str, Any]) -> Iterator[StagedFile]:
    encoding = Encoding(manifest["encoding"])
    digest = functools.partial(sha256_of_records, encoding=encoding)
    for shards in manifest["shards"].values():
        for shard in shards:
            yield StagedFile(shard["file"], shard["bytes"], shard["sha256"], digest)
    yield StagedFile(RMS, None, manifest["rms_sha256"], _digest_of_levels)


def _digest_of_levels(path: Path) -> str:
    """SHA-256 of the values of an .npy file, as in a prepared folder's manifest."""
    return digest_of_levels(
        map_npy(path, "int16", (None, RMS_FRAMES), mend="copy it again")
    )


def _is_copied(folder: Path, file: StagedFile) -> bool:
    """Whether a checked copy is there; its size shows if it was cut later."""
    path = folder / file.name
    return path.is_file() and file.bytes in (None, path.stat().st_size)


def _announce(place: str, folder: Path, missing: list[StagedFile]) -> None:
    """Print what will be copied.

    Raises:
      UserError: the disk is too small.
    """
    if not missing:
        return
    need = sum(file.bytes or 0 for file in missing)
    print(
        f"staging {place}: {len(missing)} files, {need / 1e6:.1f} MB, into {folder}",
        flush=True,
    )
    mend = f"free some or set {STAGING} to another disk"
    check_disk(folder, need, purpose=place, mend=mend)


def _copy(url: str, file: StagedFile, folder: Path) -> None:
    """Download and check one file."""
    part = folder / f".{file.name}.part"
    download(f"{url}/{file.name}", part)
    try:
        is_right = file.digest(part) == file.sha256
    except (ValueError, OSError):  # not even a file of its kind
        is_right = False
    if not is_right:
        part.unlink()
        raise UserError(f"{url}/{file.name} is damaged: copy it there again")
    os.replace(part, folder / file.name)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time in; the lock ends with its process."""
    import fcntl  # absent on Windows, where only local folders are read

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
