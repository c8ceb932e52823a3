"""The gallery: Vorbis whose bytes are told by its samples, pictures, the index."""

import json
import re

import numpy as np
import pytest
import soundfile

from stemjax.config.decode import DecodeConfig
from stemjax.eval import gallery
from stemjax.eval.commands import gallery as command
from stemjax.eval.commands.listening_arguments import Gallery
from stemjax.io.audio import write_wav
from stemjax.io.errors import UserError
from tests.eval.stand_ins import RATE, Echo

BEAT = 0.5


def pulse(seconds, hertz=220.0):
    """Notes at 120 a minute, [N] float32."""
    time = np.arange(int(seconds * RATE)) / RATE
    notes = np.exp(-6 * (time % BEAT)) * np.sin(2 * np.pi * hertz * time)
    return (0.4 * notes).astype(np.float32)


@pytest.fixture
def contexts(tmp_path):
    folder = tmp_path / "contexts"
    write_wav(folder / "low.wav", pulse(6), RATE)
    write_wav(folder / "high.wav", pulse(12, 440.0), RATE)
    (folder / "LICENSE").write_text("Keep this notice.")
    return folder


def test_contexts_are_files_and_folders_cut_and_named(contexts, tmp_path):
    found = gallery.read_contexts([str(contexts)], RATE, 10)
    assert [(r.name, len(r.audio) / RATE) for r in found] == [("high", 10), ("low", 6)]
    np.testing.assert_array_equal(found[1].audio, pulse(6))
    write_wav(tmp_path / "low.wav", pulse(2), RATE)
    with pytest.raises(UserError, match="another context has its name"):
        gallery.read_contexts([str(contexts), str(tmp_path / "low.wav")], RATE, 10)
    write_wav(tmp_path / "short.wav", pulse(0.5), RATE)
    with pytest.raises(UserError, match="shorter than 1 s"):
        gallery.read_contexts([str(tmp_path / "short.wav")], RATE, 10)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no wav, flac"):
        gallery.read_contexts([str(tmp_path / "empty")], RATE, 10)


def test_a_gallery_is_written_whole_and_the_same_again(contexts, tmp_path, capsys):
    def run(out):
        asked = Gallery(
            contexts=(str(contexts),),
            instruments="bass,drums,bass",
            seconds=3.0,  # of both: one length is compiled
            out=str(tmp_path / out),
            work=str(tmp_path / "work"),
            cache=str(tmp_path / "cache"),
        )
        system = Echo()
        command.run_gallery(asked, system, DecodeConfig(temperature=1.0), None)
        return tmp_path / out, system

    out, system = run("first")
    assert sum(map(len, system.asked)) == 4
    items = json.loads((out / "gallery.json").read_text())["items"]
    assert [(i["context"], i["instrument"]) for i in items] == [
        (c, i) for c in ("high", "low") for i in ("bass", "drums")
    ]
    # the stand-in answers with the context at half its level
    for item in items:
        assert item["beat_f"] == item["beat_f_any_level"] == 1
        expected = pytest.approx(1, abs=1e-3) if item["instrument"] == "bass" else None
        assert item["chroma_cosine"] == expected
        assert item["heard_as"] == command.NOT_ASKED
    page = (out / "index.md").read_text()
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert set(links) == {p.name for p in out.iterdir()} - {"index.md", "gallery.json"}
    assert (out / "LICENSE-contexts").read_text() == "Keep this notice."
    stem, _ = soundfile.read(out / "low_bass_stem.ogg")
    assert np.std(stem) == pytest.approx(0.5 * np.std(pulse(3)), rel=0.1)
    sizes = {p.suffix: p.stat().st_size for p in out.iterdir()}
    assert sizes[".ogg"] < 100_000 and 2_000 < sizes[".png"] < 60_000
    again, quiet = run("second")
    assert quiet.asked == []
    for path in out.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes(), path.name
    assert "14 files of" in capsys.readouterr().out


def test_an_unknown_instrument_is_said():
    assert command.instruments_of("keys, drums,piano") == ["piano", "drums"]
    with pytest.raises(UserError, match="--instruments: unknown instrument 'tuba'"):
        command.instruments_of("bass,tuba")
