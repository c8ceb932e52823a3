"""Layering on a tiny model with random weights."""

import dataclasses

import numpy as np
import pytest

from stemjax.analysis.loudness import integrated_lufs
from stemjax.config.categories import CATEGORIES
from stemjax.session import layering, scoring
from stemjax.session.layering import LayerRequest
from stemjax.session.music import MusicInfo
from stemjax.session.session import Recording, Session

BASS, DRUMS = CATEGORIES.index("bass"), CATEGORIES.index("drums")


@pytest.fixture(scope="module")
def session(random_model):
    rate = random_model.sample_rate
    time = np.arange(3 * rate) / rate
    context = 0.3 * np.sin(2 * np.pi * 220 * time) * (time % 0.5 < 0.2)
    context = context.astype(np.float32)
    recording = Recording("loop.wav", "0" * 64, context[:, None], rate)
    return Session(recording, context, MusicInfo())


def request_for(model, category, **more):
    return LayerRequest(category=category, config=model.decode, **{"seed": 0} | more)


def test_a_layer_is_generated_for_the_mix_so_far(random_model, session):
    model, rate = random_model, random_model.sample_rate
    first = layering.add_layer(model, session, [], request_for(model, BASS))
    direct = model.generate(session.context, rate, instrument="bass", seed=0)
    np.testing.assert_array_equal(first.tokens, direct.tokens)
    np.testing.assert_allclose(
        first.audio,
        10 ** (first.layer.gain_db / 20) * direct.stem,
        rtol=1e-5,
        atol=1e-7,
    )
    request = request_for(model, DRUMS, seed=5)
    second = layering.add_layer(model, session, [first], request)
    mix = session.context + first.audio
    direct = model.generate(
        mix / max(1.0, np.abs(mix).max()), rate, instrument="drums", seed=5
    )
    np.testing.assert_array_equal(second.tokens, direct.tokens)
    assert [stem.layer.id for stem in (first, second)] == [1, 2]
    assert second.layer.tokens == "layer_02.npz" and second.layer.instrument == "drums"


def test_stems_are_mixed_by_the_loudness_rule(random_model, session):
    stem = layering.add_layer(
        random_model, session, [], request_for(random_model, BASS)
    )
    rate = random_model.sample_rate
    expected = integrated_lufs(session.context, rate) - 3
    loudness = integrated_lufs(stem.audio, rate)
    is_limited = abs(stem.layer.gain_db) == 12.0
    assert is_limited or loudness == pytest.approx(expected, abs=0.05)


@pytest.mark.slow
def test_the_best_variation_or_a_given_one_is_kept(random_model, session):
    def add(request):
        return layering.add_layer(random_model, session, [], request)

    three = request_for(random_model, BASS, variations=3)
    best = add(three)
    scores = best.layer.scores[scoring.SCORE]
    assert len(scores) == 3 and best.layer.kept_variation == 1 + int(np.argmax(scores))
    tokens = {}
    for k in (1, 2, 3):
        stem = add(dataclasses.replace(three, keep=k))
        assert stem.layer.kept_variation == k and stem.layer.settings.keep == k
        tokens[k] = stem.tokens
    np.testing.assert_array_equal(tokens[best.layer.kept_variation], best.tokens)
    assert (tokens[1] != tokens[2]).any() and (tokens[2] != tokens[3]).any()
    np.testing.assert_array_equal(
        add(request_for(random_model, BASS)).tokens, tokens[1]
    )


@pytest.mark.slow
def test_replacing_a_layer_generates_later_layers_again(random_model, session):
    def add(stems, request):
        stems.append(layering.add_layer(random_model, session, stems, request))

    stems = []
    for category, seed in ((BASS, 1), (DRUMS, 2), (BASS, 3)):
        add(stems, request_for(random_model, category, seed=seed))

    def replaced(stems, request):
        kept, requests = layering.plan_replacement(stems, 2, request)
        for one in requests:
            add(kept, one)
        return kept

    new = replaced(stems, request_for(random_model, DRUMS, seed=9))
    np.testing.assert_array_equal(new[0].tokens, stems[0].tokens)
    assert (new[1].tokens != stems[1].tokens).any()
    assert (new[2].tokens != stems[2].tokens).any()  # its mix is another one
    assert [stem.layer.seed for stem in new] == [1, 9, 3]
    same = replaced(new, layering.request_of(stems[1].layer))
    for old, stem in zip(stems, same, strict=True):
        np.testing.assert_array_equal(old.tokens, stem.tokens)
        assert old.layer == stem.layer


def test_a_layer_stores_its_request(random_model, session):
    request = request_for(
        random_model, DRUMS, seed=4, variations=2, keep=2, preset="fast"
    )
    stem = layering.add_layer(random_model, session, [], request)
    assert layering.request_of(stem.layer) == request
    again = layering.decode_layer(random_model, session, stem.layer, stem.tokens)
    np.testing.assert_array_equal(again.audio, stem.audio)


def test_a_silent_context_gets_a_stem(random_model, session):
    silent = session._replace(context=np.zeros_like(session.context))
    stem = layering.add_layer(random_model, silent, [], request_for(random_model, BASS))
    assert np.isfinite(stem.layer.gain_db) and stem.audio.any()


def test_the_score_prefers_stems_that_depend_on_the_context():
    """The oracle copies its context: a copy has a high gain, noise has none."""
    from stemjax.config.model import StemGenConfig, TransformerConfig
    from tests.models.oracle import listener

    cfg = StemGenConfig(
        num_codebooks=2,
        codebook_size=8,
        transformer=TransformerConfig(width=32, layers=1, heads=2, mlp_hidden=16),
    )

    class Judge:
        sha256, codec, config, trained_frames = "", None, cfg, 10
        params = listener(cfg)

    rng = np.random.default_rng(0)
    context, noise = rng.integers(0, 8, (2, 2, 25))
    scores = scoring.context_gains(Judge, 0, context, [noise, context])
    # without a context the loss is log 8 nats; with it a copy has none
    assert scores[1] == pytest.approx(np.log(8), abs=5e-3)
    assert scores[0] < 0 and scoring.best(scores) == 2
    assert scoring.best([0.5, 0.5]) == 1
