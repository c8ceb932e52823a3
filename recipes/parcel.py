"""A folder as one tar archive in small parts, for machines that hand back small files."""

import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

from stemjax.io.errors import UserError

NAME = "bundle.tar"
PART_BYTES = 15 << 20


def check_out(out: Path) -> None:
    """Refuse a folder that holds anything but an earlier parcel.

    Raises:
      UserError: it is a file, or holds other files.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file: give a folder")
    others = [p for p in out.glob("*") if not p.name.startswith(NAME + ".")]
    if others:
        raise UserError(f"--out {out} holds other files: give a folder of its own")


def pack(folder: Path, out: Path, part_bytes: int = PART_BYTES) -> list[Path]:
    """Write `folder` to `out`/bundle.tar.00, .01, ...; older parts go."""
    out.mkdir(parents=True, exist_ok=True)
    whole = out / f"{NAME}.whole"
    with tarfile.open(whole, "w") as archive:
        archive.add(folder, arcname=".")
    for old in _parts(out):
        old.unlink()
    parts = []
    with whole.open("rb") as file:
        while piece := file.read(part_bytes):
            parts.append(out / f"{NAME}.{len(parts):02d}")
            parts[-1].write_bytes(piece)
    whole.unlink()
    return parts


def unpack(source: Path, folder: Path) -> None:
    """Make `folder` from the parts in `source`, or from a copy of what they held.

    Raises:
      UserError: there is no parcel, or a part of it is missing or damaged.
    """
    temporary = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    parts = _parts(source)
    if parts:
        data = io.BytesIO(b"".join(part.read_bytes() for part in parts))
        try:
            with tarfile.open(fileobj=data, mode="r:") as archive:
                archive.extractall(temporary, filter="data")
        except (tarfile.TarError, EOFError) as error:
            raise UserError(
                f"--start-from {source}: {NAME} cannot be read ({error}): bring all"
                " of its parts"
            ) from None
    elif source.is_dir():
        shutil.copytree(source, temporary)
    else:
        raise UserError(f"--start-from {source} is no folder: check the path")
    os.replace(temporary, folder)


def _parts(folder: Path) -> list[Path]:
    return sorted(_numbered(folder))


def _numbered(folder: Path) -> Iterator[Path]:
    for path in folder.glob(f"{NAME}.*"):
        if path.suffix[1:].isdecimal():
            yield path
