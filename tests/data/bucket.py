"""A storage client whose buckets are local folders, for tests without a network."""

import shutil
from pathlib import Path

from stemjax.io import remote


class FolderStorage:
    """The fsspec methods that `stemjax.io.remote` calls; gs://b/x is root/b/x."""

    def __init__(self, root: Path):
        self.root = root

    def path(self, url: str) -> Path:
        return self.root / url.split("://")[1]

    def cat_file(self, url: str) -> bytes:
        return self.path(url).read_bytes()

    def get_file(self, url: str, path: str) -> None:
        shutil.copyfile(self.path(url), path)

    def put_file(self, path: str, url: str) -> None:
        self.path(url).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, self.path(url))

    def ls(self, url: str, detail: bool) -> list[str]:
        return [str(path) for path in self.path(url).iterdir()]

    def rm(self, url: str, recursive: bool) -> None:
        shutil.rmtree(self.path(url))


def put_in_folder(monkeypatch, root: Path) -> Path:
    """gs://bucket/x is root/bucket/x as long as `monkeypatch` lives; returns `root`."""
    root.mkdir(exist_ok=True)
    storage = FolderStorage(root)
    monkeypatch.setattr(remote, "_filesystem", lambda url: storage)
    return root
