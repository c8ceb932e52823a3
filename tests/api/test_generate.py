"""`Model.generate` on a tiny model with random weights."""

import subprocess
import sys

import numpy as np
import pytest

from stemjax.api import Kept
from stemjax.io.errors import UserError
from stemjax.session import loops


@pytest.fixture(scope="module")
def context(random_model):
    time = np.arange(3 * random_model.sample_rate) / random_model.sample_rate
    audio = 0.3 * np.sin(2 * np.pi * 220 * time) * (time % 0.5 < 0.2)
    return audio.astype(np.float32)


@pytest.mark.slow
def test_kept_codes_stay_and_have_the_length_of_the_context(random_model, context):
    model, rate = random_model, random_model.sample_rate
    first = model.generate(context, rate, instrument="bass", seed=0)
    is_kept = np.zeros(first.tokens.shape, bool)
    is_kept[:, ::2] = True
    kept = Kept(first.tokens, is_kept)
    results = model.generate(
        context, rate, instrument="bass", seed=1, variations=2, kept=kept
    )
    for result in results:
        np.testing.assert_array_equal(result.tokens[is_kept], first.tokens[is_kept])
        np.testing.assert_array_equal(result.order == 0, is_kept)
    assert (results[0].tokens != results[1].tokens).any()
    short = Kept(first.tokens[:, :-1], is_kept[:, :-1])
    with pytest.raises(UserError, match="kept codes have 149 frames, the context 150"):
        model.generate(context, rate, instrument="bass", kept=short)


@pytest.mark.slow
def test_a_loop_is_decoded_twice_at_its_seam_and_as_a_circle(random_model, context):
    model, rate = random_model, random_model.sample_rate
    loop = model.generate(context, rate, instrument="bass", seed=3, loop=True)
    assert loop.stem.shape == loop.context.shape == context.shape
    codes = loops.encode_loop(model, loop.context)
    np.testing.assert_array_equal(loop.context_tokens, codes)
    np.testing.assert_array_equal(
        loop.stem, loops.decode_loop(model.codec, loop.tokens, len(context))
    )
    with pytest.raises(UserError, match="decoded in two passes"):
        kept = Kept(loop.tokens, np.ones(loop.tokens.shape, bool))
        model.generate(context, rate, instrument="bass", kept=kept, loop=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"preset": "loudest"}, "unknown preset 'loudest': best, naive"),
        ({"speed": 2}, "unknown setting 'speed'"),
        ({"scales": (1.0,)}, "2 guidance sources"),
        ({"temperature": 0.0}, "temperature"),
        ({"variations": 0}, "variations 0: give a whole number"),
        ({"instrument": "kazoo"}, "unknown instrument 'kazoo'"),
    ],
)
def test_bad_settings_are_one_line_errors(random_model, context, settings, message):
    arguments = {"instrument": "bass"} | settings
    with pytest.raises(UserError, match=message):
        random_model.generate(context, random_model.sample_rate, **arguments)


@pytest.mark.parametrize("kind", ["int16", "int32", "float64", "float16", "uint8"])
def test_a_context_is_heard_alike_in_every_type(random_model, context, kind):
    rate = random_model.sample_rate
    heard = random_model.prepare_context(context, rate)
    samples = {
        "int16": np.rint(context * 2**15),
        "int32": np.rint(context.astype(np.float64) * 2**31),
        "uint8": np.rint(context * 2**7) + 128,
    }.get(kind, context)
    other = random_model.prepare_context(samples.astype(kind), rate)
    steps = {"int16": 2**-16, "uint8": 2**-8, "float16": 2**-12}
    np.testing.assert_allclose(other, heard, atol=steps.get(kind, 1e-7))
    codes = random_model.encode_audio(samples.astype(kind)[None])
    near = (codes == random_model.encode_audio(context[None])).mean()
    assert near > (0.9 if kind != "uint8" else 0)


@pytest.mark.parametrize(
    ("audio", "rate", "message"),
    [
        (np.zeros(64_000, np.int64), 32_000, "context: samples of type int64"),
        (np.zeros(64_000, bool), 32_000, "context: samples of type bool"),
        (np.full((64_000, 2), 3e38, np.float32), 32_000, "context: peaks at 3e.38"),
        (np.full(64_000, 1e30), 32_000, "context: peaks at 1e.30"),
        (np.full(64_000, 0.1), 1, "context: sample rate 1 Hz"),
        (np.full(64_000, 1e-30), 32_000, r"context: silent \(-inf dB"),
    ],
)
def test_audio_out_of_bounds_is_refused(random_model, audio, rate, message):
    with pytest.raises(UserError, match=message):
        random_model.generate(audio, rate, instrument="bass")
    assert not random_model.prepare_context(
        np.full(64_000, 1e-30), 32_000, allow_silent=True
    ).any()


def test_importing_the_api_does_not_import_orbax():
    code = "import sys, stemjax.api; sys.exit('orbax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
