"""Files and folders behind URLs (gs://...), beside those on this machine.

Paths in a bucket are `etils.epath` paths or URLs; fsspec's clients read and write them.
An object in a bucket is written whole or not at all and cannot be appended to; a folder
is only a common prefix of object names.  Workdirs and releases may lie in gs:// buckets,
data sets behind any scheme of `CLIENTS`.
"""

import base64
import contextlib
import hashlib
import importlib.util
import json
import os
import pathlib
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator
from typing import Any, TypeAlias

from etils import epath
from etils.epath import backend, stat_utils

from stemjax.io.cache import cache_folder
from stemjax.io.errors import UserError

SCHEME = "gs://"
CLIENTS = {"gs": "gcsfs", "s3": "s3fs", "az": "adlfs", "hf": "huggingface_hub"}
"""Python package that serves each scheme."""
DEPTH = 2
"""Folders below a staged one that are copied: a release with its codec beside it."""
Path: TypeAlias = pathlib.Path | epath.Path


def _stat_without_names(path: str | os.PathLike) -> stat_utils.StatResult:
    """What etils tells of a local file, without the name of its owner.

    etils asks the system for that name and fails if there is none, as in containers whose
    user is only a number.
    """
    found = os.stat(path)
    return stat_utils.StatResult(
        is_directory=stat.S_ISDIR(found.st_mode),
        length=found.st_size,
        mtime=int(found.st_mtime),
        owner=None,
        group=None,
        mode=found.st_mode,
    )


backend.os_backend.stat = _stat_without_names


def is_remote(path: str | os.PathLike) -> bool:
    """Whether a path is a URL and not a path of this machine."""
    return "://" in os.fspath(path)


def as_path(path: str | os.PathLike) -> epath.Path:
    """The path, on this machine or in a gs:// bucket.

    Raises:
      UserError: a scheme other than gs://, or gcsfs is not installed.
    """
    text = os.fspath(path)
    if text.startswith(SCHEME):
        _filesystem(text)
    elif is_remote(text):
        raise UserError(f"{text}: only {SCHEME} buckets and local paths are read")
    return epath.Path(text)


def absolute(path: str | os.PathLike) -> epath.Path:
    """The absolute path with symbolic links resolved; a URL is returned unchanged."""
    return as_path(path if is_remote(path) else pathlib.Path(path).resolve())


def make_folder(path: str | os.PathLike) -> None:
    """Make a folder and its parents; a bucket needs none."""
    if not is_remote(path):
        pathlib.Path(path).mkdir(parents=True, exist_ok=True)


def remove_tree(path: str | os.PathLike) -> None:
    """Delete a folder and everything below it; a missing folder is no error."""
    if is_remote(path):
        with _storage_access("delete", path), contextlib.suppress(FileNotFoundError):
            _filesystem(path).rm(os.fspath(path), recursive=True)
    else:
        shutil.rmtree(path, ignore_errors=True)


