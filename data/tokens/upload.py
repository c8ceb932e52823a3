"""A token store that is filled into an object store, shard by shard.

The machine that fills it holds one shard at a time.  What is finished lies at the URL:
the plan and the facts of each shard under `.work`, so that any machine can go on.  Only
the shard in work is lost with the machine.
"""

import hashlib
import shutil
from collections.abc import Mapping
from typing import Any

from stemjax.data.prepared.manifest import MANIFEST, to_json
from stemjax.data.prepared.remote import RemoteFolder
from stemjax.data.prepared.staging import staging_root
from stemjax.data.tokens.format import INDEX, write_whole
from stemjax.data.tokens.shards import WORK, ShardInWork
from stemjax.io.errors import UserError

PLAN = f"{WORK}/plan.json"


class UploadedStore:
    """Where a store goes, and the local folder that stands for it meanwhile."""

    def __init__(self, url: str):
        self._remote = RemoteFolder(url)
        name = hashlib.sha256(self._remote.url.encode()).hexdigest()[:16]
        self.folder = staging_root() / "filling" / name

    def fetch(self) -> None:
        """Bring here what says how far it is: manifest, or plan and finished shards.

        Raises:
          UserError: other files lie at the URL.
        """
        plan = self._remote.read(PLAN)
        own = self.folder / PLAN
        if not own.is_file() or own.read_bytes() != plan:  # of another filling
            shutil.rmtree(self.folder, ignore_errors=True)
        if not self._fetch(MANIFEST) and plan is None and self._remote.names():
            raise UserError(f"{self._remote.url} holds other files: give another --out")
        for name in RemoteFolder(f"{self._remote.url}/{WORK}").names():
            self._fetch(f"{WORK}/{name}")

    def begin(self) -> None:
        """Keep the plan."""
        self._remote.upload(self.folder / PLAN, PLAN)

    def keep(self, shard: ShardInWork) -> None:
        """Upload a whole shard, unless it is there, and free its disk."""
        if shard.path.is_file():
            self._remote.upload(shard.path, shard.name)
            self._remote.upload(self.folder / shard.facts_name, shard.facts_name)
            shard.path.unlink()

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Index and manifest; then nothing is needed here any more."""
        self._remote.upload(self.folder / INDEX, INDEX)
        self._remote.write(MANIFEST, to_json(manifest).encode())
        self._remote.remove(WORK)
        shutil.rmtree(self.folder)

    def _fetch(self, name: str) -> bool:
        content = self._remote.read(name)
        if content is not None:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.folder / name, content)
        return content is not None
