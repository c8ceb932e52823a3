"""NumPy files: bounds, checksums, and one line for each damage."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemjax.io.errors import UserError
from stemjax.io.npz import map_npy, read_npz

ARRAYS = {"tokens": np.arange(12, dtype=np.uint16).reshape(3, 4), "name": np.array("a")}


def packed(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def test_arrays_come_back(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(packed(**ARRAYS))
    read = read_npz(path, mend="")
    assert read.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(read[name], array)
    assert list(read_npz(path, mend="", is_wanted=lambda n: n == "name")) == ["name"]


@given(st.data())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_damage_is_a_line_or_changes_nothing(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    content = bytearray(packed(**ARRAYS))
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        read = read_npz(path, mend="copy it")
    except UserError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
        return
    for name in read.keys() & ARRAYS.keys():
        np.testing.assert_array_equal(read[name], ARRAYS[name])


def test_a_bomb_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("stemjax.io.npz.MOST_BYTES", 1_000_000)
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tokens.npy", bytes(2_000_000))
    with pytest.raises(UserError, match="a.npz: holds 2000000 bytes; copy it"):
        read_npz(path, mend="copy it")


def test_a_mapped_array_has_its_type_and_shape(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((2, 3), np.int16))
    assert map_npy(path, "int16", (2, 3), mend="").shape == (2, 3)
    with pytest.raises(UserError, match=r"is int16 \(2, 3\), not int16 \(2, 4\); copy"):
        map_npy(path, "int16", (2, 4), mend="copy it")
    path.write_bytes(packed(**ARRAYS))
    with pytest.raises(UserError, match="a.npy: not an .npy file .*; copy it"):
        map_npy(path, "int16", (2, 3), mend="copy it")
    with pytest.raises(UserError, match="b.npy: no such file; copy it"):
        map_npy(tmp_path / "b.npy", "int16", (2, 3), mend="copy it")
