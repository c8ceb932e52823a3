"""Fills a token store at a URL, shard by shard.

The machine that fills it keeps one shard at a time.  Finished shards lie at the URL, the
plan and each shard's size and hash in its `.work`, so that any machine can continue.  Only
the unfinished shard is lost with the machine.
"""

import hashlib
import shutil
from collections.abc import Mapping
from typing import Any

from stemjax.data.prepared.manifest import MANIFEST, to_json
from stemjax.data.prepared.staging import staging_root
from stemjax.data.tokens.format import INDEX
from stemjax.data.tokens.shards import WORK, ShardInWork
from stemjax.io.atomic import write_bytes
from stemjax.io.errors import UserError
from stemjax.io.remote import list_names, publish, read_object, remove_tree

PLAN = f"{WORK}/plan.json"


class UploadedStore:
    """A store at a URL, and the local folder that mirrors it while it is filled."""

    def __init__(self, url: str):
        self.url = url.rstrip("/")
        name = hashlib.sha256(self.url.encode()).hexdigest()[:16]
        self.folder = staging_root() / "filling" / name

    def fetch(self) -> None:
        """Download the manifest, or else the plan and the entries of finished shards.

        Raises:
          UserError: the URL holds other files.
        """
        plan = read_object(f"{self.url}/{PLAN}")
        local = self.folder / PLAN
        if not local.is_file() or local.read_bytes() != plan:  # of another plan
            shutil.rmtree(self.folder, ignore_errors=True)
        if not self._fetch(MANIFEST) and plan is None and list_names(self.url):
            raise UserError(f"{self.url} holds other files: give another --out")
        for name in list_names(f"{self.url}/{WORK}"):
            self._fetch(f"{WORK}/{name}")

    def begin(self) -> None:
        """Upload the plan."""
        self._upload(PLAN)

    def keep(self, shard: ShardInWork) -> None:
        """Upload a finished shard, unless it is there, and free its disk."""
        if shard.path.is_file():
            self._upload(shard.name)
            self._upload(shard.facts_name)
            shard.path.unlink()

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Upload index and manifest."""
        self._upload(INDEX)
        write_bytes(f"{self.url}/{MANIFEST}", to_json(manifest).encode())

    def remove_work(self) -> None:
        """Delete the working files of a finished store, there and here."""
        remove_tree(f"{self.url}/{WORK}")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _upload(self, name: str) -> None:
        publish(self.folder / name, f"{self.url}/{name}")

    def _fetch(self, name: str) -> bool:
        content = read_object(f"{self.url}/{name}")
        if content is not None:
            write_bytes(self.folder / name, content)
        return content is not None
