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


def test_importing_the_api_does_not_import_orbax():
    code = "import sys, stemjax.api; sys.exit('orbax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
