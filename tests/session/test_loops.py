"""Loops: whole bars by hand, a circle without a seam."""

import types

import jax
import numpy as np
import pytest

from stemjax.config.presets import CODEC_TINY
from stemjax.io.errors import UserError
from stemjax.session import loops

RATE = 32_000
CFG = CODEC_TINY.model


def bars(seconds, bpm, beats=None):
    return loops.whole_bars(round(seconds * RATE), RATE, bpm, beats, "loop.wav")


def test_whole_bars_by_hand():
    assert bars(8.0, 120.0) == (4, 256_000, 120.0, 4)
    # 8.02 s at 120 are 4.01 bars: the whole recording, a little slower
    near = bars(8.02, 120.0)
    assert near[:2] == (4, 256_640) and near.bpm == pytest.approx(16 * 60 / 8.02)
    # 4.5 bars: cut to 4
    assert bars(9.0, 120.0) == (4, 256_000, 120.0, 4)
    assert bars(9.0, 120.0, 3) == (6, 288_000, 120.0, 3)
    # a hundredth of a bar short of 4 is 4, not 3
    assert bars(7.98, 120.0).bars == 4
    with pytest.raises(
        UserError, match="loop.wav: 1.50 s is shorter than a bar of 2.00"
    ):
        bars(1.5, 120.0)
    with pytest.raises(UserError, match="no beat was found; give the tempo with --bpm"):
        bars(8.0, None)


def ring_codec(frames, cycles=7):
    """A codec whose frame number is its code; it plays a sine that closes after
    `frames` frames."""

    def decode(codes):
        number = codes[:, 0]  # [1, T]
        sample = number[..., None] * CFG.hop + np.arange(CFG.hop)
        return np.sin(2 * np.pi * cycles * sample / (frames * CFG.hop)).reshape(1, -1)

    return types.SimpleNamespace(config=CFG, decode=decode)


def test_a_circle_of_whole_frames_is_decoded_without_a_fade_error():
    frames = 120
    codes = np.tile(np.arange(frames), (2, 1))
    out = loops.decode_loop(ring_codec(frames), codes, frames * CFG.hop)
    expected = np.sin(2 * np.pi * 7 * np.arange(frames * CFG.hop) / (frames * CFG.hop))
    np.testing.assert_allclose(out, expected, atol=1e-6)


@pytest.mark.parametrize("missing", [1, 200, CFG.hop - 1])
def test_a_circle_that_ends_within_a_frame_has_no_step_at_its_seam(missing):
    """The largest step is that of the sine and of the fade: 2 / fade a sample."""
    frames = 120
    codes = np.tile(np.arange(frames), (2, 1))
    samples = frames * CFG.hop - missing
    out = loops.decode_loop(ring_codec(frames), codes, samples)
    assert len(out) == samples
    sine = 2 * np.pi * 7 / (frames * CFG.hop)
    fade = round(loops.FADE_SECONDS * CFG.sample_rate)
    steps = np.abs(np.diff(np.concatenate([out, out[:2]])))
    assert steps.max() <= sine + 2 / fade
    # a plain cut jumps, because the phases of its ends differ
    plain = np.sin(sine * np.arange(samples))
    jump = abs(plain[0] - plain[-1])
    assert jump == pytest.approx(np.sin(sine * (missing + 1)), abs=1e-6)


def test_the_context_is_encoded_as_a_circle(random_model):
    """Codes of a turned loop are the loop's codes turned."""
    rng = np.random.default_rng(0)
    loop = rng.normal(size=100 * CFG.hop).astype(np.float32) * 0.1
    codes = loops.encode_loop(random_model, loop)
    assert codes.shape == (CFG.num_codebooks, 100)
    turned = loops.encode_loop(random_model, np.roll(loop, -30 * CFG.hop))
    agree = (turned == np.roll(codes, -30, axis=1)).mean()
    # the codec's LSTM depends on more than the 2 s before the loop
    assert agree > 0.95
    plain = random_model.encode_audio(loop[None])[0]
    assert (plain[:, 3:-3] == codes[:, 3:-3]).mean() > 0.9


def test_only_the_seam_is_decoded_twice(random_model):
    frames, context = 90, np.random.default_rng(1).integers(0, 512, (2, 90))
    keys = jax.vmap(jax.random.key)(np.arange(2))
    reports = []

    def run(**more):
        return loops.generate_loop_tokens(
            random_model,
            np.repeat(context[None], 2, axis=0),
            np.full(2, 4, np.int32),
            keys,
            random_model.decode,
            num_samples=frames * CFG.hop,
            **more,
        )

    loop = run(progress=lambda *report: reports.append(report))
    first = random_model.generate_tokens(
        np.repeat(context[None], 2, axis=0),
        np.full(2, 4, np.int32),
        keys,
        random_model.decode,
        num_samples=frames * CFG.hop,
    )
    seam = 22  # a quarter of 90 frames, less than half a second's 25
    np.testing.assert_array_equal(
        loop.codes[..., seam:-seam], np.asarray(first.codes)[..., seam:-seam]
    )
    ends = np.r_[:seam, frames - seam : frames]
    assert (loop.codes[..., ends] != np.asarray(first.codes)[..., ends]).mean() > 0.5
    assert (loop.order >= 1).all()
    assert [r[0] for r in reports] == sorted(r[0] for r in reports)
    assert reports[-1] == (18, 18) and len({r[1] for r in reports}) == 1
    np.testing.assert_array_equal(run().codes, loop.codes)
