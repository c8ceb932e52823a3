"""Layering on a tiny model with random weights: what answers what, what stays."""

import dataclasses

import numpy as np
import pytest

from stemjax.api import Kept
from stemjax.config.categories import CATEGORIES
from stemjax.io.errors import UserError
from stemjax.session import layering, scoring
from stemjax.session.layering import Request, Scene
from stemjax.session.loudness import integrated_lufs

BASS, DRUMS = CATEGORIES.index("bass"), CATEGORIES.index("drums")


@pytest.fixture(scope="module")
def scene(random_model):
    time = np.arange(3 * random_model.sample_rate) / random_model.sample_rate
    context = 0.3 * np.sin(2 * np.pi * 220 * time) * (time % 0.5 < 0.2)
    return Scene(random_model, context.astype(np.float32), is_loop=False)


def asked(scene, category, **more):
    return Request(category=category, config=scene.model.decode, **{"seed": 0} | more)


def test_a_layer_is_the_models_answer_to_the_mix_so_far(scene):
    first = layering.add(scene, [], asked(scene, BASS))
    direct = scene.model.generate(
        scene.context, scene.model.sample_rate, instrument="bass", seed=0
    )
    np.testing.assert_array_equal(first.tokens, direct.tokens)
    np.testing.assert_allclose(
        first.stem, 10 ** (first.layer.gain_db / 20) * direct.stem, rtol=1e-5, atol=1e-7
    )
    second = layering.add(scene, [first], asked(scene, DRUMS, seed=5))
    mix = scene.context + first.stem
    direct = scene.model.generate(
        mix / max(1.0, np.abs(mix).max()),
        scene.model.sample_rate,
        instrument="drums",
        seed=5,
    )
    np.testing.assert_array_equal(second.tokens, direct.tokens)
    assert [v.layer.id for v in (first, second)] == [1, 2]
    assert second.layer.tokens == "layer_02.npz" and second.layer.instrument == "drums"


def test_stems_are_mixed_by_the_rule(scene):
    voice = layering.add(scene, [], asked(scene, BASS))
    rate = scene.model.sample_rate
    wanted = integrated_lufs(scene.context, rate) - 3
    heard = integrated_lufs(voice.stem, rate)
    limited = abs(voice.layer.gain_db) == 12.0
    assert limited or heard == pytest.approx(wanted, abs=0.05)


def test_the_best_of_variations_is_kept_and_a_number_is_obeyed(scene):
    three = asked(scene, BASS, variations=3)
    best = layering.add(scene, [], three)
    scores = best.layer.scores[scoring.SCORE]
    assert len(scores) == 3 and best.layer.kept_variation == 1 + int(np.argmax(scores))
    stems = {}
    for k in (1, 2, 3):
        voice = layering.add(scene, [], dataclasses.replace(three, keep=k))
        assert voice.layer.kept_variation == k and voice.layer.settings["keep"] == k
        stems[k] = voice.tokens
    np.testing.assert_array_equal(stems[best.layer.kept_variation], best.tokens)
    assert (stems[1] != stems[2]).any() and (stems[2] != stems[3]).any()
    alone = layering.add(scene, [], asked(scene, BASS))
    np.testing.assert_array_equal(alone.tokens, stems[1])


def test_replacing_a_layer_makes_the_later_ones_anew_as_they_were_asked_for(scene):
    voices = []
    for category, seed in ((BASS, 1), (DRUMS, 2), (BASS, 3)):
        voices.append(layering.add(scene, voices, asked(scene, category, seed=seed)))

    def replaced(voices, request):
        kept, requests = layering.remade(voices, 2, request)
        for one in requests:
            kept.append(layering.add(scene, kept, one))
        return kept

    new = replaced(voices, asked(scene, DRUMS, seed=9))
    np.testing.assert_array_equal(new[0].tokens, voices[0].tokens)
    assert (new[1].tokens != voices[1].tokens).any()
    assert (new[2].tokens != voices[2].tokens).any()  # another mix is answered
    assert [v.layer.seed for v in new] == [1, 9, 3]
    same = replaced(new, layering.request_of(voices[1].layer))
    for old, voice in zip(voices, same, strict=True):
        np.testing.assert_array_equal(old.tokens, voice.tokens)
        assert old.layer == voice.layer


def test_a_layer_remembers_what_was_asked_for(scene):
    request = asked(scene, DRUMS, seed=4, variations=2, keep=2, preset="fast")
    voice = layering.add(scene, [], request)
    assert layering.request_of(voice.layer) == request
    again = scene.voice(voice.layer, voice.tokens)
    np.testing.assert_array_equal(again.stem, voice.stem)
    for odd in (
        dataclasses.replace(voice.layer, instrument="kazoo"),
        dataclasses.replace(voice.layer, settings={}),
        dataclasses.replace(voice.layer, settings=voice.layer.settings | {"x": 1}),
    ):
        with pytest.raises(UserError, match="session.json: how layer 1 was made"):
            layering.request_of(odd)


def test_kept_codes_stay_in_the_api_and_have_the_contexts_length(scene):
    model, rate = scene.model, scene.model.sample_rate
    plain = model.generate(scene.context, rate, instrument="bass", seed=0)
    is_kept = np.zeros(plain.tokens.shape, bool)
    is_kept[:, ::2] = True
    kept = Kept(plain.tokens, is_kept)
    found = model.generate(
        scene.context, rate, instrument="bass", seed=1, variations=2, kept=kept
    )
    for result in found:
        np.testing.assert_array_equal(result.tokens[is_kept], plain.tokens[is_kept])
        np.testing.assert_array_equal(result.order == 0, is_kept)
    assert (found[0].tokens != found[1].tokens).any()
    short = Kept(plain.tokens[:, :-1], is_kept[:, :-1])
    with pytest.raises(UserError, match="kept codes have 149 frames, the context 150"):
        model.generate(scene.context, rate, instrument="bass", kept=short)


def test_silence_is_answered_too(scene):
    nothing = scene._replace(context=np.zeros_like(scene.context))
    voice = layering.add(nothing, [], asked(nothing, BASS))
    assert np.isfinite(voice.layer.gain_db) and voice.stem.any()


def test_the_score_prefers_answers_to_what_was_heard():
    """The listener of known gains copies its context: its copy gains, noise does not."""
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
    scores = scoring.score(Judge, 0, context, [noise, context])
    # without a context it knows nothing, log 8 nats; with it a copy costs nothing
    assert scores[1] == pytest.approx(np.log(8), abs=5e-3)
    assert scores[0] < 0 and scoring.best(scores) == 2
    assert scoring.best([0.5, 0.5]) == 1
