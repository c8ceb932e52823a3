"""State dicts of torch.save read without torch, and what is refused in them.

The golden files are PyTorch's own, of both its layouts; `python -m
tests.eval.metrics.vggish.test_torch_state_dict` makes them again.
"""

import collections
import io
import pathlib
import pickle
import zipfile

import numpy as np
import pytest

from stemjax.eval.metrics.vggish.torch_state_dict import read_state_dict
from stemjax.io.errors import UserError

GOLDEN = pathlib.Path(__file__).parent.parent / "golden" / "torch_state_dict"
LAYOUTS = {"zip": True, "old": False}  # the value of torch's own switch

BASE = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7
EXPECTED = {
    "whole": BASE,
    "transposed": BASE.transpose(2, 0, 1),
    "inside": BASE[1, 1:, ::2],  # an offset into the storage that `whole` has
    "parameter": np.float32([0.5, -2.0]),
    "double": np.linspace(0, 1, 5),
    "scalar": np.float32(3.25),
    "empty": np.zeros((0, 3), np.float32),
}


def write_golden(folder: pathlib.Path) -> None:
    import torch

    whole = torch.from_numpy(BASE.copy())
    state = collections.OrderedDict(
        whole=whole,
        transposed=whole.permute(2, 0, 1),
        inside=whole[1, 1:, ::2],
        parameter=torch.nn.Parameter(torch.tensor([0.5, -2.0])),
        double=torch.linspace(0, 1, 5, dtype=torch.float64),
        scalar=torch.tensor(3.25),
        empty=torch.zeros(0, 3),
    )
    state._metadata = collections.OrderedDict(version=1)  # as module.state_dict() has
    for layout, is_zip in LAYOUTS.items():
        torch.save(
            state, folder / f"{layout}.pth", _use_new_zipfile_serialization=is_zip
        )


def assert_expected(found: dict[str, np.ndarray]) -> None:
    assert list(found) == list(EXPECTED)
    for name, value in EXPECTED.items():
        assert found[name].dtype == np.asarray(value).dtype, name
        assert found[name].shape == np.shape(value), name
        np.testing.assert_allclose(found[name], value, rtol=1e-15, atol=0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_both_layouts_are_read(layout):
    assert_expected(read_state_dict(GOLDEN / f"{layout}.pth"))


@pytest.mark.parity
@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_torch_writes_today_is_read_as_torch_reads_it(tmp_path, layout):
    torch = pytest.importorskip("torch")
    write_golden(tmp_path)
    path = tmp_path / f"{layout}.pth"
    found = read_state_dict(path)
    assert_expected(found)
    for name, value in torch.load(path, weights_only=True).items():
        np.testing.assert_array_equal(found[name], value.detach().numpy())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_cut_or_flipped_anywhere_is_refused_or_read(tmp_path, layout):
    whole = (GOLDEN / f"{layout}.pth").read_bytes()
    path = tmp_path / "broken.pth"
    for cut in range(0, len(whole) - 1, 37):
        path.write_bytes(whole[:cut])
        with pytest.raises(UserError, match="broken.pth: not a PyTorch state dict"):
            read_state_dict(path)
    for at in range(0, len(whole), 41):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            read_state_dict(path)  # a changed weight is another weight
        except UserError:
            pass


class Runs:
    """Whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def archive(path: pathlib.Path, index: bytes, storage: bytes = b"") -> pathlib.Path:
    """A file of the zip layout around any pickle."""
    with zipfile.ZipFile(path, "w") as members:
        members.writestr("archive/data.pkl", index)
        members.writestr("archive/data/0", storage)
    return path


def test_a_pickle_that_calls_anything_is_refused_and_not_run(tmp_path):
    mark = tmp_path / "ran"
    path = archive(tmp_path / "x.pth", pickle.dumps({"w": Runs(mark.touch)}))
    with pytest.raises(UserError, match="it names"):
        read_state_dict(path)
    path = archive(tmp_path / "y.pth", pickle.dumps({"w": Runs(eval, "1")}))
    with pytest.raises(UserError, match="it names builtins.eval"):
        read_state_dict(path)
    assert not mark.exists()


@pytest.mark.parametrize("value", [[1.0], {"w": 1.0}, {3: "w"}, {"w": {"v": 1.0}}])
def test_what_is_not_a_dict_of_tensors_is_refused(tmp_path, value):
    with pytest.raises(UserError, match="not a PyTorch state dict of float tensors"):
        read_state_dict(archive(tmp_path / "x.pth", pickle.dumps(value)))


class FloatStorage:
    """Takes torch's place in handmade pickles."""


def _rebuild_tensor_v2():
    """Takes torch's place in handmade pickles."""


class Pickler(pickle.Pickler):
    """Writes an instance of `FloatStorage` as torch does: two items, member "0"."""

    def persistent_id(self, value):
        if isinstance(value, FloatStorage):
            return ("storage", FloatStorage, "0", "cpu", 2)
        return None


def handmade(path: pathlib.Path, offset, shape, strides) -> pathlib.Path:
    """One tensor "w" that views the storage [1, 2] as told."""
    file = io.BytesIO()
    view = Runs(_rebuild_tensor_v2, FloatStorage(), offset, shape, strides, False, None)
    Pickler(file, protocol=2).dump({"w": view})
    index = file.getvalue()
    here = b"c" + __name__.encode() + b"\n"
    index = index.replace(here + b"FloatStorage", b"ctorch\nFloatStorage")
    index = index.replace(here + b"_rebuild", b"ctorch._utils\n_rebuild")
    return archive(path, index, np.float32([1, 2]).tobytes())


def test_a_view_inside_its_storage_is_read(tmp_path):
    found = read_state_dict(handmade(tmp_path / "x.pth", 1, (3,), (0,)))
    np.testing.assert_array_equal(found["w"], np.float32([2, 2, 2]))


@pytest.mark.parametrize(
    "offset, shape, strides",
    [
        (0, (3,), (1,)),
        (1, (2,), (1,)),
        (-1, (1,), (1,)),
        (1, (2,), (-1,)),
        (0, (2, 2), (1,)),
        (2, (), ()),
        (0, (2,), (1 << 40,)),
    ],
)
def test_a_view_beyond_its_storage_is_refused(tmp_path, offset, shape, strides):
    with pytest.raises(UserError, match="not a PyTorch state dict"):
        read_state_dict(handmade(tmp_path / "x.pth", offset, shape, strides))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="none.pth: no such file"):
        read_state_dict(tmp_path / "none.pth")


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    write_golden(GOLDEN)