def move_tree(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Move a folder within its bucket or machine, replacing what lies at `target`."""
    remove_tree(target)
    if is_remote(source):
        _filesystem(source).mv(os.fspath(source), os.fspath(target), recursive=True)
    else:
        make_folder(pathlib.Path(target).parent)
        shutil.move(source, target)


def read_files(folder: str | os.PathLike, suffix: str) -> dict[str, bytes]:
    """Contents of the files directly in a folder by name, sorted; {} without a folder."""
    if is_remote(folder):
        base = os.fspath(folder).rstrip("/")
        names = [name for name in list_names(folder) if name.endswith(suffix)]
        with _storage_access("read", folder):
            urls = [f"{base}/{name}" for name in names]
            contents = _filesystem(folder).cat(urls) if urls else {}
        by_name = {path.rpartition("/")[2]: data for path, data in contents.items()}
        return {name: by_name[name] for name in names}
    paths = sorted(pathlib.Path(folder).glob(f"*{suffix}"))
    return {path.name: path.read_bytes() for path in paths}


def list_names(url: str | os.PathLike) -> list[str]:
    """Names of the files and folders directly in a remote folder; [] without one."""
    with _storage_access("list", url), contextlib.suppress(FileNotFoundError):
        paths = _filesystem(url).ls(os.fspath(url), detail=False)
        return sorted(path.rstrip("/").rpartition("/")[2] for path in paths)
    return []


def read_object(url: str | os.PathLike) -> bytes | None:
    """Content of a remote file; None if it does not exist."""
    with _storage_access("read", url), contextlib.suppress(FileNotFoundError):
        return _filesystem(url).cat_file(os.fspath(url))
    return None


def download(url: str | os.PathLike, path: pathlib.Path) -> None:
    """Copy a remote file to this machine.

    Raises:
      UserError: it cannot be read.
    """
    with _storage_access("read", url):
        _filesystem(url).get_file(os.fspath(url), os.fspath(path))


def publish(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Copy a local file, or all files below a folder, to a path or URL.

    Each file arrives whole or not at all.

    Raises:
      UserError: no such bucket, or the storage refused.
    """
    source = pathlib.Path(source)
    if source.is_dir():
        base = os.fspath(target).rstrip("/")
        for path in sorted(p for p in source.rglob("*") if p.is_file()):
            publish(path, f"{base}/{path.relative_to(source).as_posix()}")
    elif is_remote(target):
        with _storage_access("write", target):
            try:
                _filesystem(target).put_file(os.fspath(source), os.fspath(target))
            except FileNotFoundError:
                raise UserError(
                    f"{target}: no such bucket, or no right to see it"
                ) from None
    else:
        target = pathlib.Path(target)
        make_folder(target.parent)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        shutil.copyfile(source, part)
        os.replace(part, target)


@contextlib.contextmanager
def local_folder(folder: str | os.PathLike) -> Iterator[pathlib.Path]:
    """A local folder to write; for a URL a temporary one that is published at the end."""
    if not is_remote(folder):
        yield pathlib.Path(folder)
        return
    with tempfile.TemporaryDirectory(prefix="stemjax-") as local:
        yield pathlib.Path(local)
        publish(local, folder)


def stage(folder: str | os.PathLike, names: Collection[str]) -> pathlib.Path:
    """A local copy of a remote folder's files with the given base names.

    Files up to `DEPTH` folders deep are copied into the cache.  The copy's path holds a
    digest of the bucket's metadata (size, MD5 or generation), so a changed folder is
    copied again.  Files are checked before the copy gets its name.  A local folder is
    returned unchanged.

    Raises:
      UserError: no such files, or a copy that differs from the bucket's content.
    """
    folder = as_path(folder)
    if not is_remote(folder):
        return pathlib.Path(folder)
    files = _filesystem(folder)
    root = os.fspath(folder).removeprefix(SCHEME).rstrip("/")
    wanted = {
        name[len(root) + 1 :]: entry
        for name, entry in files.find(root, maxdepth=DEPTH, detail=True).items()
        if name.rpartition("/")[2] in names and name.startswith(root + "/")
    }
    if not wanted:
        raise UserError(
            f"{folder}: holds none of {', '.join(sorted(names))}; give another folder"
        )
    marks = {n: [entry["size"], _mark(entry)] for n, entry in sorted(wanted.items())}
    digest = hashlib.sha256(json.dumps([root, marks]).encode()).hexdigest()
    home = cache_folder() / "releases" / digest[:20]
    target = home / folder.name
    if _is_whole(target, wanted):
        return target
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".part-") as part:
        copy = pathlib.Path(part) / "copy" / folder.name
        for name, entry in wanted.items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            files.get_file(f"{root}/{name}", os.fspath(copy / name))
            _check(copy / name, entry, f"{folder}/{name}")
        shutil.rmtree(home, ignore_errors=True)
        with contextlib.suppress(OSError):  # another process made the same copy
            os.rename(copy.parent, home)
    if not _is_whole(target, wanted):
        raise UserError(f"{home}: cannot be written; make room or remove it")
    return target


def _is_whole(target: pathlib.Path, entries: dict[str, dict[str, Any]]) -> bool:
    """Whether every file is there with the size that its bucket entry states."""

    def size(name: str) -> int:
        path = target / name
        return path.stat().st_size if path.is_file() else -1

    return all(size(name) == entry["size"] for name, entry in entries.items())


def _mark(entry: dict[str, Any]) -> str:
    """A string that changes with the content; composed objects have no MD5."""
    return entry.get("md5Hash") or entry.get("generation") or ""


def _check(path: pathlib.Path, entry: dict[str, Any], name: str) -> None:
    """Raise a `UserError` if a copy differs from its bucket entry."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "md5").digest()
    wanted = entry.get("md5Hash")
    has_wrong_bytes = wanted and base64.b64encode(digest).decode() != wanted
    if path.stat().st_size != entry["size"] or has_wrong_bytes:
        raise UserError(f"{name}: the copy is not what the bucket holds; try again")


def _filesystem(path: str | os.PathLike) -> Any:
    """The fsspec client of a URL, without a cache of listings: others write there too.

    Raises:
      UserError: an unknown scheme, or its client is not installed.
    """
    scheme = os.fspath(path).split("://")[0]
    client = CLIENTS.get(scheme)
    if client is None:
        schemes = ", ".join(f"{name}://" for name in CLIENTS)
        raise UserError(f"{path}: only {schemes} and local paths are read")
    if importlib.util.find_spec(client) is None:
        extra = "'stemjax[gcs]'" if scheme == "gs" else client
        raise UserError(f"{path}: buckets need {client}; pip install {extra}")
    import fsspec

    if scheme != "gs":
        return fsspec.filesystem(scheme, use_listings_cache=False)
    # epath reads this configuration too, if fsspec was imported before stemjax
    settings = fsspec.config.conf.setdefault("gcs", {})
    settings.setdefault("use_listings_cache", False)
    return fsspec.filesystem("gcs", finalize_on_close=True)


@contextlib.contextmanager
def _storage_access(verb: str, url: str | os.PathLike) -> Iterator[None]:
    """Turn the errors of any client into one `UserError`; few of them are OSErrors."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"cannot {verb} {os.fspath(url)} ({type(error).__name__}: {error}): check the"
            " address, your rights and credentials (gcloud auth application-default login)"
        ) from error
