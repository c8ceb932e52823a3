"""session.json and token files: round trips and error messages."""

import dataclasses
import io
import json
from typing import NamedTuple

import numpy as np
import pytest

from stemjax.config.codec import CodecConfig
from stemjax.io.errors import UserError
from stemjax.session import session_file
from stemjax.session.session_file import (
    CheckpointRecord,
    ContextRecord,
    DecodingWindows,
    LayerRecord,
    LayerSettings,
    MixRecord,
    MusicRecord,
    SessionRecord,
)

LAYER = LayerRecord(
    id=1,
    instrument="bass",
    seed=3,
    settings=LayerSettings(steps=(4, 2), variations=2),
    window=DecodingWindows(seconds=10.0, overlap_seconds=2.0),
    tokens="layer_01.npz",
    stem="layer_01.wav",
    gain_db=-1.5,
    kept_variation=2,
    scores={"context_gain_over_none": (0.1, 0.3)},
)
SESSION = SessionRecord(
    checkpoint=CheckpointRecord(name="mini", version="3", sha256="a" * 64),
    context=ContextRecord(file="loop.wav", sha256="b" * 64, rate=44_100),
    seconds=3.5,
    rate=32_000,
    music=MusicRecord(bpm=120.0, beats_per_bar=4),
    loop=False,
    mix=MixRecord(file="mix.wav", context="context.wav", gain=0.5),
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

    def layer(**changes):
        return lambda c: c["layers"][0].update(changes)

    refused(lambda c: c.update(format=2), "not a session of format 1")
    refused(lambda c: c.pop("layers"), "field layers: missing; make the session again")
    refused(lambda c: c["layers"][0].pop("seed"), r"field layers\[0\].seed: missing")
    refused(lambda c: c["layers"][1].update(id=5), r"numbered \[1, 5\]")
    refused(
        layer(gain_db="loud"), r'layers\[0\].gain_db: expected a number, got "loud"'
    )
    refused(
        layer(gain_db=1e30),
        r"field layers\[0\]: gain_db 1e.30: give a number from -200",
    )
    refused(layer(instrument="kazoo"), r"field layers\[0\]: instrument must be one of")
    refused(layer(kept_variation=3), "variations, kept_variation and scores do not")
    refused(
        layer(settings={"steps": 3}), r"layers\[0\].settings.steps: expected a list"
    )
    refused(
        layer(settings={"keep": "loudest"}), r'settings: keep must be 1..1 or "best"'
    )
    refused(
        lambda c: c["music"].update(bpm="fast"), "field music.bpm: expected a number"
    )
    refused(lambda c: c.update(checkpoint=[]), "field checkpoint: expected a table")
    refused(lambda c: c.update(mood="sad"), "field mood: unknown")
    for name in ("../x.npz", "/etc/passwd", "a/b.npz", "..", ""):
        refused(layer(tokens=name), "not a file of this folder")
        refused(layer(stem=name), "not a file of this folder")
        refused(lambda c, n=name: c["mix"].update(file=n), "not a file of this folder")
    (tmp_path / "session.json").write_text("{")
    with pytest.raises(UserError, match="session.json: not JSON"):
        session_file.read(tmp_path)
    with pytest.raises(UserError, match="no such session"):
        session_file.read(tmp_path / "gone")


class StubCodec(NamedTuple):
    """What token files ask of a codec."""

    sha256: str = "abc"
    config_sha256: str = "def"
    config: CodecConfig = CodecConfig()


def test_tokens_round_trip_and_name_their_codec(tmp_path):
    codes = np.random.default_rng(0).integers(0, 2048, (4, 77))
    path, codec = tmp_path / "layer_01.npz", StubCodec()
    session_file.save_tokens(path, codes, codec)
    first = path.read_bytes()
    back = session_file.read_tokens(path, codec)
    assert back.dtype == np.int32
    np.testing.assert_array_equal(back, codes)
    session_file.save_tokens(path, codes, codec)
    assert path.read_bytes() == first
    for other in (StubCodec(sha256="abd"), StubCodec(config_sha256="deg")):
        with pytest.raises(UserError, match="tokens of another codec"):
            session_file.read_tokens(path, other)
    two = StubCodec(config=CodecConfig(num_codebooks=2))
    with pytest.raises(UserError, match=r"tokens are \(4, 77\), not \[2, T\]"):
        session_file.read_tokens(path, two)
    with pytest.raises(UserError, match="no such file"):
        session_file.read_tokens(tmp_path / "gone.npz", codec)
    np.savez(path, tokens=codes, codec=np.array("abc"))  # of an older version
    np.testing.assert_array_equal(session_file.read_tokens(path, codec), codes)


def damaged_tokens():
    """Contents of token files that are none, and what is said of each."""

    def npz(**arrays) -> bytes:
        file = io.BytesIO()
        np.savez(file, **{"codec": np.array("abc"), **arrays})
        return file.getvalue()

    whole = npz(tokens=np.zeros((4, 77), np.uint16))
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 255
    npy = io.BytesIO()
    np.save(npy, np.zeros((4, 77), np.uint16))
    return {
        "no archive": (b"not an archive", "not an .npz file"),
        "empty": (b"", "not an .npz file"),
        "half": (whole[: len(whole) // 2], "not an .npz file"),
        "flipped": (bytes(flipped), "not an .npz file"),
        ".npy": (npy.getvalue(), "not an .npz file"),
        "pickle": (npz(tokens=np.array([{}], dtype=object)), "not an .npz file"),
        "no tokens": (npz(), "not a token file"),
        "number for codec": (npz(tokens=np.zeros((4, 7)), codec=3), "not a token file"),
        "fractions": (npz(tokens=np.zeros((4, 7))), "tokens are float64, no codes"),
        "one row": (npz(tokens=np.zeros(7, int)), r"tokens are \(7,\), not"),
        "beyond": (
            npz(tokens=np.full((4, 7), 65535, np.uint16)),
            "lie in 65535..65535",
        ),
        "negative": (npz(tokens=np.full((4, 7), -1)), "lie in -1..-1, outside of the"),
    }


@pytest.mark.parametrize("name", damaged_tokens())
def test_damaged_token_files_are_named(tmp_path, name):
    content, said = damaged_tokens()[name]
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"a.npz: .*{said}") as caught:
        session_file.read_tokens(path, StubCodec())
    assert "\n" not in str(caught.value)
