"""Files in a bucket (gs://...) beside those on this machine.

Paths in a bucket are `etils.epath` paths, which fsspec's gcsfs serves.  An object there
is written whole or not at all, cannot be appended to, and a folder is no more than what
its objects' names share.
"""

import base64
import contextlib
import hashlib
import importlib.util
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Collection, Iterator
from typing import Any, TypeAlias

from etils import epath

from stemjax.io.cache import cache_folder
from stemjax.io.errors import UserError

SCHEME = "gs://"
DEPTH = 2  # of a staged folder: a release with its codec beside it
Path: TypeAlias = pathlib.Path | epath.Path


def is_remote(path: str | os.PathLike) -> bool:
    """Whether a path lies in a bucket."""
    return os.fspath(path).startswith(SCHEME)


def as_path(path: str | os.PathLike) -> epath.Path:
    """The path, on this machine or in a bucket.

    Raises:
      UserError: a scheme other than gs://, or gcsfs is not installed.
    """
    text = os.fspath(path)
    if is_remote(text):
        _filesystem(text)
    elif "://" in text:
        raise UserError(f"{text}: only {SCHEME} buckets and local paths are read")
    return epath.Path(text)


def absolute(path: str | os.PathLike) -> epath.Path:
    """The path from the root, symbolic links followed; in a bucket, as it is."""
    return as_path(path if is_remote(path) else pathlib.Path(path).resolve())


def make_folder(path: str | os.PathLike) -> None:
    """A folder and its parents; nothing in a bucket, where names alone make folders."""
    if not is_remote(path):
        pathlib.Path(path).mkdir(parents=True, exist_ok=True)


def remove_tree(path: str | os.PathLike) -> None:
    """Delete a folder with all below it, or nothing where there is none."""
    if is_remote(path):
        with contextlib.suppress(FileNotFoundError):
            _filesystem(path).rm(os.fspath(path), recursive=True)
    else:
        shutil.rmtree(path, ignore_errors=True)


def move_tree(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Move a folder within its bucket or machine; what lay at `target` is replaced."""
    remove_tree(target)
    if is_remote(source):
        _filesystem(source).mv(os.fspath(source), os.fspath(target), recursive=True)
    else:
        make_folder(pathlib.Path(target).parent)
        shutil.move(source, target)


def read_files(folder: str | os.PathLike, suffix: str) -> dict[str, bytes]:
    """The files right below a folder by their names, in order; none where it is not."""
    if is_remote(folder):
        files = _filesystem(folder)
        try:
            found = files.ls(os.fspath(folder), detail=False)
        except FileNotFoundError:
            return {}
        found = sorted(name for name in found if name.endswith(suffix))
        contents = files.cat(found) if found else {}
        return {name.rpartition("/")[2]: contents[name] for name in found}
    found = sorted(pathlib.Path(folder).glob(f"*{suffix}"))
    return {path.name: path.read_bytes() for path in found}


def publish(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Copy a file, or all files below a folder, to where `target` lies.

    Each file arrives whole or not at all.

    Raises:
      UserError: no such bucket.
    """
    source, target = pathlib.Path(source), as_path(target)
    if source.is_dir():
        for path in sorted(p for p in source.rglob("*") if p.is_file()):
            publish(path, target / path.relative_to(source).as_posix())
    elif is_remote(target):
        try:
            _filesystem(target).put_file(os.fspath(source), os.fspath(target))
        except FileNotFoundError:
            raise UserError(
                f"{target}: no such bucket, or no right to see it"
            ) from None
    else:
        make_folder(target.parent)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        shutil.copyfile(source, part)
        os.replace(part, target)


@contextlib.contextmanager
def local_folder(folder: str | os.PathLike) -> Iterator[pathlib.Path]:
    """The folder itself, or one on this machine whose files go to the bucket at the end."""
    if not is_remote(folder):
        yield pathlib.Path(folder)
        return
    with tempfile.TemporaryDirectory(prefix="stemjax-") as local:
        yield pathlib.Path(local)
        publish(local, folder)


def stage(folder: str | os.PathLike, names: Collection[str]) -> pathlib.Path:
    """A copy on this machine of the files of some base names, a folder deep or two.

    It is kept in the cache under a digest of what the bucket says of the files (size,
    MD5 or generation), so a changed folder is copied anew.  Whole or absent: files are
    checked before the copy gets its name.  A folder of this machine is returned as it is.

    Raises:
      UserError: no such files, or a copy that is not what the bucket holds.
    """
    folder = as_path(folder)
    if not is_remote(folder):
        return pathlib.Path(folder)
    files = _filesystem(folder)
    root = os.fspath(folder).removeprefix(SCHEME).rstrip("/")
    found = {
        name[len(root) + 1 :]: about
        for name, about in files.find(root, maxdepth=DEPTH, detail=True).items()
        if name.rpartition("/")[2] in names and name.startswith(root + "/")
    }
    if not found:
        raise UserError(
            f"{folder}: holds none of {', '.join(sorted(names))}; give another folder"
        )
    marks = {n: [a["size"], _mark(a)] for n, a in sorted(found.items())}
    digest = hashlib.sha256(json.dumps([root, marks]).encode()).hexdigest()
    home = cache_folder() / "releases" / digest[:20]
    target = home / folder.name
    if _is_whole(target, found):
        return target
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".part-") as part:
        copy = pathlib.Path(part) / "copy" / folder.name
        for name, about in found.items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            files.get_file(f"{root}/{name}", os.fspath(copy / name))
            _check(copy / name, about, f"{folder}/{name}")
        shutil.rmtree(home, ignore_errors=True)
        with contextlib.suppress(OSError):  # another process was as fast
            os.rename(copy.parent, home)
    if not _is_whole(target, found):
        raise UserError(f"{home}: cannot be written; make room or remove it")
    return target


def _is_whole(target: pathlib.Path, found: dict[str, dict[str, Any]]) -> bool:
    def size(name: str) -> int:
        path = target / name
        return path.stat().st_size if path.is_file() else -1

    return all(size(name) == about["size"] for name, about in found.items())


def _mark(about: dict[str, Any]) -> str:
    """What tells two contents of one name apart; composed objects have no MD5."""
    return about.get("md5Hash") or about.get("generation") or ""


def _check(path: pathlib.Path, about: dict[str, Any], name: str) -> None:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "md5").digest()
    wanted = about.get("md5Hash")
    has_wrong_bytes = wanted and base64.b64encode(digest).decode() != wanted
    if path.stat().st_size != about["size"] or has_wrong_bytes:
        raise UserError(f"{name}: the copy is not what the bucket holds; try again")


def _filesystem(path: str | os.PathLike) -> Any:
    """gcsfs, without its cache of listings: other processes write there too.

    Raises:
      UserError: it is not installed.
    """
    if importlib.util.find_spec("gcsfs") is None:
        raise UserError(f"{path}: buckets need gcsfs; pip install 'stemjax[gcs]'")
    import fsspec

    # for epath's own too, where fsspec was imported before stemjax
    settings = fsspec.config.conf.setdefault("gcs", {})
    settings.setdefault("use_listings_cache", False)
    return fsspec.filesystem("gcs", finalize_on_close=True)
