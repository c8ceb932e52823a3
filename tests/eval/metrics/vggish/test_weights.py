"""Reading, converting, proving and finding the weights of VGGish."""

import json
import pathlib
import socket

import numpy as np
import pytest
import safetensors

from stemjax.eval.metrics.vggish import network as vggish
from stemjax.eval.metrics.vggish import weights as vggish_weights
from stemjax.eval.metrics.vggish.features import GUDGUD, patches
from stemjax.eval.metrics.vggish.weights import (
    EXPECTED,
    TOLERANCE,
    Unavailable,
    VerifiedWeights,
)
from stemjax.io.errors import UserError
from stemjax.io.weights import load_safetensors, save_safetensors, sha256_of

TORCH_NAMES = (  # of torchvggish's state dict, in its order
    *(
        (f"features.{i}", name)
        for i, name in zip(
            (0, 3, 6, 8, 11, 13),
            ("conv1", "conv2", "conv3_1", "conv3_2", "conv4_1", "conv4_2"),
            strict=True,
        )
    ),
    ("embeddings.0", "fc1_1"),
    ("embeddings.2", "fc1_2"),
    ("embeddings.4", "fc2"),
)


def double() -> dict[str, np.ndarray]:
    """Not VGGish, but the smoke test's four numbers: a last bias of three levels.

    Stands where a test needs weights that pass; the real ones cannot be shipped.
    """
    params = {
        name: np.zeros(shape, np.float32) for name, shape in vggish.SHAPES.items()
    }
    bias = params["fc2.bias"]
    bias[:30], bias[30:80] = 0.561, -0.335
    params["conv1.weight"][0, 1, 0, 2] = 5.0  # places tell transposes apart
    params["fc1_1.weight"][3, 8] = 7.0
    return params


