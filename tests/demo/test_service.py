"""Functions of the page without the page, on a tiny model with random weights."""

import io
import json
import threading
import zipfile

import numpy as np
import pytest
import soundfile

from stemjax.demo.service import MAX_LAYERS, Cancelled, GenerationForm, StemService
from stemjax.demo.workspace import (
    audible_tracks,
    keep_candidate,
    remove_last_layer,
    to_int16,
)
from stemjax.io.errors import UserError
from stemjax.session.session import Recording, silent_recording

FORM = GenerationForm("bass", 3.0, 3.0, 0.1, False, 2, 0)


@pytest.fixture(scope="module")
def service(random_model):
    return StemService(random_model)


@pytest.fixture(scope="module")
def workspace(service):
    time = np.arange(88_200) / 44_100
    left = 0.3 * np.sin(2 * np.pi * 220 * time) * np.exp(-8 * (time % 0.5))
    audio = np.stack([left, 0.5 * left], axis=1).astype(np.float32)
    recording = Recording("loop.wav", "0" * 64, audio, 44_100)
    return service.open(recording, bpm=120.0, is_loop=False)


def quiet(done, steps):
    pass


def generated(service, workspace, form=FORM):
    return service.generate(workspace, form, user="me", progress=quiet)


def test_a_kept_variation_is_context_of_the_next_layer(service, workspace):
    reports = []
    one = service.generate(
        workspace, FORM, user="me", progress=lambda *r: reports.append(r)
    )
    assert reports[-1][0] == reports[-1][1] == 12  # 8 and 4 steps of two levels
    assert (
        len(one.candidates) == 2 and not one.stems and list(one.tracks()) == ["context"]
    )
    kept = keep_candidate(one, 2)
    assert list(kept.tracks()) == ["context", "1 bass"] and not kept.candidates
    np.testing.assert_array_equal(kept.stems[0].tokens, one.candidates[1].tokens)
    assert kept.stems[0].layer.kept_variation == 2
    two = keep_candidate(generated(service, kept, FORM._replace(instrument="drums")), 1)
    alone = keep_candidate(
        generated(service, workspace, FORM._replace(instrument="drums")), 1
    )
    assert (two.stems[1].tokens != alone.stems[0].tokens).any()
    assert list(remove_last_layer(two).tracks()) == ["context", "1 bass"]
    with pytest.raises(UserError, match="no such variation"):
        keep_candidate(kept, 1)


def test_the_mix_is_the_sum_of_the_audible_tracks(service, workspace):
    kept = keep_candidate(generated(service, workspace), 1)
    names = list(kept.tracks())
    context, stem = kept.session.context, kept.stems[0].audio
    np.testing.assert_array_equal(service.mix(kept, ["1 bass"]), stem)
    np.testing.assert_array_equal(service.mix(kept, ["context"]), context)
    both = context + stem
    np.testing.assert_allclose(
        service.mix(kept, names), both / max(1.0, np.abs(both).max()), atol=1e-7
    )
    assert not service.mix(kept, []).any()
    assert audible_tracks(names, [], ["context"]) == ["1 bass"]
    assert audible_tracks(names, ["context"], []) == ["context"]
    assert audible_tracks(names, ["context"], ["context"]) == []
    assert audible_tracks(names, [], []) == names


@pytest.mark.slow
def test_a_zip_holds_tracks_that_sum_to_the_mix_and_no_other_names(service, workspace):
    kept = keep_candidate(generated(service, workspace), 1)
    packed = service.zip_session(kept)
    assert packed == service.zip_session(kept)
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


def test_cancel_stops_at_the_next_report_and_changes_nothing(service, workspace):
    begun, seen = threading.Event(), []

    def progress(done, steps):
        seen.append(done)
        begun.set()

    assert not service.cancel("me")  # nothing to stop
    slow = FORM._replace(variations=1, is_refined=True)
    errors = []

    def run():
        try:
            service.generate(workspace, slow, user="me", progress=progress)
        except Cancelled as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    service.cancel_events.clear()
    thread.start()
    assert begun.wait(120)
    service.cancel("me")
    thread.join(120)
    assert not thread.is_alive() and not service.cancel_events
    # the release's own setting has 6 steps in two programs: the second report stops it
    assert len(errors) == 1 and len(seen) == 1
    assert len(generated(service, workspace).candidates) == 2  # and the service goes on


