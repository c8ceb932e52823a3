"""The network against a slow NumPy twin at narrow widths, and torch at full width."""

import jax
import numpy as np
import pytest

from stemjax.eval.metrics.vggish import network as vggish
from stemjax.eval.metrics.vggish.features import GOOGLE, GOOGLE_2018, GUDGUD, patches

NARROW = {  # a sixteenth of each width; the shape of the patch stays
    name: tuple(size // 16 if size >= 64 else size for size in shape)
    for name, shape in vggish.SHAPES.items()
}
# float32 sums of up to 12,288 products of order 1e-2, against embeddings of order 1
BAR = 1e-4


def heard(samples: int = 48_000) -> np.ndarray:
    """Patches of tones and noise as the network gets them, [P, 96, 64]."""
    rng = np.random.Generator(np.random.Philox(5))
    time = np.arange(samples) / 16_000
    audio = np.sin(2 * np.pi * 300 * time * (1 + time)) + 0.1 * rng.standard_normal(
        samples
    )
    return np.asarray(patches(audio.astype(np.float32), GUDGUD))


def slow_convolution(x: np.ndarray, weight: np.ndarray, bias: np.ndarray):
    """3 x 3 with one zero around: [H, W, I] -> [H, W, O]; a correlation, as in torch."""
    height, width, _ = x.shape
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    out = np.zeros((height, width, weight.shape[-1])) + bias
    for row in range(3):
        for column in range(3):
            moved = padded[row : row + height, column : column + width]
            out += moved @ weight[row, column]
    return out


def slow_pool(x: np.ndarray) -> np.ndarray:
    corners = [x[i::2, j::2] for i in range(2) for j in range(2)]
    return np.maximum.reduce(corners)


def slow_embed(params, patch: np.ndarray, flatten=np.ravel) -> np.ndarray:
    """One patch in float64, layer by layer as the published table lists them."""
    p = {name: value.astype(np.float64) for name, value in params.items()}

    def conv(layer, x):
        weight, bias = p[f"{layer}.weight"], p[f"{layer}.bias"]
        return np.maximum(slow_convolution(x, weight, bias), 0)

    x = patch[:, :, None].astype(np.float64)
    x = slow_pool(conv("conv1", x))
    x = slow_pool(conv("conv2", x))
    x = slow_pool(conv("conv3_2", conv("conv3_1", x)))
    x = slow_pool(conv("conv4_2", conv("conv4_1", x)))
    x = flatten(x)
    x = np.maximum(x @ p["fc1_1.weight"] + p["fc1_1.bias"], 0)
    x = np.maximum(x @ p["fc1_2.weight"] + p["fc1_2.bias"], 0)
    return x @ p["fc2.weight"] + p["fc2.bias"]


def test_the_number_of_parameters():
    assert sum(int(np.prod(shape)) for shape in vggish.SHAPES.values()) == 72_141_184
    assert len(vggish.SHAPES) == 18


def test_a_narrow_net_equals_the_twin():
    params, x = vggish.random_params(0, NARROW), heard()
    expected = np.stack([slow_embed(params, patch) for patch in x])
    found = np.asarray(jax.jit(vggish.embed)(params, x))
    assert found.shape == (3, 8) and found.dtype == np.float32
    assert expected.std(0).min() > 100 * BAR  # the patches differ
    assert (expected < 0).any()  # no last ReLU
    np.testing.assert_allclose(found, expected, rtol=0, atol=BAR)
    # channels first is another network
    other = slow_embed(params, x[0], lambda y: y.transpose(2, 0, 1).ravel())
    assert np.abs(other - expected[0]).max() > 100 * BAR


@pytest.fixture(scope="module")
def forty_five():
    """Parameters, patches [45, 96, 64], and their embeddings without batches."""
    params = vggish.random_params(1, NARROW)
    rng = np.random.Generator(np.random.Philox(45))
    x = rng.normal(-2, 1, (45, 96, 64)).astype(np.float32)
    return params, x, np.asarray(jax.jit(vggish.embed)(params, x))


@pytest.mark.parametrize("count", [1, 19, 20, 21, 45])
def test_batches_are_filled_and_cut(forty_five, count):
    params, x, expected = forty_five
    found = vggish.embed_in_batches(params, x[:count])
    assert isinstance(found, np.ndarray) and found.shape == (count, 8)
    np.testing.assert_allclose(found, expected[:count], rtol=0, atol=1e-5)
    again = vggish.embed_in_batches(params, x[:count])
    np.testing.assert_array_equal(found, again)


@pytest.mark.parametrize("shape", [(0, 96, 64), (96, 64), (2, 64, 96), (2, 96, 64, 1)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="patches must be"):
        vggish.embed_in_batches({}, np.zeros(shape, np.float32))


def test_the_last_relu_is_the_presets():
    x = np.float32([[-1.0, 0.0, 2.0]])
    np.testing.assert_array_equal(vggish.finish(x, GOOGLE_2018), [[0, 0, 2]])
    np.testing.assert_array_equal(vggish.finish(x, GOOGLE), x)


def test_random_weights_are_those_of_their_seed():
    one, same, other = (vggish.random_params(seed, NARROW) for seed in (3, 3, 4))
    for name, shape in NARROW.items():
        assert one[name].shape == shape and one[name].dtype == np.float32
        np.testing.assert_array_equal(one[name], same[name])
        assert (one[name] != other[name]).any()


@pytest.mark.parity
def test_the_full_width_equals_torch():
    torch = pytest.importorskip("torch")
    params, x = vggish.random_params(7), heard()

    def tensor(name):
        value = params[name]
        if value.ndim == 1:
            return torch.tensor(value)
        order = (3, 2, 0, 1) if value.ndim == 4 else (1, 0)  # OIHW, (out, in)
        return torch.from_numpy(np.ascontiguousarray(value.transpose(order)))

    y = torch.tensor(x)[:, None]
    for layer, has_pool in (
        ("conv1", True),
        ("conv2", True),
        ("conv3_1", False),
        ("conv3_2", True),
        ("conv4_1", False),
        ("conv4_2", True),
    ):
        weight, bias = tensor(f"{layer}.weight"), tensor(f"{layer}.bias")
        y = torch.relu(torch.nn.functional.conv2d(y, weight, bias, padding=1))
        y = torch.nn.functional.max_pool2d(y, 2) if has_pool else y
    y = y.permute(0, 2, 3, 1).flatten(1)
    for layer in ("fc1_1", "fc1_2", "fc2"):
        weight, bias = tensor(f"{layer}.weight"), tensor(f"{layer}.bias")
        y = torch.nn.functional.linear(y, weight, bias)
        y = torch.relu(y) if layer != "fc2" else y
    expected = y.numpy()
    found = vggish.embed_in_batches(params, x)
    assert found.shape == (3, 128) and expected.std(0).min() > 10 * BAR
    np.testing.assert_allclose(found, expected, rtol=0, atol=BAR)
