"""The page's work without the page, on a tiny random model."""

import io
import json
import threading
import zipfile

import numpy as np
import pytest
import soundfile

from stemjax.demo import desk as desks
from stemjax.demo.desk import Asked, Cancelled, Studio
from stemjax.io.errors import UserError
from stemjax.session import hearing
from stemjax.session.folder import Recording

ASKED = Asked("bass", 3.0, 3.0, 0.1, False, 2, 0)


@pytest.fixture(scope="module")
def studio(random_model):
    return Studio(random_model)


@pytest.fixture(scope="module")
def desk(studio):
    time = np.arange(88_200) / 44_100
    left = 0.3 * np.sin(2 * np.pi * 220 * time) * np.exp(-8 * (time % 0.5))
    audio = np.stack([left, 0.5 * left], axis=1).astype(np.float32)
    recording = Recording("loop.wav", "0" * 64, audio, 44_100)
    return studio.open(recording, bpm=120.0, is_loop=False)


def quiet(done, steps):
    pass


def answered(studio, desk, asked=ASKED):
    return studio.answer(desk, asked, who="me", progress=quiet)


def test_variations_are_offered_one_is_kept_and_the_next_hears_it(studio, desk):
    reports = []
    one = studio.answer(desk, ASKED, who="me", progress=lambda *r: reports.append(r))
    assert reports[-1][0] == reports[-1][1] == 12  # 8 and 4 steps of two levels
    assert len(one.candidates) == 2 and not one.voices and one.tracks() == ["context"]
    kept = desks.keep(one, 2)
    assert kept.tracks() == ["context", "1 bass"] and not kept.candidates
    np.testing.assert_array_equal(kept.voices[0].tokens, one.candidates[1].tokens)
    assert kept.voices[0].layer.kept_variation == 2
    two = desks.keep(answered(studio, kept, ASKED._replace(instrument="drums")), 1)
    alone = desks.keep(answered(studio, desk, ASKED._replace(instrument="drums")), 1)
    assert (two.voices[1].tokens != alone.voices[0].tokens).any()
    assert desks.without_last(two).tracks() == ["context", "1 bass"]
    with pytest.raises(UserError, match="no such variation"):
        desks.keep(kept, 1)


def test_what_sounds_is_what_is_not_muted(studio, desk):
    kept = desks.keep(answered(studio, desk), 1)
    names = kept.tracks()
    context, stem = kept.context, kept.voices[0].stem
    np.testing.assert_array_equal(studio.heard(kept, ["1 bass"]), stem)
    np.testing.assert_array_equal(studio.heard(kept, ["context"]), context)
    both = context + stem
    np.testing.assert_allclose(
        studio.heard(kept, names), both / max(1.0, np.abs(both).max()), atol=1e-7
    )
    assert not studio.heard(kept, []).any()
    assert desks.audible(names, [], ["context"]) == ["1 bass"]
    assert desks.audible(names, ["context"], []) == ["context"]
    assert desks.audible(names, ["context"], ["context"]) == []
    assert desks.audible(names, [], []) == names


def test_a_zip_holds_tracks_that_sum_to_the_mix_and_no_other_names(studio, desk):
    kept = desks.keep(answered(studio, desk), 1)
    packed = studio.pack(kept)
    assert packed == studio.pack(kept)
    archive = zipfile.ZipFile(io.BytesIO(packed))
    assert sorted(archive.namelist()) == [
        "context.wav",
        "layer_01.npz",
        "layer_01.wav",
        "mix.wav",
        "session.json",
        "session.png",
    ]
    tracks = {
        name: soundfile.read(io.BytesIO(archive.read(name)), dtype="float32")
        for name in ("context.wav", "layer_01.wav", "mix.wav")
    }
    assert all(rate == 44_100 and len(a) == 88_200 for a, rate in tracks.values())
    total = tracks["context.wav"][0] + tracks["layer_01.wav"][0]
    np.testing.assert_allclose(total, tracks["mix.wav"][0], atol=1e-6)
    session = json.loads(archive.read("session.json"))
    assert session["layers"][0]["instrument"] == "bass"
    assert session["context"]["file"] == "loop.wav"


def test_cancel_stops_at_the_next_step_and_leaves_the_desk(studio, desk):
    begun, seen = threading.Event(), []

    def progress(done, steps):
        seen.append(done)
        begun.set()

    assert not studio.stop("me")  # nothing to stop
    slow = ASKED._replace(variations=1, is_refined=True)
    errors = []

    def run():
        try:
            studio.answer(desk, slow, who="me", progress=progress)
        except Cancelled as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    studio.stops.clear()
    thread.start()
    assert begun.wait(120)
    studio.stop("me")
    thread.join(120)
    assert not thread.is_alive() and not studio.stops
    # the release's own setting has 6 steps in two programs: the second report stops it
    assert len(errors) == 1 and len(seen) == 1
    assert len(answered(studio, desk).candidates) == 2  # and the studio goes on


def test_who_waits_for_a_turn_can_cancel_too(studio, desk):
    seen = []
    studio.expect("me")  # in the queue
    assert studio.stop("me")
    with pytest.raises(Cancelled):
        studio.answer(desk, ASKED, who="me", progress=lambda *r: seen.append(r))
    assert not seen and not studio.stops
    studio.expect("me")
    with pytest.raises(UserError):
        answered(studio, desk, ASKED._replace(seed=None))
    assert not studio.stops  # nothing is left that a later cancel could set
    assert len(answered(studio, desk).candidates) == 2


def test_limits_and_bad_asks_are_told(studio, desk):
    for asked, word in (
        (ASKED._replace(instrument="kazoo"), "unknown instrument"),
        (ASKED._replace(variations=9), "1 to 3 variations"),
        (ASKED._replace(seed=None), "Seed: give a whole number"),
        (ASKED._replace(seed=-1), "Seed: give a whole number"),
    ):
        with pytest.raises(UserError, match=word):
            answered(studio, desk, asked)
    kept = desks.keep(answered(studio, desk), 1)
    full = kept._replace(voices=kept.voices * desks.MOST_LAYERS)
    with pytest.raises(UserError, match="8 layers at most"):
        answered(studio, full)


def test_the_expected_time_follows_what_was_measured(studio, desk, monkeypatch):
    monkeypatch.setattr("stemjax.session.timing._products_per_second", lambda: 1e9)
    monkeypatch.setattr(studio, "speed", None)
    plain = studio.expected_seconds(desk, ASKED)
    half = studio.expected_seconds(desk, ASKED._replace(variations=1))
    assert half == pytest.approx(plain / 2)
    monkeypatch.setattr(studio, "speed", 3.0)
    assert studio.expected_seconds(desk, ASKED) == pytest.approx(3 * plain)
    answered(studio, desk)
    assert studio.speed != 3.0  # what this one took counts for the next


def test_silence_and_the_codec_alone(studio, desk):
    nothing = studio.open(
        hearing.silence(1.5, studio.model.sample_rate), bpm=None, is_loop=False
    )
    assert nothing.music.bpm is None and not nothing.context.any()
    assert len(answered(studio, nothing).candidates) == 2
    heard = studio.round_trip(desk)
    assert heard.shape == desk.context.shape and np.isfinite(heard).all()
    samples = desks.playable(np.array([0.0, 1.5, -2.0, 0.5]), 32_000, 32_000)
    assert samples.tolist() == [0, 32767, -32767, 16384]
