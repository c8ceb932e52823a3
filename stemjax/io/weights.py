"""Weights in safetensors files: nested dicts of arrays under flat names."""

import hashlib
import os
from collections.abc import Mapping
from typing import Any

import ml_dtypes  # noqa: F401  (registers bfloat16 with NumPy)
import numpy as np
import safetensors
import safetensors.numpy

from stemjax.io.atomic import replacing
from stemjax.io.errors import UserError
from stemjax.io.remote import Path, as_path


def flatten(tree: Mapping[str, Any], sep: str = ".") -> dict[str, Any]:
    """Nested dicts as one sorted dict, keyed by paths joined by `sep`."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}{sep}{k}": v for k, v in flatten(value, sep).items()}
        else:
            flat[name] = value
    return dict(sorted(flat.items()))


def unflatten(flat: Mapping[str, Any], sep: str = ".") -> dict[str, Any]:
    """Inverse of `flatten`."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, last = path.split(sep)
        node = tree
        for name in parents:
            node = node.setdefault(name, {})
        node[last] = value
    return tree


def save_safetensors(
    path: str | os.PathLike,
    flat: Mapping[str, np.ndarray],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write arrays (float32, bfloat16, int...) under their names, atomically.

    Raises:
      UserError: they cannot be written, for example on a full disk.
    """
    arrays = {k: np.ascontiguousarray(v) for k, v in sorted(flat.items())}
    with replacing(path) as part:
        part.touch()
        mode = (
            part.stat().st_mode
        )  # safetensors makes the file readable by its owner alone
        try:
            safetensors.numpy.save_file(arrays, part, metadata=dict(metadata or {}))
        except safetensors.SafetensorError as error:
            raise UserError(
                f"{path}: cannot be written ({error}); check rights and disk space"
            ) from None
        part.chmod(mode)


def load_safetensors(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read every tensor, bfloat16 and float16 as float32.

    Raises:
      UserError: missing, truncated or not a safetensors file.
    """
    path = _present(path)
    try:
        flat = safetensors.numpy.load_file(path)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001  (the reader raises many types)
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path}: broken safetensors ({reason}); copy it again"
        ) from None
    is_half = ("bfloat16", "float16")
    return {
        k: v.astype(np.float32) if v.dtype.name in is_half else v
        for k, v in flat.items()
    }


def check_arrays(
    flat: Mapping[str, np.ndarray],
    shapes: Mapping[str, tuple[int, ...]],
    source: Any,
    *,
    dtype: Any = np.float32,
    mend: str = "config.json and the weights must belong together; copy both again",
) -> None:
    """Check that weights are those of an architecture: of one type, finite, none to spare.

    Args:
      shapes: shape of every tensor by name.
      source: the file of the weights, for the message.

    Raises:
      UserError: a tensor is missing, unknown, of another shape or type, or not finite.
    """
    if missing := sorted(set(shapes) - set(flat)):
        raise UserError(f"{source}: has no tensor {missing[0]}; {mend}")
    if unknown := sorted(set(flat) - set(shapes)):
        raise UserError(f"{source}: has an unknown tensor {unknown[0]}; {mend}")
    for name, shape in shapes.items():
        array = np.asarray(flat[name])
        if array.shape != tuple(shape):
            raise UserError(f"{source}: {name} is {array.shape}, not {shape}; {mend}")
        if array.dtype != dtype:
            raise UserError(
                f"{source}: {name} is {array.dtype}, not {np.dtype(dtype)}; {mend}"
            )
        if not np.isfinite(array).all():
            raise UserError(f"{source}: {name} is not finite; {mend}")


def sha256_of(path: str | os.PathLike) -> str:
    """Hex SHA-256 of a file's bytes.

    Raises:
      UserError: no such file.
    """
    with _present(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _present(path: str | os.PathLike) -> Path:
    path = as_path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; the folder needs its model.safetensors")
    return path
