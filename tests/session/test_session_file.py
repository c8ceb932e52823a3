"""session.json and token files: round trips and error messages."""

import dataclasses
import json

import numpy as np
import pytest

from stemjax.io.errors import UserError
from stemjax.session import session_file
from stemjax.session.session_file import LayerRecord, SessionRecord

LAYER = LayerRecord(
    id=1,
    instrument="bass",
    seed=3,
    settings={"steps": [4, 2], "keep": "best"},
    window={"seconds": 10.0, "overlap_seconds": 2.0},
    tokens="layer_01.npz",
    stem="layer_01.wav",
    gain_db=-1.5,
    kept_variation=2,
    scores={"context_gain_over_none": [0.1, 0.3]},
)
SESSION = SessionRecord(
    checkpoint={"name": "mini", "version": "3", "sha256": "a" * 64},
    context={"file": "loop.wav", "sha256": "b" * 64, "rate": 44_100},
    seconds=3.5,
    rate=32_000,
    music={"bpm": 120.0, "key": None, "beats_per_bar": 4},
    loop=False,
    mix={"file": "mix.wav", "context": "context.wav", "gain": 0.5},
    layers=(LAYER, dataclasses.replace(LAYER, id=2, tokens="layer_02.npz")),
)


def test_a_session_round_trips(tmp_path):
    session_file.save(tmp_path, SESSION)
    assert session_file.read(tmp_path) == SESSION
    content = json.loads((tmp_path / "session.json").read_text())
    assert content["format"] == 1
    assert set(content["layers"][0]) == set(
        "id instrument seed settings window tokens stem gain_db kept_variation"
        " scores".split()
    )
    assert {"checkpoint", "context", "layers"} < set(content)


def test_bad_sessions_are_refused(tmp_path):
    def refused(change, word):
        session_file.save(tmp_path, SESSION)
        path = tmp_path / "session.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        with pytest.raises(UserError, match=word):
            session_file.read(tmp_path)

    refused(lambda c: c.update(format=2), "not a session of format 1")
    refused(lambda c: c.pop("layers"), "fields are missing")
    refused(lambda c: c["layers"][0].pop("seed"), "fields are missing")
    refused(lambda c: c["layers"][1].update(id=5), r"numbered \[1, 5\]")
    for name in ("../x.npz", "/etc/passwd", "a/b.npz", "..", ""):
        refused(lambda c, n=name: c["layers"][0].update(tokens=n), "not a file of this")
        refused(lambda c, n=name: c["layers"][0].update(stem=n), "not a file of this")
    (tmp_path / "session.json").write_text("{")
    with pytest.raises(UserError, match="not readable"):
        session_file.read(tmp_path)
    with pytest.raises(UserError, match="no such session"):
        session_file.read(tmp_path / "gone")


def test_tokens_round_trip_and_name_their_codec(tmp_path):
    codes = np.random.default_rng(0).integers(0, 2048, (4, 77))
    path = tmp_path / "layer_01.npz"
    session_file.save_tokens(path, codes, "abc")
    first = path.read_bytes()
    back = session_file.read_tokens(path, "abc", 4)
    assert back.dtype == np.int32
    np.testing.assert_array_equal(back, codes)
    session_file.save_tokens(path, codes, "abc")
    assert path.read_bytes() == first
    with pytest.raises(UserError, match="tokens of another codec"):
        session_file.read_tokens(path, "abd", 4)
    with pytest.raises(UserError, match=r"tokens are \(4, 77\), not \[2, T\]"):
        session_file.read_tokens(path, "abc", 2)
    with pytest.raises(UserError, match="no such file"):
        session_file.read_tokens(tmp_path / "gone.npz", "abc", 4)
    path.write_bytes(b"not an archive")
    with pytest.raises(UserError, match="not a token file"):
        session_file.read_tokens(path, "abc", 4)
    np.savez(path, tokens=np.array([{}], dtype=object), codec=np.array("abc"))
    with pytest.raises(UserError, match="not a token file"):  # a pickle is never read
        session_file.read_tokens(path, "abc", 4)
