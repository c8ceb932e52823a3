"""Free disk space, checked before a long write."""

import shutil
from pathlib import Path

from stemjax.io.errors import UserError

_MARGIN_BYTES = 64 << 20  # left free


def free_bytes(folder: Path) -> int:
    """Free space of the disk that holds a folder, which need not exist yet."""
    return shutil.disk_usage(_existing(folder)).free


def check_disk(folder: Path, need: float, *, purpose: str, mend: str) -> None:
    """Check that a disk has `need` bytes and a margin.

    Raises:
      UserError: it has not; "... `purpose` needs ...: `mend`".
    """
    free = free_bytes(folder)
    if need + _MARGIN_BYTES > free:
        raise UserError(
            f"{_existing(folder)} has {size_text(free)} free, {purpose} needs"
            f" {size_text(need)}: {mend}"
        )


def size_text(count: float) -> str:
    """Bytes as text in MB or GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _existing(folder: Path) -> Path:
    """The nearest folder above that exists, or the folder itself."""
    return next(p for p in (folder, *folder.absolute().parents) if p.exists())
