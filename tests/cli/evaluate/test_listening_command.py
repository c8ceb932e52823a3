"""`evaluate.py listening` on a model with known stems: values, files, a second run."""

import json
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import soundfile

from stemjax.cli.evaluate import listening as command
from stemjax.cli.evaluate.shared.decoding_arguments import ListeningArguments
from stemjax.config.decode import DecodeConfig
from stemjax.config.model import StemGenConfig, TransformerConfig
from stemjax.eval.metrics.alignment import BeatsAndChroma
from stemjax.eval.metrics.instrument_classifier import AccuracyRecord
from stemjax.eval.populations.decoding_run import DecodingRun
from stemjax.eval.populations.generate import ExampleSet
from stemjax.eval.studies import listening_measures
from stemjax.eval.studies.listening import CODEC, MISMATCHED, REAL, SILENCE, Measure
from stemjax.io.errors import UserError
from tests.models.oracle import listener

RATE, SECONDS, HOP = 32_000, 4, 3_200
Q, V = 2, 8
CFG = StemGenConfig(
    num_codebooks=Q,
    codebook_size=V,
    transformer=TransformerConfig(width=32, layers=1, heads=2, mlp_hidden=16),
)
SONGS = {"slow": (0.7, 0), "even": (0.5, 4), "fast": (0.37, 7), "late": (0.58, 9)}


class Pair(NamedTuple):
    id: str
    song: str
    category: str
    seed: int


def music(song, octave, seed):
    """Notes on the beats of a song in its key, [N] float32."""
    beat, key = SONGS[song]
    time = np.arange(SECONDS * RATE) / RATE
    hertz = 110 * 2 ** (octave + key / 12)
    overtones = sum(np.sin(2 * np.pi * k * hertz * time) / k for k in range(1, 4))
    noise = 1e-3 * np.random.default_rng(seed).normal(size=len(time))
    level = 0.2 * np.exp(-4 * (time % beat)) * (time % beat > 0.005)
    return (level * overtones + noise).astype(np.float32)


class Codec:
    """Codes are the frames' rounded loudness; decoding gives half of the encoded audio."""

    name, sha256 = "levels", "c" * 64
    config = SimpleNamespace(hop=HOP, sample_rate=RATE)

    def encode(self, audio):
        self.encoded = np.asarray(audio)
        frames = np.abs(self.encoded).reshape(len(audio), -1, HOP).mean(axis=-1)
        codes = np.minimum(np.round(frames * 60), V - 1).astype(np.int32)
        return np.repeat(codes[:, None], Q, axis=1)

    def decode(self, codes):
        return 0.5 * self.encoded


class Model:
    """Answers each context with the stem of its seed."""

    name, version, sha256, sample_rate = "made", "1", "a" * 64, RATE
    config, trained_frames = CFG, SECONDS * RATE // HOP
    decode = DecodeConfig(steps=(2, 1), scales=(3.0, 3.0))

    def __init__(self, answers):
        self.codec, self.params = Codec(), listener(CFG)
        self._answers, self.calls = answers, 0

    def generate_batch(self, contexts, categories, seeds, variations, configs):
        self.calls += 1
        return np.stack([self._answers[int(seed)] for seed in seeds])


def read(pair):
    return music(pair.song, 0, 2 * pair.seed), music(pair.song, 1, 2 * pair.seed + 1)


PAIRS = [
    Pair(f"{k:05d}", song, ("bass", "drums")[k % 2], k) for k, song in enumerate(SONGS)
]
OTHERS = [
    pair._replace(song=song, seed=90 + pair.seed)
    for pair, song in zip(PAIRS, [*list(SONGS)[1:], *list(SONGS)[:1]], strict=True)
]


