"""Basic Pitch: windows, times and decode by hand; live where it is installed."""

import sys

import numpy as np
import pytest

from stemjax.analysis import basic_pitch
from stemjax.analysis.notes import decode_notes
from stemjax.eval.selftest import synthetic
from stemjax.io.errors import UserError

RATE = basic_pitch.SAMPLE_RATE
FRAME_SECONDS = basic_pitch.FRAME / RATE
NUM_FRAMES = basic_pitch.NUM_FRAMES
IMPULSES = np.arange(0.05, 19.9, 0.37)


def impulse_train(seconds=20):
    audio = np.zeros(seconds * RATE, np.float32)
    audio[np.round(IMPULSES * RATE).astype(int)] = 1
    return audio


def frame_peaks(windows):
    """[W, samples] -> [W, 172, 1]: the largest sample within half a frame of each."""
    half = basic_pitch.FRAME // 2
    padded = np.pad(windows, ((0, 0), (half, half)))
    cut = padded[:, : NUM_FRAMES * basic_pitch.FRAME]
    cut = np.pad(cut, ((0, 0), (0, NUM_FRAMES * basic_pitch.FRAME - cut.shape[1])))
    return cut.reshape(len(windows), NUM_FRAMES, -1).max(-1, keepdims=True)


def test_impulses_come_back_within_half_a_frame():
    posterior = frame_peaks(basic_pitch.windows(impulse_train()))
    hits = np.flatnonzero(basic_pitch.unwindow(posterior)[:, 0])
    times = basic_pitch.frame_times(len(posterior))[hits]
    nearest = times[np.abs(times[:, None] - IMPULSES).argmin(0)]
    errors = np.abs(nearest - IMPULSES)
    assert errors.max() <= 0.51 * FRAME_SECONDS
    # no more than one extra: one impulse may lie on two windows' seam
    assert len(IMPULSES) <= len(times) <= len(IMPULSES) + 1
    # frames counted through, as if the hop were 142 of them, drift by far more
    naive = hits * FRAME_SECONDS
    drift = np.abs(naive[np.abs(naive[:, None] - IMPULSES).argmin(0)] - IMPULSES)
    assert drift[-5:].min() > 5 * FRAME_SECONDS


def test_windows_cover_the_clip_and_overlap():
    audio = np.arange(1, 3 * RATE + 1, dtype=np.float32)
    windows = basic_pitch.windows(audio)
    lead = 15 * 256
    assert windows.shape == (2, 43_844) and basic_pitch.HOP == 36_164
    assert not windows[0, :lead].any() and windows[0, lead] == 1
    np.testing.assert_array_equal(windows[0, 36_164:], windows[1, :7_680])
    assert windows[1].max() == 3 * RATE
    assert basic_pitch.windows(audio[:100]).shape == (1, 43_844)


def test_times_ascend_by_about_a_frame():
    times = basic_pitch.frame_times(12)
    assert times.shape == (12 * 142,) and times[0] == 0
    steps = np.diff(times)
    assert steps.max() <= FRAME_SECONDS + 1e-9 and steps.min() > 0
    # 0.73 frames are lost at each seam
    assert times[142] == pytest.approx((142 - 0.734) * FRAME_SECONDS, abs=1e-5)


def test_unwindow_keeps_the_inner_frames():
    posterior = np.arange(2 * 172 * 3).reshape(2, 172, 3)
    kept = basic_pitch.unwindow(posterior)
    assert kept.shape == (284, 3)
    np.testing.assert_array_equal(kept[0], posterior[0, 15])
    np.testing.assert_array_equal(kept[141], posterior[0, 156])
    np.testing.assert_array_equal(kept[142], posterior[1, 15])


def test_the_rule_of_the_decode():
    """Peaks over 0.5, held over 0.3, gaps of 11 frames bridged, 10 frames dropped."""
    onset, note = np.zeros((2, 100, 88))
    onset[10, [39, 41, 43]] = 0.6
    onset[10, 45] = 0.5  # not above
    note[10:40, [39, 45]] = 0.4
    note[10:20, 41] = 0.9  # ten frames
    note[10:15, 43] = note[26:30, 43] = 0.31  # eleven missing
    onset[60, 39], note[60:75, 39] = 0.9, 0.4
    note[87:90, 39] = 0.4  # twelve missing
    found = decode_notes(
        onset, note, np.arange(100.0), lowest_pitch=21, rule=basic_pitch.RULE
    )
    expected = [(10, 40, 60), (10, 30, 64), (60, 75, 60)]
    np.testing.assert_array_equal(found, expected)


