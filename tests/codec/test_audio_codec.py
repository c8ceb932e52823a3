"""`Codec`: buckets, long audio, files and the random codec; gradients of its functions."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stemjax.codec
from stemjax.codec import functional, long_audio, names
from stemjax.codec.long_audio import chunk_frames
from stemjax.codec.seanet import Decoder, Encoder, elu
from stemjax.config.codec import CodecConfig, PadMode
from stemjax.io.errors import UserError

SMALL = CodecConfig(
    num_filters=2,
    upsampling_ratios=(4, 4, 2),
    num_lstm_layers=2,
    hidden_size=8,
    num_codebooks=2,
    codebook_size=64,
    sample_rate=3_200,  # so that a second is 100 frames of 32 samples
)


jitted_init = jax.jit(functional.init, static_argnums=1)
exact_encode = jax.jit(functional.encode, static_argnums=1)
exact_decode = jax.jit(functional.decode, static_argnums=1)


@pytest.fixture(scope="module")
def small():
    return stemjax.codec.random(SMALL, 3)


def with_long_memory(codec):
    """The codec with forget gates near 0.98, so that the LSTM's memory spans seconds."""
    params = jax.tree.map(np.array, dict(codec.variables["params"]))
    for part in ("encoder", "decoder"):
        (lstm,) = [layer["lstm"] for layer in params[part].values() if "lstm" in layer]
        width = SMALL.num_filters * 8
        for name in ("bias_ih_l0", "bias_ih_l1"):
            lstm[name][width : 2 * width] += 4.0
    return dataclasses.replace(codec, variables={**codec.variables, "params": params})


