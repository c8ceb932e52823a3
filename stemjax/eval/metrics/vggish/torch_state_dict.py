"""Tensors of a PyTorch state dict, read without PyTorch and without running its pickle.

`torch.save` writes a pickle that names tensors and, beside it, their raw storages: since
1.6 as members of a zip, before that one after the other in one file (the layout of
torch/serialization.py; the released VGGish is of either).  The pickle may name the few
constructors that a state dict of float32 or float64 needs, and nothing else.
"""

import collections
import io
import math
import os
import pathlib
import pickle
import struct
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from stemjax.io.errors import UserError

_ZIP = b"PK\x03\x04"
_OLD_MAGIC = 0x1950A86A20F9469CFC6C
_OLD_PROTOCOL = 1001


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype
    size: int  # items


class _Tensor(NamedTuple):
    """A view of a storage whose bytes are read later."""

    storage: _Storage
    offset: int  # of items, as are strides
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(storage, offset, shape, strides, *_):
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(tensor, *_):
    return tensor


_ALLOWED = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "DoubleStorage"): np.dtype("<f8"),
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return _ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, size, *view = pid
        if kind != "storage" or any(part is not None for part in view):
            raise pickle.UnpicklingError("it holds views of storages")
        return _Storage(str(key), dtype, int(size))


def read_state_dict(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Arrays by name of a file of `torch.save(module.state_dict(), path)`.

    Raises:
      UserError: missing, not such a file, broken, or naming anything but float tensors.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; give an existing state dict")
    try:
        with path.open("rb") as file:
            if file.read(len(_ZIP)) == _ZIP:
                tensors, storages = _read_zip(file)
            else:
                tensors, storages = _read_old(file)
        return {name: _array(t, storages) for name, t in tensors.items()}
    except OSError:
        raise
    except Exception as error:  # a broken pickle raises nearly anything
        raise UserError(
            f"{path}: not a PyTorch state dict of float tensors ({error});"
            " copy it again, or save module.state_dict() with torch.save"
        ) from None


def _read_zip(file: BinaryIO) -> tuple[dict[str, _Tensor], Mapping[str, bytes]]:
    with zipfile.ZipFile(file) as members:
        (index,) = [n for n in members.namelist() if n.endswith("/data.pkl")]
        root = index.removesuffix("data.pkl")
        order = f"{root}byteorder"
        if order in members.namelist() and members.read(order) != b"little":
            raise ValueError("its bytes are big-endian")
        tensors = _checked(_Unpickler(io.BytesIO(members.read(index))).load())
        keys = {tensor.storage.key for tensor in tensors.values()}
        return tensors, {key: members.read(f"{root}data/{key}") for key in keys}


def _read_old(file: BinaryIO) -> tuple[dict[str, _Tensor], Mapping[str, bytes]]:
    file.seek(0)
    if _Unpickler(file).load() != _OLD_MAGIC:
        raise ValueError("it is not a file of torch.save")
    if _Unpickler(file).load() != _OLD_PROTOCOL:
        raise ValueError("its protocol is unknown")
    if not _Unpickler(file).load()["little_endian"]:
        raise ValueError("its bytes are big-endian")
    tensors = _checked(_Unpickler(file).load())
    expected = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    storages = {}
    for key in _Unpickler(file).load():  # in the file's order
        (size,) = struct.unpack("<q", file.read(8))
        if size != expected[key].size:
            raise ValueError("the sizes of its storages disagree")
        storages[key] = file.read(size * expected[key].dtype.itemsize)
    return tensors, storages


def _checked(state: Any) -> dict[str, _Tensor]:
    if not isinstance(state, dict):
        raise ValueError(f"it holds a {type(state).__name__}")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, _Tensor):
            raise ValueError(f"its {name!r} is not a tensor")
    return dict(state)


def _array(tensor: _Tensor, storages: Mapping[str, bytes]) -> np.ndarray:
    """A copy of the view, which must lie inside its storage."""
    items = np.frombuffer(storages[tensor.storage.key], tensor.storage.dtype)
    steps = [
        (size - 1) * stride
        for size, stride in zip(tensor.shape, tensor.strides, strict=True)
    ]
    inside = 0 <= tensor.offset and min((*tensor.shape, *tensor.strides, 0)) >= 0
    if math.prod(tensor.shape) and inside:
        inside = tensor.offset + sum(steps) < len(items)
    if not inside:
        raise ValueError("a tensor reaches beyond its storage")
    strides = [stride * items.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(
        items[tensor.offset :], tensor.shape, strides, writeable=False
    )
    return view.copy()
