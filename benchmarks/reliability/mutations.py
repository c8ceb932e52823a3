"""Random damage to one file: its bytes, or the values that its format holds."""

import json
import pathlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from stemjax.io.weights import load_safetensors, save_safetensors

Mutation = Callable[[np.random.Generator, pathlib.Path], str]
"""Damages a file in place; returns what it did."""
NEST = "[" * 50_000 + "]" * 50_000


def mutate(rng: np.random.Generator, path: pathlib.Path) -> str:
    """Damage a file by one of the ways of its kind; returns what was done."""
    ways = [*ANY, *BY_ENDING.get(path.suffix, ()), *BY_ENDING.get(path.suffix, ())]
    return ways[rng.integers(len(ways))](rng, path)


def truncate(rng, path):
    size = path.stat().st_size
    keep = int(rng.integers(max(size, 1)))
    path.write_bytes(path.read_bytes()[:keep])
    return f"cut to {keep} of {size} bytes"


def flip(rng, path):
    content = bytearray(path.read_bytes())
    places = rng.integers(max(len(content), 1), size=int(rng.integers(1, 9)))
    for place in places if content else ():
        content[place] ^= int(rng.integers(1, 256))
    path.write_bytes(content)
    return f"flipped bytes {sorted(places.tolist())}"


def append(rng, path):
    path.write_bytes(path.read_bytes() + rng.bytes(int(rng.integers(1, 100))))
    return "appended bytes"


def empty(rng, path):
    path.write_bytes(b"")
    return "emptied"


def remove(rng, path):
    path.unlink()
    return "removed"


def make_folder(rng, path):
    path.unlink()
    path.mkdir()
    return "made a folder"


def other_content(rng, path):
    path.write_bytes([b"{}", b"[]", b"null", b"3", NEST.encode()][rng.integers(5)])
    return "replaced by other JSON"


ANY = (truncate, flip, append, empty, remove, make_folder, other_content)


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Paths of all values inside a JSON value."""
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def change(rng: np.random.Generator, value: Any) -> tuple[Any, str]:
    """A JSON value with one field deleted, renamed, or of another value."""
    paths = list(places(value))
    if not paths:
        return "x", "replaced by a text"
    path = paths[rng.integers(len(paths))]
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    name = ".".join(map(str, path))
    way = int(rng.integers(13))
    if way == 0:
        del holder[path[-1]]
        return value, f"deleted {name}"
    if way == 1 and isinstance(holder, dict):
        holder["x" + path[-1]] = holder.pop(path[-1])
        return value, f"renamed {name}"
    if way == 2 and isinstance(holder, dict):
        holder["unknown"] = 1
        return value, f"added a field beside {name}"
    old = holder[path[-1]]
    new = [
        *("loud", "", None, [], {}, True, -1, 0, 10**30, 1e308, 0.5, "../x"),
        *([old], {"a": old}, float("nan"), float("inf"), -3.5, [[[[1]]]], NEST, 1e-300),
    ]
    holder[path[-1]] = new[rng.integers(len(new))]
    return value, f"set {name} to {str(holder[path[-1]])[:20]!r}"


def change_json(rng, path):
    try:
        content = json.loads(path.read_text())
    except ValueError:  # a file without an ending that is no JSON
        return flip(rng, path)
    value, done = change(rng, content)
    path.write_text(json.dumps(value).replace(f'"{NEST}"', NEST))
    return done


def change_line(rng, path):
    lines = path.read_text().splitlines()
    number = int(rng.integers(len(lines)))
    value, done = change(rng, json.loads(lines[number]))
    lines[number] = json.dumps(value).replace(f'"{NEST}"', NEST)
    path.write_text("".join(line + "\n" for line in lines))
    return f"line {number + 1}: {done}"


def other_array(rng: np.random.Generator, array: np.ndarray) -> tuple[Any, str]:
    """An array of another type, shape or range."""
    array = np.array(array)
    ways = {
        "float64": lambda: array.astype(np.float64) if array.dtype.kind != "U" else 0.5,
        "int64": lambda: np.zeros(array.shape, np.int64),
        "-1": lambda: np.full(array.shape, -1, np.int32),
        "65535": lambda: np.full(array.shape, 65_535, np.uint16),
        "NaN": lambda: np.full(array.shape, np.nan, np.float32),
        "infinity": lambda: np.full(array.shape, np.inf, np.float32),
        "one axis more": lambda: array[None],
        "flat": lambda: array.reshape(-1),
        "shorter": lambda: array.reshape(-1)[: array.size // 2],
        "none": lambda: np.zeros((0, *array.shape[1:]), array.dtype),
        "a scalar": lambda: np.float32(1),
    }
    name = list(ways)[rng.integers(len(ways))]
    return np.asarray(ways[name]()), name


def change_arrays(rng, arrays: dict[str, np.ndarray]) -> str:
    """Change one of several arrays in place; returns what was done."""
    name = sorted(arrays)[rng.integers(len(arrays))]
    way = int(rng.integers(6))
    if way == 0:
        del arrays[name]
        return f"without {name}"
    if way == 1:
        arrays["x" + name] = arrays.pop(name)
        return f"renamed {name}"
    if way == 2:
        arrays["surplus"] = np.zeros(3, np.float32)
        return "a surplus array"
    arrays[name], done = other_array(rng, arrays[name])
    return f"{name} as {done}"


def change_npz(rng, path):
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if rng.integers(12) == 0:
        arrays[sorted(arrays)[0]] = np.array([{"a": 1}], dtype=object)
        done = "a pickle"
    else:
        done = change_arrays(rng, arrays)
    np.savez(path, **arrays)
    return done


def change_npy(rng, path):
    array, done = other_array(rng, np.load(path, allow_pickle=False))
    np.save(path, array)
    return done


def as_npy(rng, path):
    with path.open("wb") as file:
        np.save(file, np.zeros((4, 100), np.uint16))
    return "an .npy file"


def change_safetensors(rng, path):
    arrays = load_safetensors(path)
    done = change_arrays(rng, arrays)
    save_safetensors(path, arrays)
    return done


BY_ENDING: dict[str, tuple[Mutation, ...]] = {
    ".json": (change_json,) * 6,
    "": (change_json,) * 6,
    ".jsonl": (change_line,) * 6,
    ".npz": (change_npz,) * 6 + (as_npy,),
    ".npy": (change_npy,) * 4,
    ".safetensors": (change_safetensors,) * 6,
}


def fresh_copy(source: pathlib.Path, target: pathlib.Path) -> None:
    """A new copy of a folder, in place of an older one."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
