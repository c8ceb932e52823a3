"""Joint generation from Python and by `sample.py --joint-seconds`, on random weights."""

import dataclasses
import json

import jax
import numpy as np
import pytest
import soundfile

import stemjax
from stemjax.api import Kept, generate_joint
from stemjax.config.model import StemGenConfig
from stemjax.config.plain_values import from_json
from stemjax.io.errors import UserError
from stemjax.io.release import CONFIG, write_release
from stemjax.io.weights import flatten
from stemjax.models import stemgen
from tests.entry.random_release import refused, sample_here, write_random_release

pytestmark = [pytest.mark.entry, pytest.mark.slow]
RATE = 32_000


@pytest.fixture(scope="module")
def joint_release(tmp_path_factory):
    """A release of a joint model that learned with prefixes; crops of 2 s."""
    folder = write_random_release(tmp_path_factory.mktemp("joint"))
    config = json.loads((folder / CONFIG).read_text())
    config["model"]["joint"] = config["keeps_prefix"] = True
    model = from_json(StemGenConfig, config["model"])
    params = stemgen.init(jax.random.key(0), model)
    for heads in ("heads", "context_heads"):
        params[heads]["kernel"] *= 20
    flat = {name: np.asarray(value) for name, value in flatten(params).items()}
    write_release(folder, config, flat, "# A random joint model\n")
    return folder


@pytest.fixture(scope="module")
def model(joint_release):
    return stemjax.load(joint_release)


def test_both_streams_are_generated_alone_and_around_given_codes(model):
    both = generate_joint(model, 2.5, instrument="bass", variations=2)
    assert [result.settings["variation"] for result in both] == [0, 1]
    for result in both:
        assert result.stem.shape == result.context.shape == (2.5 * RATE,)
        assert result.tokens.shape == result.context_tokens.shape == (2, 125)
        assert (result.order > 0).all()
        assert (result.tokens != result.context_tokens).any()
    assert (both[0].context_tokens != both[1].context_tokens).any()
    (alone,) = generate_joint(model, 2.5, instrument="bass")
    np.testing.assert_array_equal(alone.tokens, both[0].tokens)
    np.testing.assert_array_equal(alone.context, both[0].context)
    is_kept = np.random.default_rng(0).random((2, 2, 125)) < 0.4
    (around,) = generate_joint(
        model,
        2.5,
        instrument="bass",
        seed=9,
        context=Kept(alone.context_tokens, is_kept[0]),
        stem=Kept(alone.tokens, is_kept[1]),
    )
    for new, old, kept in zip(
        (around.context_tokens, around.tokens),
        (alone.context_tokens, alone.tokens),
        is_kept,
        strict=True,
    ):
        np.testing.assert_array_equal(new[kept], old[kept])
        assert (new[~kept] != old[~kept]).any()
    # a stem for a given context is generated as by any model
    given = model.generate(alone.context, RATE, instrument="bass")
    assert given.tokens.shape == (2, 125)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seconds": float("nan")}, "give a number from 1 to 3600"),
        ({"seconds": 0.5}, "give a number from 1 to 3600"),
        ({"seconds": 1e9}, "give a number from 1 to 3600"),
        ({"instrument": "kazoo"}, "unknown instrument 'kazoo'"),
        ({"variations": 0}, "variations 0: give a whole number"),
        ({"preset": "loudest"}, "unknown preset"),
        (
            {"stem": Kept(np.zeros((2, 9), int), np.zeros((2, 9), bool))},
            r"kept codes of the stem are \(2, 9\), 2 s are \(2, 100\)",
        ),
    ],
)
def test_bad_settings_are_one_line_errors(model, change, message):
    with pytest.raises(UserError, match=message):
        generate_joint(model, **{"seconds": 2.0, "instrument": "bass"} | change)


def test_a_conditional_model_has_no_joint_generation(random_model):
    with pytest.raises(UserError, match="random-tiny: no joint model"):
        generate_joint(random_model, 2.0, instrument="bass")


def test_a_kept_prefix_is_seen_whole_by_a_model_that_learned_so(model, random_model):
    assert model.keeps_prefix and not random_model.keeps_prefix
    context = np.sin(np.arange(2 * RATE) / 20).astype(np.float32)
    hidden = dataclasses.replace(model, keeps_prefix=False)
    first = model.generate(context, RATE, instrument="bass")
    np.testing.assert_array_equal(
        first.tokens, hidden.generate(context, RATE, instrument="bass").tokens
    )
    is_kept = np.zeros(first.tokens.shape, bool)
    is_kept[:, :60] = True

    def coarse(model, finer):
        codes = first.tokens.copy()
        codes[1] = (codes[1] + finer) % 16
        result = model.generate(
            context, RATE, instrument="bass", kept=Kept(codes, is_kept)
        )
        return result.tokens[0]

    assert (coarse(model, 0) != coarse(model, 1)).any()
    np.testing.assert_array_equal(coarse(hidden, 0), coarse(hidden, 1))


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def test_the_command_writes_context_and_stem(joint_release, tmp_path):
    out = tmp_path / "pair"
    args = ("--checkpoint", joint_release, "--joint-seconds", 2, "--out", out)
    done = sample_here(*args, "--variations", 2)
    assert done.returncode == 0, done.stderr
    report = json.loads((out / "sample.json").read_text())
    assert report["joint_seconds"] == 2 and report["given_seconds"] == 0
    assert report["context"]["file"] is None and report["samples"] == 2 * RATE
    for entry in report["variations"]:
        context, stem, mix = (
            read(out / entry[name]) for name in ("context_track", "stem", "mix")
        )
        assert len(context) == len(stem) == 2 * RATE
        np.testing.assert_allclose(mix, entry["gain"] * (context + stem), atol=1e-6)
        with np.load(out / entry["context_tokens"]) as file:
            assert file["tokens"].shape == (2, 100)
        assert (out / entry["picture"]).read_bytes()[:4] == b"\x89PNG"


def test_a_recording_is_the_beginning_of_the_context(joint_release, tmp_path):
    recording = 0.3 * np.sin(np.arange(40_000) / 20).astype(np.float32)  # 62.5 frames
    path, out = tmp_path / "begin.wav", tmp_path / "out"
    soundfile.write(path, recording, RATE, subtype="FLOAT")
    common = ("--checkpoint", joint_release, "--context", path)
    done = sample_here(*common, "--joint-seconds", 2, "--out", out)
    assert done.returncode == 0, done.stderr
    report = json.loads((out / "sample.json").read_text())
    assert report["context"]["file"] == "begin.wav" and report["given_seconds"] == 1.24
    context = read(out / "context.wav")[:, 0]
    given = 62 * 640 - 640  # the crossfade of 20 ms lies in given frames
    np.testing.assert_allclose(context[:given], recording[:given], atol=1e-6)
    assert len(context) == 2 * RATE and np.abs(context[62 * 640 :]).max() > 0
    longer = refused(*common, "--joint-seconds", 1.1, out=tmp_path / "no")
    assert "begin.wav is 1.25 s; give more" in longer
    assert "--loop" in refused(
        *common, "--joint-seconds", 2, "--loop", out=tmp_path / "no"
    )


def test_a_conditional_checkpoint_is_refused(release, tmp_path):
    line = refused("--checkpoint", release, "--joint-seconds", 2, out=tmp_path / "no")
    assert "random-tiny: no joint model, it needs a context" in line