def hear(audio):
    """Stand-in for `alignment.beats_and_chroma`: level jumps and the strongest pitch."""
    found = []
    for clip in audio:
        blocks = np.abs(clip[: len(clip) // 160 * 160]).reshape(-1, 160).max(axis=1)
        is_jump = (blocks[1:] > 2 * blocks[:-1]) & (blocks[1:] > 0.05)
        loudest = np.argmax(np.abs(np.fft.rfft(clip))) * 16_000 / len(clip)
        pitch = round(12 * np.log2(max(loudest, 1) / 440)) % 12
        is_tonal = bool(blocks.max() > 0.05)
        chroma = np.tile(5 * is_tonal * np.eye(12)[pitch], (20 * SECONDS, 1))
        found.append(
            BeatsAndChroma((1 + np.flatnonzero(is_jump)) / 100, chroma, is_tonal)
        )
    return found


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    monkeypatch.setattr("stemjax.eval.metrics.alignment.beats_and_chroma", hear)


def instruments():
    """Names all sounding stems bass, which is right for half of the examples."""

    def answer(audio):
        return 4 if np.abs(audio).max() > 0.01 else None

    figures = AccuracyRecord(
        clips=7, accuracy=0.9, balanced_accuracy=0.8, chance=0.5, confusion={}
    )
    config = SimpleNamespace(training_clips=5, held_out={"test": figures})
    return SimpleNamespace(answer=answer, sha256="i" * 64, config=config)


def run(folder, model, others=OTHERS, **flags):
    arguments = ListeningArguments(
        out=str(folder / "out"), cache=str(folder / "cache"), n=len(PAIRS), **flags
    )
    examples = ExampleSet(PAIRS, "".join(f"{p}\n" for p in PAIRS), read)
    command.measure_rows(
        arguments,
        command.settings_rows(model.decode, arguments.also, arguments.steps),
        DecodingRun(model, examples, folder / "out"),
        others,
        instruments(),
    )
    path = folder / "out" / "listening.json"
    return json.loads(path.read_text(), parse_constant=pytest.fail)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("listening")


def planted(which):
    return {
        pair.seed: read(pair)[1] if which == REAL else read(other)[1]
        for pair, other in zip(PAIRS, OTHERS, strict=True)
    }


def test_real_stems_as_answers_measure_what_real_stems_do(folder, capsys):
    found = run(folder, Model(planted(REAL)))
    rows = found["rows"]
    assert list(rows) == sorted(["generated", REAL, MISMATCHED, CODEC, SILENCE])
    assert rows["generated"]["measures"] == rows[REAL]["measures"]
    means = {
        name: {m: row["measures"][m.value]["value"] for m in Measure}
        for name, row in rows.items()
    }
    for measure in (Measure.BEATS, Measure.ANY_LEVEL, Measure.CHROMA):
        assert means[REAL][measure] == pytest.approx(1)
        assert means[MISMATCHED][measure] < 0.6
        assert means[SILENCE][measure] is None
    assert means[MISMATCHED][Measure.CHROMA] == 0
    assert means[REAL][Measure.INSTRUMENT] == means[CODEC][Measure.INSTRUMENT] == 0.5
    assert means[SILENCE][Measure.INSTRUMENT] is None
    assert means[SILENCE][Measure.GAIN] == pytest.approx(0, abs=0.5)
    assert found["n"] == found["songs"] == 4
    # drums keep time and have no harmony
    counted = {m: rows[REAL]["measures"][m.value]["counted"] for m in Measure}
    assert counted[Measure.CHROMA] == 2 and counted[Measure.BEATS] == 4
    page = (folder / "out" / "listening.md").read_text()
    assert page in capsys.readouterr().out
    assert "0.900 (balanced 0.800) of 7 clips of test" in page
    assert "largest category of these examples: 0.500" in page


def test_a_second_run_decodes_and_analyses_nothing(folder, monkeypatch):
    model = Model(planted(REAL))
    before = (folder / "out" / "listening.json").read_bytes()
    stamps = {p: p.stat().st_mtime_ns for p in (folder / "cache").rglob("*.npz")}

    def never(*args, **keywords):
        raise AssertionError("analysed again")

    monkeypatch.setattr(listening_measures, "stem_gains", never)
    monkeypatch.setattr("stemjax.eval.metrics.alignment.beats_and_chroma", never)
    run(folder, model)
    assert model.calls == 0
    assert (folder / "out" / "listening.json").read_bytes() == before
    assert stamps and stamps == {
        p: p.stat().st_mtime_ns for p in (folder / "cache").rglob("*.npz")
    }


def test_mismatched_stems_as_answers_measure_what_those_do(folder, tmp_path):
    """In another folder, on the same cache: only what is new is analysed."""
    (tmp_path / "cache").symlink_to(folder / "cache")
    found = run(tmp_path, Model(planted(MISMATCHED)))
    rows = found["rows"]
    assert rows["generated"]["measures"] == rows[MISMATCHED]["measures"]


def test_an_example_without_a_partner_is_left_out_and_reported(folder, tmp_path):
    (tmp_path / "cache").symlink_to(folder / "cache")
    model = Model(planted(REAL))
    found = run(tmp_path, model, others=[None, *OTHERS[1:]])
    assert found["n"] == 3
    assert "3 of 4 examples" in (tmp_path / "out" / "listening.md").read_text()
    with pytest.raises(UserError, match="three songs with a category in common"):
        run(tmp_path, model, others=[None, None, *OTHERS[2:]])


def test_settings_are_the_model_s_own_then_presets():
    default = DecodeConfig(scales=(1.5, 2.0))
    rows = command.settings_rows(default, ("naive",), (4, 2))
    assert [row.name for row in rows] == ["generated", "generated, naive"]
    assert [row.points[0].steps for row in rows] == [(4, 2), (4, 2)]
    assert rows[0].points[0].scales == (1.5, 2.0)
    assert rows[1].points[0].w_causal == 0
    with pytest.raises(UserError, match="--also loud: one of best, naive"):
        command.run(ListeningArguments(also=("loud",)))


def test_files_hold_what_is_measured(folder):
    out = folder / "out"
    silence = out / "anchors" / "silence.flac"
    assert not soundfile.read(silence)[0].any()
    for pair, other in zip(PAIRS, OTHERS, strict=True):
        heard, rate = soundfile.read(out / "anchors" / MISMATCHED / f"{pair.id}.flac")
        assert rate == RATE
        np.testing.assert_allclose(heard, read(other)[1], atol=1e-6)