def test_a_user_in_the_queue_can_cancel(service, workspace):
    seen = []
    service.register("me")  # in the queue
    assert service.cancel("me")
    with pytest.raises(Cancelled):
        service.generate(workspace, FORM, user="me", progress=lambda *r: seen.append(r))
    assert not seen and not service.cancel_events
    service.register("me")
    with pytest.raises(UserError):
        generated(service, workspace, FORM._replace(seed=None))
    assert not service.cancel_events  # nothing is left that a later cancel could set
    assert len(generated(service, workspace).candidates) == 2


def test_limits_and_bad_forms_are_errors(service, workspace):
    for form, word in (
        (FORM._replace(instrument="kazoo"), "unknown instrument"),
        (FORM._replace(variations=9), "Variations: give 1 to 3, not 9"),
        (FORM._replace(seed=None), "Seed: give a whole number"),
        (FORM._replace(seed=-1), "Seed: give a whole number"),
        (FORM._replace(seed="7"), "Seed: give a whole number"),
        (FORM._replace(seed=0.5), "Seed: give a whole number"),
        (FORM._replace(seed=float("nan")), "Seed: give a whole number"),
        (FORM._replace(variations=1.5), "Variations: give 1 to 3, not 1.5"),
    ):
        with pytest.raises(UserError, match=word):
            generated(service, workspace, form)
    with pytest.raises(UserError, match="Beats per minute: give a number"):
        service.open(workspace.session.recording, bpm="fast", is_loop=False)
    kept = keep_candidate(generated(service, workspace), 1)
    full = kept._replace(stems=kept.stems * MAX_LAYERS)
    with pytest.raises(UserError, match="8 layers at most"):
        generated(service, full)


def test_the_estimate_follows_the_measured_speed(service, workspace, monkeypatch):
    monkeypatch.setattr("stemjax.session.timing._flops_per_second", lambda: 1e9)
    monkeypatch.setattr(service, "speed", None)
    plain = service.estimate_seconds(workspace, FORM)
    half = service.estimate_seconds(workspace, FORM._replace(variations=1))
    assert half == pytest.approx(plain / 2)
    monkeypatch.setattr(service, "speed", 3.0)
    assert service.estimate_seconds(workspace, FORM) == pytest.approx(3 * plain)
    generated(service, workspace)
    assert service.speed != 3.0  # what this one took counts for the next


def test_programs_for_many_lengths_are_dropped(random_model, monkeypatch):
    """Memory stays bounded however many lengths of recordings the page sees."""
    dropped = []
    monkeypatch.setattr("jax.clear_caches", lambda: dropped.append(True))
    monkeypatch.setattr("stemjax.demo.service.MAX_LENGTHS", 3)
    service = StemService(random_model)
    for length in (10, 20, 10, 30, 20):
        service._bound_programs(length)
    assert not dropped
    service._bound_programs(40)
    assert dropped == [True] and service.compiled_lengths == {40}


@pytest.mark.slow
def test_silence_and_the_codec_alone(service, workspace):
    nothing = service.open(
        silent_recording(1.5, service.model.sample_rate), bpm=None, is_loop=False
    )
    assert nothing.session.music.bpm is None and not nothing.session.context.any()
    assert len(generated(service, nothing).candidates) == 2
    decoded = service.reconstruct(workspace)
    assert (
        decoded.shape == workspace.session.context.shape and np.isfinite(decoded).all()
    )
    samples = to_int16(np.array([0.0, 1.5, -2.0, 0.5]), 32_000, 32_000)
    assert samples.tolist() == [0, 32767, -32767, 16384]
