"""`stemjax.eval`: each public function on arrays whose answer is known."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import stemjax.eval
from stemjax.config.model import StemGenConfig, TransformerConfig
from stemjax.io.errors import UserError
from tests.models.oracle import LOUD, listener

RATE = 16_000


def clicks(bpm: float, seconds: int = 4, first: float = 0.2) -> np.ndarray:
    """Decaying noise bursts on the beats, [N] float32."""
    rng = np.random.default_rng(0)
    burst = rng.normal(size=800) * np.exp(-np.arange(800) / 100)
    audio = np.zeros(seconds * RATE + len(burst), np.float32)
    for time in np.arange(first, seconds, 60 / bpm):
        start = round(time * RATE)
        audio[start : start + len(burst)] += 0.3 * burst
    return audio[: seconds * RATE]


def chord(*pitches: int, seconds: int = 4) -> np.ndarray:
    """Notes with overtones, [N] float32."""
    time = np.arange(seconds * RATE) / RATE
    hertz = 440 * 2 ** ((np.array(pitches)[:, None] - 69) / 12)
    tones = sum(0.5**k * np.sin(2 * np.pi * k * hertz * time) for k in (1, 2, 3))
    return np.float32(0.2 * tones.sum(0) / len(pitches))


def test_the_module_lists_what_it_offers_and_is_light():
    code = (
        "import sys, stemjax.eval; print('jax' in sys.modules, 'scipy' in sys.modules)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == "False False"
    for name in stemjax.eval.__all__:
        assert "Args:" in getattr(stemjax.eval, name).__doc__


def test_frechet_distance_of_shifted_gaussians():
    x = np.random.default_rng(0).normal(size=(500, 4))
    shift = np.array([1.0, -2.0, 0.0, 0.5])
    values = stemjax.eval.frechet_distance(x, x + shift)
    assert values == pytest.approx(shift @ shift, rel=1e-9)
    # of 1-D Gaussians: (m1 - m2)^2 + (s1 - s2)^2
    y = np.array([[-1.0], [1.0]]), np.array([[2.0], [8.0]])
    spread = (np.sqrt(2) - np.sqrt(18)) ** 2
    assert stemjax.eval.frechet_distance(*y) == pytest.approx(25 + spread, rel=1e-9)


def test_frechet_inf_of_equal_and_of_shifted_distributions():
    rng = np.random.default_rng(1)
    real, same = rng.normal(size=(2, 60, 5, 3))
    shifted = same + np.array([2.0, 0, 0])
    equal = stemjax.eval.frechet_inf(list(real), list(same))
    assert abs(equal.value) < 3 * equal.se
    apart = stemjax.eval.frechet_inf(list(real), list(shifted))
    assert abs(apart.value - 4.0) < 3 * apart.se and apart.se < 0.5
    with pytest.raises(UserError, match="60 real clips, but 59 generated"):
        stemjax.eval.frechet_inf(list(real), list(same)[1:])


def test_kernel_distance_by_hand():
    """Two points each, sigma 1: 100 (e^-1/2 + e^-1/2 - 2 * mean of four kernels)."""
    x, y = np.array([[0.0], [1.0]]), np.array([[0.0], [1.0]])
    kernel = np.exp(-0.5)
    by_hand = 100 * (2 * kernel - 2 * (2 + 2 * kernel) / 4)
    assert stemjax.eval.kernel_distance(x, y) == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.slow
def test_mirdd_is_zero_for_equal_mixes_and_sees_another_key():
    real = [chord(60, 64, 67), chord(65, 69, 72), clicks(120)]
    assert stemjax.eval.mirdd(real, real).mirdd.estimate.value == 0
    moved = [chord(61, 65, 68), chord(66, 70, 73), clicks(120)]
    result = stemjax.eval.mirdd(real, moved)
    assert result.n == 3 and result.mirdd.estimate.value > 0
    assert result.by_descriptor["pitch_classes"].kl > 0.1
    assert result.by_descriptor["unique_pitch_classes"].kl == 0


@pytest.mark.slow
def test_beats_align_with_their_context_alone():
    silence = np.zeros(4 * RATE, np.float32)
    contexts = [clicks(120), clicks(100), clicks(120), silence]
    stems = [clicks(120), clicks(100, first=0.5), silence, clicks(120)]
    values = stemjax.eval.beat_alignment(contexts, stems, rate=RATE)
    assert values[0] > 0.9 and values[1] < 0.2 and values[2] == 0
    levels = stemjax.eval.beat_alignment(contexts, stems, rate=RATE, any_level=True)
    assert levels[1] > 0.8  # half a beat late is an off-beat
    assert np.isnan(values[3])
    grooves = stemjax.eval.groove(contexts, stems, rate=RATE)
    assert grooves[0] > 0.8 and grooves[1] > 0.8  # off the beat, yet it repeats
    assert grooves[2] == 0 and np.isnan(grooves[3])


def test_chroma_agrees_with_its_context_alone():
    contexts = [chord(60, 64, 67), chord(60, 64, 67), np.zeros(4 * RATE, np.float32)]
    stems = [chord(72, 76, 79), chord(66, 70, 73), chord(60)]
    values = stemjax.eval.chroma_cosine(contexts, stems, rate=RATE)
    assert values[0] > 0.9 and values[1] < 0.3 and np.isnan(values[2])


def test_adherence_is_one_for_real_stems_and_zero_for_those_of_others():
    rng = np.random.default_rng(2)
    songs = rng.uniform(0.1, 0.4, (60, 1))
    contexts, real = (songs * np.ones(100) for _ in range(2))

    def embed(mix):  # squares tell own from other stems
        return np.array([[mix[0], mix[0] ** 2]])

    apa = stemjax.eval.accompaniment_prompt_adherence
    itself = apa(contexts, real, real, embed)
    assert itself.estimate.value == 1 and itself.generated_real == pytest.approx(0)
    partners = _derangement_of(60)
    other = apa(contexts, real, real[partners], embed)
    assert other.estimate.value == pytest.approx(0, abs=1e-12)
    assert other.generated_mispaired == pytest.approx(0)


def _derangement_of(count):
    from stemjax.eval.metrics.apa import derangement

    return derangement([f"{k:08d}" for k in range(count)], seed=0)


def test_context_gain_of_a_model_that_copies_its_context():
    """A wrong code costs 4 x LOUD; a random one is wrong 7 times in 8."""
    hop, frames, levels = 100, 12, 8
    cfg = StemGenConfig(
        num_codebooks=2,
        codebook_size=levels,
        transformer=TransformerConfig(width=32, layers=1, heads=2, mlp_hidden=16),
    )

    class Codec:
        config = SimpleNamespace(hop=hop)

        def encode(self, audio):
            mean = np.asarray(audio).reshape(len(audio), -1, hop).mean(axis=-1)
            return np.repeat(np.round(mean * 10).astype(np.int32)[:, None], 2, axis=1)

    model = SimpleNamespace(
        params=listener(cfg), config=cfg, codec=Codec(), trained_frames=frames
    )
    codes = np.random.default_rng(3).integers(0, levels, (8, frames))
    clips = np.repeat(codes / 10, hop, axis=1).astype(np.float32)
    others = np.roll(clips, 1, axis=0)
    values = stemjax.eval.context_gain(model, clips, others, clips, ["bass"] * 8)
    wrong = (codes != np.roll(codes, 1, axis=0)).mean(axis=1)
    assert values.shape == (8,)
    np.testing.assert_allclose(values, 4 * LOUD * wrong, rtol=0.05)
    stems = stemjax.eval.context_gain(model, clips, clips, others, ["bass"] * 8)
    np.testing.assert_array_equal(stems, 0)
