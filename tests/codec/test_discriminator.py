"""The discriminator against loops of NumPy, and its losses by hand."""

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import optax
import pytest

from stemjax.codec import discriminator
from stemjax.codec.discriminator import Judgement
from stemjax.config.codec import DiscriminatorConfig, Spectrum

SMALL = DiscriminatorConfig(windows=(32,), channels=3, dilations=(1, 2))
judge = jax.jit(discriminator.judge, static_argnums=1)  # eager, it compiles op by op
spectra = jax.jit(discriminator.spectra, static_argnums=(1, 2))


@pytest.fixture(scope="module")
def params():
    return jax.jit(lambda key: discriminator.init(key, SMALL))(jax.random.key(0))


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def slow_conv(x, weight, bias, stride: int, dilation: int):
    """[T, F, C] by loops; `left` zeros below the lowest bin."""
    tall, wide, _, features = weight.shape
    frames, bins, _ = x.shape
    left = wide // stride // 2 * stride
    y = np.zeros((frames, bins // stride, features))
    for t in range(frames):
        for f in range(bins // stride):
            for i in range(tall):
                for j in range(wide):
                    u, v = t + (i - tall // 2) * dilation, f * stride + j - left
                    if 0 <= u < frames and 0 <= v < bins:
                        y[t, f] += x[u, v] @ weight[i, j]
    return y + bias


def test_one_scale_is_that_of_loops(params):
    audio = noise(1, 80)
    (judged,) = judge(params, SMALL, audio)
    window = np.hanning(33)[:-1]
    spectrum = librosa.stft(audio[0], n_fft=32, hop_length=8, pad_mode="constant")
    spectrum = spectrum.T[:, :-1] / np.sqrt(np.sum(window**2))
    x = np.stack([spectrum.real, spectrum.imag], axis=-1)
    assert x.shape == (11, 16, 2)
    weights = jax.tree.map(np.asarray, params["window_32"])
    layers = [("enter", 2, 1), ("halve_0", 2, 1), ("halve_1", 2, 2), ("leave", 1, 1)]
    for k, (name, stride, dilation) in enumerate(layers):
        x = slow_conv(x, **weights[name], stride=stride, dilation=dilation)
        x = np.where(x > 0, x, 0.2 * x)
        # float32 sums of 72 terms
        np.testing.assert_allclose(judged.features[k][0], x, rtol=1e-4, atol=1e-6)
    score = slow_conv(x, **weights["score"], stride=1, dilation=1)[..., 0]
    assert judged.score.shape == (1, 11, 2)
    np.testing.assert_allclose(judged.score[0], score, rtol=1e-4, atol=1e-6)


def test_a_score_depends_on_six_frames_to_either_side(params):
    """1 + 1 + 2 of the kernels of 3, by their dilations, and 1 + 1 of the last two."""

    def middle(x):
        return judge(params, SMALL, x)[0].score[0, 20].sum()

    slope = np.abs(jax.grad(middle)(jnp.asarray(noise(1, 320)))[0])
    bins = np.flatnonzero(slope)
    # frame 20 is centred on sample 160, its neighbours 8 apart; a window's first
    # sample weighs nothing
    assert bins.min() == 160 - 6 * 8 - 15 and bins.max() == 160 + 6 * 8 + 15


def test_scores_of_magnitudes_do_not_depend_on_the_sign(params):
    magnitudes = DiscriminatorConfig(
        windows=(32,), channels=3, dilations=(1, 2), spectrum=Spectrum.LOG_MAGNITUDE
    )
    audio = noise(2, 64)
    weights = jax.tree.map(lambda w: w, params)
    enter = weights["window_32"]["enter"]
    enter["weight"] = enter["weight"][:, :, :1]  # one input channel instead of two
    (a,), (b,) = (judge(weights, magnitudes, x) for x in (audio, -audio))
    np.testing.assert_array_equal(a.score, b.score)
    (a,), (b,) = (judge(params, SMALL, x) for x in (audio, -audio))
    assert not np.allclose(a.score, b.score)


def test_spectra_of_noise_have_its_deviation():
    audio = 0.1 * noise(4, 6400)
    for window in (64, 512):
        parts = spectra(audio, window, Spectrum.COMPLEX)
        assert parts.shape == (4, 1 + 4 * 6400 // window, window // 2, 2)
        # 51,200 values, of which a quarter is independent: 1 % or so
        assert float(jnp.std(parts)) == pytest.approx(0.1 / np.sqrt(2), rel=0.05)
    (level,) = spectra(np.zeros((1, 64)), 64, Spectrum.LOG_MAGNITUDE)[..., 0]
    np.testing.assert_allclose(level, -2.5, rtol=1e-6)  # log10 of the floor, centred


def judged(score, *features) -> Judgement:
    return Judgement(np.array(score), tuple(np.array(f) for f in features))


def test_hinge_and_accuracy_by_hand():
    real = [judged([2.0, 0.5, -1.0, 0.5]), judged([3.0])]
    fake = [judged([-3.0, 0.5, -0.5, -0.5]), judged([0.0])]
    # real: (0 + 0.5 + 2 + 0.5) / 4 and 0; fake: (0 + 1.5 + 0.5 + 0.5) / 4 and 1
    total = float(discriminator.discriminator_hinge(real, fake))
    assert total == pytest.approx((0.75 + 0.625 + 0 + 1) / 2)
    # (4 + 0.5 + 1.5 + 1.5) / 4 and 1
    assert float(discriminator.generator_hinge(fake)) == pytest.approx((1.875 + 1) / 2)
    # a score of 0 is undecided
    assert float(discriminator.accuracy(real, is_real=True)) == (0.75 + 1) / 2
    assert float(discriminator.accuracy(fake, is_real=False)) == (0.75 + 0) / 2


def test_features_are_measured_by_the_size_of_the_real_ones():
    real = [judged([0.0], [1.0, -3.0], [10.0, 10.0]), judged([0.0], [4.0], [1.0])]
    fake = [judged([0.0], [2.0, -1.0], [10.0, 0.0]), judged([0.0], [4.0], [0.0])]
    # 1.5 / 2 and 5 / 10; 0 / 4 and 1 / 1
    distance = float(discriminator.feature_distance(real, fake))
    assert distance == pytest.approx((0.75 + 0.5 + 0 + 1) / 4)
    louder = [
        Judgement(j.score, tuple(7 * f for f in j.features)) for j in (*real, *fake)
    ]
    same = discriminator.feature_distance(louder[:2], louder[2:])
    assert float(same) == pytest.approx(distance)


def test_training_separates_tones_from_noise(params):
    """Tones and noise have one level; an untrained discriminator is at chance."""
    t = np.arange(256)

    def sounds(seed):
        rng = np.random.default_rng(seed)
        pitch = rng.uniform(0.05, 0.4, (8, 1))
        phase = rng.uniform(0, 6, (8, 1))
        tones = np.sqrt(2) * np.sin(2 * np.pi * pitch * t + phase)
        return tones.astype(np.float32), rng.normal(size=(8, 256)).astype(np.float32)

    def loss(params, real, fake):
        judged = [judge(params, SMALL, x) for x in (real, fake)]
        right = [
            discriminator.accuracy(h, is_real=is_real)
            for h, is_real in zip(judged, (True, False), strict=True)
        ]
        return discriminator.discriminator_hinge(*judged), (right[0] + right[1]) / 2

    tx = optax.adam(1e-2)

    @jax.jit
    def step(params, state, real, fake):
        (value, right), grads = jax.value_and_grad(loss, has_aux=True)(
            params, real, fake
        )
        updates, state = tx.update(grads, state)
        return optax.apply_updates(params, updates), state, value, right

    state, rights = tx.init(params), []
    trained = params
    for seed in range(60):
        trained, state, value, right = step(trained, state, *sounds(seed))
        rights.append(float(right))
    assert rights[0] < 0.7
    assert rights[-1] > 0.9 and float(value) < 0.6  # on sounds not seen in training


def test_windows_that_cannot_be_halved_are_refused():
    with pytest.raises(ValueError, match="multiples of 32, got 48"):
        DiscriminatorConfig(windows=(64, 48))
