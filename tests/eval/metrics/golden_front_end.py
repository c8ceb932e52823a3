"""What the distances hear, against published formulas: log-mel, resampling, VGGish.

The peers are slow NumPy in float64; a bar is what rounding to float32 may make of it.
"""

import numpy as np

from stemjax.eval.metrics.vggish import (
    features as vggish_input,
)
from stemjax.eval.metrics.vggish import (
    network as vggish,
)
from stemjax.eval.metrics.vggish import (
    weights as vggish_weights,
)
from stemjax.eval.populations import clips
from stemjax.eval.selftest.checks import Check, at_most, report_only

RATE = 16_000
HALF = {  # the widths of VGGish, for speed
    name: tuple(size // 2 if size >= 64 else size for size in shape)
    for name, shape in vggish.SHAPES.items()
}


def front_end_checks() -> list[Check]:
    """All of this file; rows on VGGish's own weights only where they are found."""
    return [
        *log_mel_checks(),
        *resampling_checks(),
        *vggish_checks(),
        *smoke_test_checks(vggish_weights.find()),
    ]


def log_mel_checks() -> list[Check]:
    """VGGish's log-mel against the published formulas.

    The second row is the worst case of float32: over digital silence the logarithm
    multiplies what the Fourier transform of a full-scale tone rounds by 100.
    """
    time = np.arange(RATE) / RATE
    noise = 0.1 * _rng(0).standard_normal(RATE)
    tones = sum(0.2 * np.sin(2 * np.pi * f * time) for f in (110, 440, 1234.5, 6900))
    audio = [noise, tones + 0.01 * noise, 0 * noise, np.sin(2 * np.pi * 1000 * time)]
    *usual, pure = (
        _largest(np.asarray(vggish_input.log_mel(clip)) - published_log_mel(clip))
        for clip in np.float32(audio)
    )
    return [
        at_most("log-mel of noise, tones, silence vs float64", np.max(usual), 1e-4),
        report_only("log-mel of a pure full-scale tone vs float64", pure),
    ]


def published_log_mel(audio: np.ndarray) -> np.ndarray:
    """The front end of tensorflow/models audioset/vggish: [N] at 16 kHz -> [T, 64].

    Frames of 400 every 160 samples, a periodic Hann window, the magnitude of 512 points,
    triangles linear in mel = 1127 ln(1 + f / 700), log(mel + 0.01).
    """

    def mel(hertz):
        return 1127 * np.log(1 + hertz / 700)

    edges = np.linspace(mel(125), mel(7500), 66)
    bins = mel(np.arange(257) * RATE / 512)
    triangles = [np.interp(bins, edges[k : k + 3], (0, 1, 0)) for k in range(64)]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.lib.stride_tricks.sliding_window_view(np.float64(audio), 400)[::160]
    magnitude = np.abs(np.fft.rfft(frames * window, 512))
    return np.log(magnitude @ np.array(triangles).T + 0.01)


def resampling_checks() -> list[Check]:
    """Sine sweeps at 32 kHz as the analyses hear them at 16 kHz.

    Up to 7.5 kHz the gain is that of the part in phase with the same sweep at 16 kHz, so
    that a delay shows too.
    """
    low, high, frame = 50.0, 7600.0, 160
    heard = clips.resample(_sweep(low, high, 2 * RATE), 2 * RATE, RATE)
    wanted = np.float64(_sweep(low, high, RATE))
    heard, wanted = heard.reshape(-1, frame), wanted.reshape(-1, frame)
    ends = np.linspace(low, high, len(wanted) + 1)[1:]
    # the first frames see the sweep's sudden start
    is_heard = (ends <= 7500) & (ends > 2 * low)
    gain = (heard * wanted).sum(1) / (wanted**2).sum(1)
    flat = _largest(_decibels(gain[is_heard]))
    # faded, as a sudden end is a click with all frequencies
    fade = np.hanning(2 * RATE // 5)
    above = _sweep(8500, 15_900, 2 * RATE)
    above[: len(fade) // 2] *= fade[: len(fade) // 2]
    above[-len(fade) // 2 :] *= fade[-len(fade) // 2 :]
    alias = clips.resample(above, 2 * RATE, RATE)
    return [
        at_most("resampling 32 to 16 kHz, dB off to 7.5 kHz", flat, 0.05),
        at_most(
            "resampling, dB of alias from 8.5 kHz up", _decibels(_largest(alias)), -80
        ),
    ]


def _sweep(low: float, high: float, rate: int) -> np.ndarray:
    """2 s of a sine of rising frequency, [N] float32."""
    time = np.arange(2 * rate) / rate
    turns = low * time + (high - low) * time**2 / 4
    return np.sin(2 * np.pi * turns).astype(np.float32)


def _decibels(gain):
    return 20 * np.log10(np.maximum(gain, 1e-12))


def vggish_checks() -> list[Check]:
    """The network at half its widths with random weights, on a patch of tones in noise."""
    params = vggish.random_params(0, HALF)
    time = np.arange(RATE) / RATE
    audio = np.sin(2 * np.pi * 300 * time * (1 + time))
    audio += 0.1 * _rng(1).standard_normal(RATE)
    patch = published_log_mel(audio)[:96].astype(np.float32)
    found = np.asarray(vggish.embed(params, patch[None]))[0]
    wrong = _largest(found - published_vggish(params, patch))
    return [at_most("VGGish, random weights, vs float64", wrong, 1e-4)]


def published_vggish(params: vggish.Params, patch: np.ndarray) -> np.ndarray:
    """The network of tensorflow/models vggish_slim.py: [96, 64] -> [128], no last ReLU."""

    def of(layer):
        return (np.float64(params[f"{layer}.{part}"]) for part in ("weight", "bias"))

    x = np.float64(patch)[:, :, None]
    for block in (
        ("conv1",),
        ("conv2",),
        ("conv3_1", "conv3_2"),
        ("conv4_1", "conv4_2"),
    ):
        for layer in block:
            weight, bias = of(layer)
            padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
            seen = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))
            columns = seen.transpose(0, 1, 3, 4, 2).reshape(-1, weight[..., 0].size)
            product = columns @ weight.reshape(-1, len(bias)) + bias
            x = np.maximum(product, 0).reshape(*x.shape[:2], len(bias))
        x = np.maximum.reduce([x[i::2, j::2] for i in (0, 1) for j in (0, 1)])
    x = x.ravel()
    for layer in ("fc1_1", "fc1_2", "fc2"):
        weight, bias = of(layer)
        x = x @ weight + bias
        if layer != "fc2":
            x = np.maximum(x, 0)
    return x


def smoke_test_checks(
    weights: vggish_weights.VerifiedWeights | vggish_weights.Unavailable,
) -> list[Check]:
    """VGGish's own weights against the numbers of its release; none without them."""
    if isinstance(weights, vggish_weights.Unavailable):
        return []
    expected, allowed = vggish_weights.EXPECTED, vggish_weights.TOLERANCE
    return [
        at_most(
            f"VGGish's weights, smoke test, {name}",
            abs(value - getattr(expected, name)),
            getattr(allowed, name),
        )
        for name, value in weights.statistics._asdict().items()
    ]


def _largest(errors: np.ndarray) -> float:
    """The largest magnitude; NaN if there is any."""
    return float(np.abs(errors).max())


def _rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))
