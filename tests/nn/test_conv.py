"""Convolutions and derivatives against XLA's; padding against tables by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from stemjax.config.codec import PadMode
from stemjax.nn.conv import Conv1d, conv1d, conv_transpose1d, pad_ends

LAYOUT = ("NHC", "HIO", "NHC")


def xla_conv(x, weight, stride, dilation):
    return lax.conv_general_dilated(
        x,
        weight.transpose(2, 1, 0),
        (stride,),
        "VALID",
        rhs_dilation=(dilation,),
        dimension_numbers=LAYOUT,
    )


def xla_transposed(x, weight, stride):
    reach = weight.shape[2] - 1
    return lax.conv_general_dilated(
        x,
        weight[:, :, ::-1].transpose(2, 0, 1),
        (1,),
        [(reach, reach)],
        lhs_dilation=(stride,),
        dimension_numbers=LAYOUT,
    )


def compare(ours, reference, x, weight):
    """Values, and derivatives by both arguments under a random cotangent."""

    @jax.jit
    def both(x, weight):
        y, pull = jax.vjp(reference, x, weight)
        z, pull_ours = jax.vjp(ours, x, weight)
        cotangent = jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape)
        return (y, *pull(cotangent)), (z, *pull_ours(cotangent))

    for wanted, got in zip(*both(x, weight), strict=True):
        # sums of up to ~100 terms near 1 in another order: float32 keeps 1e-5
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("samples", "channels", "features", "size", "stride", "dilation"),
    [
        (23, 1, 4, 7, 1, 1),
        (23, 1, 4, 3, 1, 2),
        (23, 4, 1, 7, 1, 1),
        (23, 6, 5, 3, 1, 1),
        (23, 6, 5, 3, 1, 4),
        (23, 3, 8, 1, 1, 1),
        (24, 3, 8, 4, 2, 1),
        (23, 3, 2, 4, 2, 1),  # the last sample is in no window
        (31, 2, 3, 10, 5, 1),
        (16, 1, 3, 4, 2, 1),
    ],
)
def test_convolution_and_its_derivatives(
    samples, channels, features, size, stride, dilation
):
    x = jax.random.normal(jax.random.key(0), (2, samples, channels))
    weight = jax.random.normal(jax.random.key(1), (features, channels, size))
    compare(
        lambda x, w: conv1d(x, w, stride, dilation),
        lambda x, w: xla_conv(x, w, stride, dilation),
        x,
        weight,
    )


@pytest.mark.parametrize(
    ("channels", "features", "size", "stride"),
    [(3, 2, 4, 2), (4, 3, 10, 5), (2, 1, 3, 1), (3, 2, 4, 4)],
)
def test_transposed_convolution_and_its_derivatives(channels, features, size, stride):
    x = jax.random.normal(jax.random.key(0), (2, 7, channels))
    weight = jax.random.normal(jax.random.key(1), (channels, features, size))
    compare(
        lambda x, w: conv_transpose1d(x, w, stride),
        lambda x, w: xla_transposed(x, w, stride),
        x,
        weight,
    )


def test_a_kernel_that_is_no_multiple_of_the_stride_is_refused():
    with pytest.raises(ValueError, match="kernel 5, stride 2"):
        conv1d(jnp.zeros((1, 9, 1)), jnp.zeros((1, 1, 5)), 2)


@pytest.mark.parametrize(
    ("signal", "left", "right", "mode", "wanted"),
    [
        ([1, 2, 3, 4], 2, 1, PadMode.REFLECT, [3, 2, 1, 2, 3, 4, 3]),
        ([1, 2, 3, 4], 2, 1, PadMode.CONSTANT, [0, 0, 1, 2, 3, 4, 0]),
        ([1, 2, 3, 4], 2, 1, PadMode.REPLICATE, [1, 1, 1, 2, 3, 4, 4]),
        # too short to reflect: zeros on the right first, cut off again afterwards
        ([1, 2], 3, 2, PadMode.REFLECT, [0, 0, 2, 1, 2, 0, 0]),
        ([5], 1, 1, PadMode.REFLECT, [0, 5, 0]),
    ],
)
def test_padding_tables(signal, left, right, mode, wanted):
    x = jnp.array(signal, jnp.float32)[None, :, None]
    assert pad_ends(x, left, right, mode)[0, :, 0].tolist() == wanted


@pytest.mark.parametrize("mode", list(PadMode))
def test_a_traced_length_pads_where_the_signal_ends(mode):
    garbage = jnp.full((1, 5, 2), jnp.nan)
    signal = jax.random.normal(jax.random.key(0), (1, 11, 2))
    padded = jax.jit(lambda x, n: pad_ends(x, 3, 4, mode, n))(
        jnp.concatenate([signal, garbage], axis=1), 11
    )
    assert padded.shape[1] == 3 + 16 + 4
    wanted = pad_ends(signal, 3, 4, mode)
    np.testing.assert_array_equal(padded[:, : wanted.shape[1]], wanted)


@pytest.mark.parametrize(("is_causal", "left", "right"), [(False, 3, 2), (True, 5, 0)])
def test_odd_strides_pad_more_on_the_left_and_causal_ones_only_there(
    is_causal, left, right
):
    conv = Conv1d(1, 1, 10, stride=5, is_causal=is_causal, pad_mode=PadMode.CONSTANT)
    params = {"conv": {"weight": jnp.ones((1, 1, 10)), "bias": jnp.zeros(1)}}
    x = jnp.arange(1.0, 14.0)[None, :, None]  # 13 samples: 3 frames, the last filled up
    y = conv.apply({"params": params}, x)
    padded = np.pad(np.arange(1.0, 14.0), (left, right + 2))
    assert y[0, :, 0].tolist() == [padded[i : i + 10].sum() for i in (0, 5, 10)]