class Session:
    """A stand-in for the network: each impulse is a note of 20 frames at MIDI 69."""

    def get_inputs(self):
        return [type("Input", (), {"name": "audio"})]

    def run(self, names, feeds):
        assert names == [basic_pitch.ONSET_OUTPUT, basic_pitch.NOTE_OUTPUT]
        (windows,) = feeds.values()
        onset = np.zeros((len(windows), NUM_FRAMES, 88))
        onset[:, :, 69 - 21] = frame_peaks(windows[..., 0])[..., 0]
        note = np.zeros_like(onset)
        for lag in range(20):
            note[:, lag:] = np.maximum(note[:, lag:], onset[:, : NUM_FRAMES - lag])
        return onset, note


def test_transcribe_joins_the_parts():
    found = basic_pitch.transcribe(impulse_train(), RATE, Session())
    assert set(found[:, 2]) == {69}
    errors = np.abs(found[:, None, 0] - IMPULSES).min(0)
    # the last impulse is too near the end to hold 11 frames
    assert np.all(errors[:-1] <= 0.51 * FRAME_SECONDS)
    assert found[:, 1].max() <= 20 + FRAME_SECONDS


def test_resampled_audio_keeps_its_times():
    audio = np.zeros(20 * 16_000, np.float32)
    audio[np.round(IMPULSES * 16_000).astype(int)] = 2
    found = basic_pitch.transcribe(audio, 16_000, Session())
    errors = np.abs(found[:, None, 0] - IMPULSES).min(0)
    assert np.all(errors[:-1] <= 0.6 * FRAME_SECONDS)


def test_what_is_missing_is_named_with_its_mend(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="no such file"):
        basic_pitch.find_model(tmp_path / "nmp.onnx")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install --no-deps basic-pitch"):
        basic_pitch.open_model()
    (tmp_path / "nmp.onnx").write_bytes(b"not a model")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match="pip install onnxruntime"):
        basic_pitch.open_model(tmp_path / "nmp.onnx")


def test_the_package_is_found_and_not_imported(tmp_path, monkeypatch):
    package = tmp_path / "basic_pitch"
    model = package / basic_pitch.MODEL_PATH
    model.parent.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "basic_pitch", raising=False)
    with pytest.raises(UserError, match="not installed"):
        basic_pitch.find_model()
    model.write_bytes(b"model")
    assert basic_pitch.find_model() == model
    assert "basic_pitch" not in sys.modules


@pytest.fixture(scope="module")
def session():
    pytest.importorskip("onnxruntime")
    try:
        return basic_pitch.open_model()
    except UserError as error:
        pytest.skip(str(error))


def test_live_pitches_and_onsets_have_no_drift(session):
    pitches = 57 + np.array([0, 7, 3, 12, 5, 1, 14, 10, 2, 9] * 3)
    onsets = 0.3 + 0.65 * np.arange(len(pitches))
    t = np.arange(round(0.5 * RATE)) / RATE
    audio = np.zeros(20 * RATE, np.float32)
    for onset, pitch in zip(onsets, pitches, strict=True):
        hertz = 440 * 2 ** ((pitch - 69) / 12)
        tone = sum(np.sin(2 * np.pi * k * hertz * t) / k**1.5 for k in range(1, 9))
        first = round(onset * RATE)
        audio[first : first + len(t)] += 0.2 * tone * np.exp(-3 * t)
    found = basic_pitch.transcribe(audio, RATE, session)
    errors = []
    for onset, pitch in zip(onsets, pitches, strict=True):
        of_pitch = found[found[:, 2] == pitch, 0]
        errors.append(of_pitch[np.abs(of_pitch - onset).argmin()] - onset)
    assert np.abs(errors).max() <= 0.05
    assert abs(np.mean(errors[-10:]) - np.mean(errors[:10])) <= FRAME_SECONDS


def test_live_on_synthetic_clips(session):
    """Onset F (50 ms) over the document's bar; times shifted by 85 ms are under it."""

    def onset_f(truth, found):
        left, count = list(map(tuple, found)), 0
        for onset, _, pitch in truth:
            near = [n for n in left if n[2] == pitch and abs(n[0] - onset) <= 0.05]
            if near:
                left.remove(near[0])
                count += 1
        return 2 * count / (len(truth) + len(found))

    clips = [synthetic.make_clip(5, i) for i in range(3)]
    truths = [clip.truth.notes for clip in clips]
    founds = [basic_pitch.transcribe(clip.mix, 16_000, session) for clip in clips]
    pairs = list(zip(truths, founds, strict=True))
    assert np.mean([onset_f(*pair) for pair in pairs]) >= 0.6
    assert np.mean([onset_f(a, b + [0.085, 0, 0]) for a, b in pairs]) < 0.3


def test_live_a_file_that_is_no_model(session, tmp_path):
    (tmp_path / "nmp.onnx").write_bytes(b"not a model")
    with pytest.raises(UserError, match="not an ONNX model"):
        basic_pitch.open_model(tmp_path / "nmp.onnx")
