"""An object store that is a folder: what `data.remote` does, without a network."""

from etils import epath

from stemjax.data.prepared.remote import RemoteFolder


def put_in_folder(monkeypatch, root):
    """gs://bucket/x is root/bucket/x as long as `monkeypatch` lives; returns `root`."""
    root.mkdir(exist_ok=True)

    def path(self, name):
        return epath.Path(root / self.url.split("://")[1] / name)

    monkeypatch.setattr(RemoteFolder, "_path", path)
    return root
