"""NumPy files (.npz, .npy), read within bounds and without pickles."""

import io
import os
import pathlib
import zipfile
from collections.abc import Callable, Sequence

import numpy as np

from stemjax.io.errors import UserError

MOST_BYTES = 1 << 33
"""Largest sum of the arrays of an .npz file that is read."""


def read_npz(
    path: str | os.PathLike,
    *,
    mend: str,
    is_wanted: Callable[[str], bool] = lambda name: True,
) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name; checksums are compared.

    Args:
      mend: what the user can do about a bad file, for the message.
      is_wanted: whether an array of a name is read.

    Raises:
      UserError: missing, damaged, of another format, or too large.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such file; {mend}")
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
            members = [m for m in members if is_wanted(_name(m))]
            size = sum(member.file_size for member in members)
            if size > MOST_BYTES:
                raise UserError(f"{path}: holds {size} bytes; {mend}")
            for member in members:
                content = io.BytesIO(archive.read(member))
                arrays[_name(member)] = np.load(content, allow_pickle=False)
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001  (zipfile and NumPy raise many types)
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{path}: not an .npz file ({reason}); {mend}") from None
    return arrays


def map_npy(
    path: str | os.PathLike, dtype: str, shape: Sequence[int | None], *, mend: str
) -> np.ndarray:
    """The array of an .npy file, mapped from the disk.

    Args:
      dtype, shape: those that the file must have; a length of None is any.
      mend: as for `read_npz`.

    Raises:
      UserError: missing, damaged, or of another type or shape.
    """
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {mend}") from None
    except Exception as error:  # noqa: BLE001  (NumPy raises many types)
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{path}: not an .npy file ({reason}); {mend}") from None
    lengths = zip(array.shape, shape, strict=False)
    is_shaped = array.ndim == len(shape) and all(b in (a, None) for a, b in lengths)
    if array.dtype != np.dtype(dtype) or not is_shaped:
        raise UserError(
            f"{path}: is {array.dtype} {array.shape}, not {dtype} {tuple(shape)}; {mend}"
        )
    return array


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy")