def audio(samples: int, batch: int = 2) -> np.ndarray:
    rng = np.random.default_rng(samples)
    steps = rng.normal(size=(batch, -(-samples // 50))).repeat(50, axis=1)
    return np.float32(0.3 * steps + 0.05 * rng.normal(size=steps.shape))[:, :samples]


@pytest.mark.slow
def test_the_random_codec_uses_many_codes_and_is_reproducible(small):
    codes = small.encode(audio(9_600))
    assert codes.shape == (2, 2, 300) and codes.dtype == np.int32
    assert all(len(np.unique(codes[:, q])) >= 24 for q in range(2))
    again = stemjax.codec.random(SMALL, 3)
    assert again.sha256 == small.sha256
    assert stemjax.codec.random(SMALL, 4).sha256 != small.sha256


of_each_kind = pytest.mark.parametrize(
    "changes",
    [
        {},
        {"use_causal_conv": True, "trim_right_ratio": 0.5, "use_conv_shortcut": True},
        {"pad_mode": PadMode.REPLICATE, "num_residual_layers": 2},
    ],
    ids=["published", "causal", "replicate"],
)


@pytest.mark.slow
@of_each_kind
def test_padding_to_a_bucket_changes_nothing(changes):
    codec = stemjax.codec.random(dataclasses.replace(SMALL, **changes), 0)
    for samples in (3_217, 417):
        x = audio(samples)
        exact = exact_encode(codec.variables, codec.config, x)
        codes = codec.encode(x)
        assert codes.shape == (2, 2, -(-samples // 32))
        np.testing.assert_array_equal(codes, exact)
        decoded = exact_decode(codec.variables, codec.config, exact)
        # the same sums in another blocking
        np.testing.assert_allclose(codec.decode(codes), decoded, atol=1e-5)


@pytest.mark.slow
@of_each_kind
def test_chunks_give_the_codes_of_the_whole_signal(changes):
    codec = with_long_memory(
        stemjax.codec.random(dataclasses.replace(SMALL, **changes), 0)
    )
    params, codebooks = codec.variables["params"], codec.variables["codebooks"]
    prepared = long_audio.prepare_params(params)
    cases = [(20 * 3_200 + 13, (1,))]  # samples, seconds of a chunk
    if not changes:  # the second signal ends with a chunk
        cases = [(20 * 3_200 + 13, (1, 7)), (14 * 3_200, (1, 7))]
    for samples, chunks in cases:
        x = audio(samples)
        whole = np.asarray(exact_encode(codec.variables, codec.config, x))
        assert all(len(np.unique(whole[:, q])) >= 24 for q in range(2))
        expected = exact_decode(codec.variables, codec.config, whole)
        for seconds in chunks:
            chunk = {"chunk": seconds * 100}
            codes = long_audio.encode(
                prepared["encoder"], codebooks, codec.config, x, **chunk
            )
            np.testing.assert_array_equal(codes, whole)
            decoded = long_audio.decode(
                prepared["decoder"], codebooks, codec.config, whole, **chunk
            )
            np.testing.assert_allclose(decoded, expected, atol=1e-5)
    # The test is sharp: the LSTM remembers more than a chunk.
    alone = codec.encode(x[:, 7 * 3_200 : 14 * 3_200])
    assert (alone[:, :, 10:600] != whole[:, :, 710:1300]).any()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["encoder_halo", "frame_halo"])
def test_a_narrower_halo_would_show(small, name, monkeypatch):
    monkeypatch.setattr(long_audio, name, lambda cfg: 0)
    prepared = long_audio.prepare_params(small.variables["params"])
    codebooks, x = small.variables["codebooks"], audio(4 * 3_200)
    whole = exact_encode(small.variables, SMALL, x)
    codes = long_audio.encode(prepared["encoder"], codebooks, SMALL, x, chunk=100)
    assert (codes != whole).any()


CENTRED = {"num_filters": 2, "hidden_size": 4, "codebook_size": 8}
CAUSAL = CENTRED | {"use_causal_conv": True}


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        CENTRED,
        CAUSAL,
        CENTRED | {"upsampling_ratios": (4, 2), "num_residual_layers": 3},
        CAUSAL | {"upsampling_ratios": (4, 2), "trim_right_ratio": 0.5},
    ],
    ids=["published", "causal", "deep", "trimmed"],
)
def test_the_halo_covers_what_a_chunk_sees(fields):
    """The gradient of one chunk of two frames reaches no further than the halo."""
    config = CodecConfig(**fields)
    params, _ = jitted_init(jax.random.key(0), config)
    frames, first = 24, 11
    width = config.num_filters * 2 ** len(config.upsampling_ratios)

    def frames_seen(kind, part, x, out):
        def chunk(x):
            y = kind(config).apply(
                {"params": params[kind.__name__.lower()]}, x, method=part
            )
            assert y.shape[1] == frames * out
            return jnp.abs(y[:, first * out : (first + 2) * out]).sum()

        slope = np.asarray(jax.jit(jax.grad(chunk))(x)).reshape(frames, -1)
        (seen,) = np.nonzero(np.abs(slope).max(axis=1))
        return first - seen[0], seen[-1] - (first + 1)

    noise = jax.random.normal(jax.random.key(0), (1, frames * config.hop))
    left, right = frames_seen(Encoder, "front", noise, 1)
    assert 0 < max(left, right) <= long_audio.encoder_halo(config)
    noise = jax.random.normal(jax.random.key(0), (1, frames, width))
    left, right = frames_seen(Decoder, "tail", noise, config.hop)
    assert 0 < max(left, right) <= long_audio.decoder_halo(config)


def test_chunks_fit_the_cache_of_a_cpu():
    # 8 MB over 640 samples x 64 channels x 4 bytes: 51 frames, so one second
    assert chunk_frames(CodecConfig(), 1) == 50
    assert chunk_frames(CodecConfig(), 8) == 25
    assert chunk_frames(CodecConfig(num_filters=16), 1) == 200


@pytest.mark.slow
def test_audio_longer_than_a_chunk_is_encoded_in_chunks(small, monkeypatch):
    x = audio(61 * 3_200, batch=1)
    chunks = []
    run = long_audio.encode
    monkeypatch.setattr(
        long_audio,
        "encode",
        lambda *args, **kw: chunks.append(kw["chunk"]) or run(*args, **kw),
    )
    monkeypatch.setattr(long_audio, "CACHE_BYTES", 4 * 32 * 2 * 1_000)
    codes = small.encode(x)
    assert chunks == [1_000]
    np.testing.assert_array_equal(codes, exact_encode(small.variables, SMALL, x))
    assert small.decode(codes).shape == x.shape


@pytest.mark.slow
def test_a_very_short_signal(small):
    for samples in (1, 31, 33):
        codes = small.encode(audio(samples))
        assert codes.shape == (2, 2, -(-samples // 32))
        assert small.decode(codes).shape == (2, codes.shape[2] * 32)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.encode(np.zeros(100)), r"audio is \(100,\), not \[B, N\]"),
        (lambda c: c.encode(np.zeros((2, 0))), r"audio is \(2, 0\)"),
        (lambda c: c.decode(np.zeros((1, 3, 4), int)), r"codes are \(1, 3, 4\)"),
        (
            lambda c: c.decode(np.full((1, 2, 4), 64)),
            "codes lie in 64..64, not in 0..63",
        ),
        (lambda c: c.decode(np.full((1, 2, 4), -1)), "codes lie in -1..-1"),
    ],
)
def test_wrong_arrays_are_refused_with_their_shape(small, call, message):
    with pytest.raises(ValueError, match=message):
        call(small)


@pytest.mark.slow
def test_a_saved_codec_is_the_same_codec(small, tmp_path):
    digest = small.save(tmp_path / "mine", steps=7, metrics={"mel": 0.5})
    loaded = stemjax.codec.load(tmp_path / "mine")
    assert loaded.config == SMALL and loaded.name == small.name
    assert loaded.sha256 == digest == small.sha256
    jax.tree.map(
        np.testing.assert_array_equal, dict(loaded.variables), dict(small.variables)
    )


def test_a_broken_release_is_refused_in_one_line(small, tmp_path):
    small.save(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"num_filters"', '"num_filtres"'))
    with pytest.raises(UserError, match="num_filtres"):
        stemjax.codec.load(tmp_path)
    config.write_text(
        config.read_text().replace('"num_filtres": 2', '"num_filters": 4')
    )
    with pytest.raises(UserError, match=r"coder\..* is \(.*\), not \("):
        stemjax.codec.load(tmp_path)


def test_public_names_there_and_back(small):
    flat = names.to_public(small.variables)
    assert flat["encoder.layers.1.block.3.conv.weight"].shape == (2, 1, 1)
    jax.tree.map(
        np.testing.assert_array_equal,
        names.from_public(flat),
        {k: dict(v) for k, v in small.variables.items()},
    )


@pytest.mark.slow
def test_every_parameter_gets_a_gradient():
    params, codebooks = jitted_init(jax.random.key(0), SMALL)
    assert float(functional.stack_codebooks(codebooks, "inited").max()) == 0
    x = jnp.asarray(audio(640))

    @jax.jit
    @functools.partial(jax.value_and_grad, has_aux=True)
    def slopes(params):
        latents = functional.encode_latents(params, SMALL, x)
        decoded = functional.decode_latents(params, SMALL, latents)
        return jnp.mean((decoded - x) ** 2), (latents.std(), decoded.std())

    (_, deviations), gradients = slopes(params)
    # fresh signals keep their size within a factor of ten or so, neither way lost
    assert all(0.02 < float(d) < 5 for d in deviations)
    for path, gradient in jax.tree_util.tree_leaves_with_path(gradients):
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0, path


def test_elu_to_the_last_digits():
    x = np.concatenate([-np.logspace(-9, 1.5, 500), [-0.25, -0.0, 0.0, 1e-6, 3.0]])
    x = x.astype(np.float32)
    exact = np.where(x > 0, x, np.expm1(x.astype(np.float64)))
    np.testing.assert_allclose(elu(x), exact, rtol=3e-7)
    slope = jax.vmap(jax.grad(elu))(jnp.array([-100.0, -1.0, -0.1, 0.0, 2.0]))
    np.testing.assert_allclose(slope, np.exp([-100.0, -1, -0.1, 0, 0]), 1e-5, 1e-30)