def as_torch(params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """torchvggish's names and layout."""
    state = {}
    for theirs, ours in TORCH_NAMES:
        weight = params[f"{ours}.weight"]
        order = (3, 2, 0, 1) if weight.ndim == 4 else (1, 0)
        state[f"{theirs}.weight"] = np.ascontiguousarray(weight.transpose(order))
        state[f"{theirs}.bias"] = params[f"{ours}.bias"]
    return state


@pytest.fixture(scope="module")
def passing() -> VerifiedWeights:
    return VerifiedWeights(double(), "double")


@pytest.fixture(scope="module")
def random_weights() -> dict[str, np.ndarray]:
    return vggish.random_params(0)


@pytest.fixture
def nowhere(monkeypatch, tmp_path) -> pathlib.Path:
    """An empty home, and a network that fails the test when touched."""

    def refuse(*args, **kwargs):
        raise AssertionError("touched the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("STEMJAX_VGGISH", "STEMJAX_WEIGHTS", "XDG_CACHE_HOME", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_published_numbers_pass():
    assert vggish_weights.has_passed(EXPECTED)


@pytest.mark.parametrize("field", EXPECTED._fields)
def test_each_statistic_has_its_tolerance(field):
    value, tolerance = getattr(EXPECTED, field), getattr(TOLERANCE, field)
    for sign in (-1, 1):
        near = EXPECTED._replace(**{field: value + sign * 0.99 * tolerance})
        far = EXPECTED._replace(**{field: value + sign * 1.01 * tolerance})
        assert vggish_weights.has_passed(near)
        assert not vggish_weights.has_passed(far)
    assert not vggish_weights.has_passed(EXPECTED._replace(**{field: float("nan")}))


def test_what_the_smoke_test_measures():
    shapes = {
        n: tuple(s // 16 if s >= 64 else s for s in v) for n, v in vggish.SHAPES.items()
    }
    params = vggish.random_params(0, shapes)
    sine = np.sin(2 * np.pi * 1000 * np.arange(48_000) / 16_000).astype(np.float32)
    x = patches(sine, GUDGUD)
    assert x.shape == (3, 96, 64)
    embeddings = np.asarray(vggish.embed(params, x), np.float64)
    positive = np.where(embeddings > 0, embeddings, 0)
    np.testing.assert_allclose(
        vggish_weights.smoke_statistics(params),
        [embeddings.mean(), embeddings.std(), positive.mean(), positive.std()],
        atol=1e-5,
    )


def test_verified_weights_cannot_change(passing):
    np.testing.assert_allclose(passing.statistics, EXPECTED, rtol=0.02, atol=2e-3)
    with pytest.raises(TypeError):
        passing.params["fc2.bias"] = np.zeros(128)
    for name in ("params", "sha256", "statistics", "other"):
        with pytest.raises(AttributeError):
            setattr(passing, name, None)


def test_verified_weights_are_no_view_of_the_callers(passing):
    params = double()
    room = np.zeros(128 * 4 + 64, np.uint8)  # whose alignment lets JAX share memory
    start = -room.ctypes.data % 64
    shared = room[start : start + 128 * 4].view(np.float32)
    shared[:] = params["fc2.bias"]
    weights = VerifiedWeights(params | {"fc2.bias": shared}, "shared")
    shared[:] = 9
    np.testing.assert_array_equal(weights.params["fc2.bias"], params["fc2.bias"])


def test_random_weights_are_refused(random_weights):
    with pytest.raises(UserError, match="some.pth: not VGGish's weights: the smoke"):
        VerifiedWeights(random_weights, "some.pth")


def test_the_digest_is_that_of_names_and_arrays(passing):
    again, other = double(), double()
    other["conv4_2.weight"][2, 2, 511, 511] = 1e-6
    again = dict(reversed(again.items()))
    assert len(passing.sha256) == 64
    assert VerifiedWeights(again, "again").sha256 == passing.sha256
    assert VerifiedWeights(other, "other").sha256 != passing.sha256


def test_other_names_and_shapes_are_refused():
    for change in (
        {"fc2.bias": None},
        {"fc2.bias": np.zeros(127, np.float32)},
        {"fc3.bias": np.zeros(1, np.float32)},
        {"conv1.weight": np.zeros((64, 1, 3, 3), np.float32)},
    ):
        (name,) = change
        shapes = vggish.SHAPES.items()
        params = {n: np.broadcast_to(np.float32(0), shape) for n, shape in shapes}
        params = {n: v for n, v in (params | change).items() if v is not None}
        with pytest.raises(UserError, match=f"x: {name} has shape"):
            VerifiedWeights(params, "x")


def test_the_layout_of_torch_is_turned():
    rng = np.random.Generator(np.random.Philox(0))
    shapes = {
        n: tuple(min(s, 5 + i) for i, s in enumerate(v))
        for n, v in vggish.SHAPES.items()
    }
    params = {n: rng.standard_normal(s).astype(np.float32) for n, s in shapes.items()}
    state = as_torch(params) | {"pproc.pca_means": np.zeros((128, 1))}
    found = vggish_weights.from_torch(state)
    assert found.keys() == params.keys()
    for name in params:
        np.testing.assert_array_equal(found[name], params[name])
    assert "embeddings.9.weight" in vggish_weights.from_torch(
        {"embeddings.9.weight": np.zeros((2, 2))}
    )  # kept, so that it is refused by its name


@pytest.mark.parity
def test_a_checkpoint_of_torch_becomes_ours(tmp_path, passing):
    torch = pytest.importorskip("torch")
    source, out = tmp_path / "vggish.pth", tmp_path / "sub" / "vggish.safetensors"
    state = {n: torch.from_numpy(v) for n, v in as_torch(double()).items()}
    torch.save(state, source)
    assert vggish_weights.convert(source, out).sha256 == passing.sha256
    converted = load_safetensors(out)
    for name, value in double().items():
        np.testing.assert_array_equal(converted[name], value)
    with safetensors.safe_open(out, "numpy") as file:
        metadata = file.metadata()
    assert metadata["source"] == "vggish.pth"
    assert metadata["source_sha256"] == sha256_of(source)
    assert metadata["sha256"] == passing.sha256
    measured = json.loads(metadata["smoke_test"].removeprefix("passed "))
    assert measured == passing.statistics._asdict()
    source.unlink()
    assert vggish_weights.read(out).sha256 == passing.sha256


def test_nothing_is_written_when_refused(tmp_path, random_weights):
    source, out = tmp_path / "random.safetensors", tmp_path / "out.safetensors"
    save_safetensors(source, random_weights, {"smoke_test": "passed"})
    with pytest.raises(UserError, match="not VGGish's weights"):
        vggish_weights.convert(source, out)
    assert [path.name for path in tmp_path.iterdir()] == ["random.safetensors"]


def test_conversion_refuses_names_before_it_reads(tmp_path):
    with pytest.raises(UserError, match=r"out.npz: name the converted file \*.safet"):
        vggish_weights.convert(tmp_path / "x.pth", tmp_path / "out.npz")
    path = tmp_path / "x.safetensors"
    with pytest.raises(UserError, match="would overwrite what is converted"):
        vggish_weights.convert(path, path)


@pytest.mark.parametrize("name", ["vggish_model.ckpt", "weights.h5", "vggish.npz"])
def test_other_formats_are_refused_with_the_mend(tmp_path, name):
    with pytest.raises(UserError, match=f"{name}: .* convert vggish-10086976.pth"):
        vggish_weights.read(tmp_path / name)


def test_a_digest_in_the_name_is_checked(tmp_path):
    golden = pathlib.Path(__file__).parent.parent / "golden" / "torch_state_dict"
    content = (golden / "zip.pth").read_bytes()
    path = tmp_path / "vggish-10086976.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match="SHA-256 begins .*, not 10086976; download"):
        vggish_weights.read(path)
    named = tmp_path / f"vggish-{sha256_of(path)[:8]}.pth"
    named.write_bytes(content)
    with pytest.raises(UserError, match="has shape"):  # past the digest
        vggish_weights.read(named)


def test_without_weights_a_reason_and_no_network(nowhere):
    found = vggish_weights.find()
    assert isinstance(found, Unavailable)
    assert found.reason.startswith("VGGish weights not found")
    for words in (
        "$STEMJAX_VGGISH",
        "no ~/.local/share/stemjax/vggish.safetensors",
        "~/.cache/stemjax/vggish.safetensors",
        "~/.cache/torch/hub/checkpoints/vggish-10086976.pth",
        "convert-vggish vggish-10086976.pth",
    ):
        assert words in found.reason
    assert "\n" not in found.reason
    assert str(nowhere) not in found.reason  # reports are files: no machine's paths


def test_the_order_of_the_search(nowhere, monkeypatch):
    monkeypatch.setattr(vggish_weights, "read", lambda path: path)
    places = vggish_weights.places()
    assert places == (
        nowhere / ".local/share/stemjax/vggish.safetensors",
        nowhere / ".cache/stemjax/vggish.safetensors",
        nowhere / ".cache/torch/hub/checkpoints/vggish-10086976.pth",
    )
    named, given = nowhere / "named.pth", nowhere / "given.pth"
    for place in reversed(places):
        place.parent.mkdir(parents=True)
        place.touch()
        assert vggish_weights.find() == place
    named.touch()
    monkeypatch.setenv("STEMJAX_VGGISH", str(named))
    assert vggish_weights.find() == named
    given.touch()
    assert vggish_weights.find(given) == given


def test_the_folders_of_the_environment(nowhere, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    assert list(map(str, vggish_weights.places()[1:])) == [
        "/c/stemjax/vggish.safetensors",
        "/c/torch/hub/checkpoints/vggish-10086976.pth",
    ]
    monkeypatch.setenv("TORCH_HOME", "/t")
    monkeypatch.setenv("STEMJAX_WEIGHTS", "/w")
    own, _, hub = vggish_weights.places()
    assert str(own) == "/w/vggish.safetensors"
    assert str(hub) == "/t/hub/checkpoints/vggish-10086976.pth"


def test_a_path_that_was_given_must_exist(nowhere, monkeypatch):
    with pytest.raises(UserError, match="none.pth: no such file, given as"):
        vggish_weights.find(nowhere / "none.pth")
    monkeypatch.setenv("STEMJAX_VGGISH", str(nowhere / "gone.pth"))
    with pytest.raises(UserError, match=r"gone.pth: .* named by \$STEMJAX_VGGISH"):
        vggish_weights.find()


def test_a_broken_file_that_is_found_is_not_passed_over(nowhere):
    place = vggish_weights.places()[0]
    place.parent.mkdir(parents=True)
    place.write_bytes(b"broken")
    with pytest.raises(UserError, match="broken safetensors"):
        vggish_weights.find()


def test_the_real_weights_where_they_are():
    found = vggish_weights.find()
    if isinstance(found, Unavailable):
        pytest.skip(found.reason)
    np.testing.assert_allclose(found.statistics, EXPECTED, rtol=0.02, atol=2e-3)
