"""Scores of folders: what is counted, cached, compared; with a simple stand-in analyser."""

import json

import numpy as np
import pytest
import soundfile

from stemjax.analysis.analysis import NO_CHORD, Analyser, Analysis
from stemjax.config.metrics import Metric
from stemjax.eval.metrics import compare, embeddings, mixes
from stemjax.eval.metrics.score import Settings, score
from stemjax.eval.metrics.vggish.features import GUDGUD
from stemjax.eval.populations import clips
from stemjax.eval.reports import report
from stemjax.io.errors import UserError

RATE = 16_000
N = 24


def crossings(audio: np.ndarray) -> Analysis:
    """A stand-in for music analysis: the dominant frequency as a single note."""
    power = np.abs(np.fft.rfft(audio)) ** 2
    hertz = np.argmax(power) * RATE / len(audio)
    pitch = round(69 + 12 * np.log2(max(hertz, 30) / 440))
    return Analysis(
        is_tonal=True,
        key=pitch % 12,
        chords=np.array([[0.0, 1.0, NO_CHORD]]),
        sections=np.array([[0.0, 1.0, 0.0]]),
        notes=np.array([[0.0, 1.0, pitch]]),
        beats=np.zeros(0),
        beats_per_bar=4,
        percussive_density=pitch % 7,
    )


class Counting:
    """The stand-in as an analyser; counts the mixes it was given."""

    def __init__(self):
        self.count = 0

    def __call__(self, batch):
        assert batch.shape == (mixes.BATCH, 2 * RATE)
        self.count += len({row.tobytes() for row in batch})
        return [crossings(row) for row in batch]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Contexts are quiet noise, real stems tones; `near` and `far` try to equal them."""
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    time = np.arange(2 * RATE) / RATE

    def tone(hertz, noise):
        wave = 0.3 * np.sin(2 * np.pi * hertz * time)
        return wave + noise * rng.normal(size=len(time))

    for k in range(N):
        hertz = 220 * 2 ** (rng.integers(0, 5) / 12)
        files = {
            "context": 0.001 * rng.normal(size=len(time)),
            "real": tone(hertz, 1e-3),
            "near": tone(hertz, 2e-3),
            "far": tone(hertz * 2 ** (17 / 12), 3e-2),
        }
        for role, audio in files.items():
            (folder / role).mkdir(exist_ok=True)
            soundfile.write(folder / role / f"{k:03d}.wav", audio, RATE, "PCM_24")
    return folder


def settings(analyser=None, drops_silent=False, **fields):
    return Settings(
        embeddings=(embeddings.log_mel(GUDGUD),),
        analyser=analyser,
        unavailable={Metric.FAD: "no weights; bring some"},
        drops_silent=drops_silent,
        seed=0,
        **fields,
    )


def run(root, generated, cache, counter=None, **fields):
    triples = clips.pair_folders(root / "real", root / generated, root / "context")
    analyser = Analyser("stand-in", {"v": 1}, counter or Counting())
    return score(triples, cache, settings(analyser, **fields))


def test_the_nearer_population_scores_lower(root, tmp_path):
    near, far = (run(root, name, tmp_path) for name in ("near", "far"))
    for metric in ("fd_logmel", "mirdd"):
        a, b = near["metrics"][metric], far["metrics"][metric]
        assert 0 <= a["value"] < b["value"] and b["value"] > 2 * b["se"]
    # the tones of `near` are those of the real stems: every descriptor is equal
    assert near["metrics"]["mirdd"]["value"] == 0
    assert far["metrics"]["mirdd"]["value"] > far["metrics"]["mirdd"]["null"]["p95"]
    assert near["n"] == N and not near["headline"]
    result = compare.compare(near, far)
    assert result["fd_logmel"]["verdict"] == "a lower"
    assert compare.compare(far, near)["fd_logmel"]["verdict"] == "b lower"
    # paired: the difference is known better than if the errors were independent
    apart = np.hypot(near["metrics"]["mirdd"]["se"], far["metrics"]["mirdd"]["se"])
    assert result["mirdd"]["se"] <= apart
    same = compare.compare(far, far)["mirdd"]
    assert (same["difference"], same["se"]) == (0, 0)
    assert same["verdict"] == "within noise"


def test_a_population_scored_against_itself_is_at_zero(root, tmp_path):
    itself = run(root, "real", tmp_path)["metrics"]
    assert itself["mirdd"]["value"] == 0 and itself["mirdd"]["js"] == 0
    assert itself["fd_logmel"]["value"] == pytest.approx(0, abs=1e-6)


def test_a_second_score_analyses_nothing_and_is_the_same(root, tmp_path):
    first, second, third = Counting(), Counting(), Counting()
    a = run(root, "far", tmp_path, first)
    assert first.count == 2 * N
    b = run(root, "far", tmp_path, second)
    assert second.count == 0
    assert json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)
    run(root, "near", tmp_path, third)
    assert third.count == N  # the real side was known


def test_silent_clips_are_counted_and_kept_or_dropped(root, tmp_path):
    folder = tmp_path / "quiet"
    folder.mkdir()
    for path in (root / "near").iterdir():
        audio, rate = soundfile.read(path)
        silent = path.stem in ("003", "007")
        soundfile.write(
            folder / path.name, 0 * audio if silent else audio, rate, "PCM_24"
        )
    triples = clips.pair_folders(root / "real", folder)
    kept = score(triples, tmp_path, settings())
    assert kept["n"] == N
    assert kept["silent"] == {"generated": 2, "real": 0, "dropped": 0}
    dropped = score(triples, tmp_path, settings(drops_silent=True))
    assert dropped["n"] == N - 2 and dropped["silent"]["dropped"] == 2
    assert (
        dropped["metrics"]["fd_logmel"]["value"] < kept["metrics"]["fd_logmel"]["value"]
    )
    with pytest.raises(UserError, match="other examples"):
        compare.compare(kept, dropped)


def test_too_few_examples_are_refused(root, tmp_path):
    triples = clips.pair_folders(root / "real", root / "near")[:3]
    with pytest.raises(UserError, match="3 examples: 4 or more"):
        score(triples, tmp_path, settings())


def test_reports_say_what_there_is_and_what_is_not(root, tmp_path):
    result = run(root, "far", tmp_path)
    page = report.markdown(result, "Far")
    assert "| FAD | n/a (no weights) |" in page
    value = result["metrics"]["fd_logmel"]["value"]
    assert f"| FD-logmel | {value:.4g} +-" in page
    assert "FD-logmel[preset=gudgud]" in page and "no headline number" in page
    assert "| key | " in page and "percussive density" in page


def test_cells_are_escaped_as_each_format_wants():
    header, rows = ["a|b", "silent %"], [["x_1 & y", "2 +- 1"]]
    assert report.as_csv(header, rows) == "a|b,silent %\nx_1 & y,2 +- 1\n"
    latex = report.as_latex(header, rows)
    assert r"silent \% \\" in latex and r"x\_1 \& y & 2 $\pm$ 1 \\" in latex
    assert r"\toprule" in latex
    page = report.as_markdown(header, rows).splitlines()
    assert page == [r"| a\|b | silent % |", "| --- | --- |", "| x_1 & y | 2 +- 1 |"]


def test_analyses_survive_the_cache():
    analysis = crossings(np.sin(np.arange(2 * RATE) * 0.1))
    again = mixes.from_row(mixes.to_row(analysis))
    assert type(again.is_tonal) is bool and type(again.key) is int
    for a, b in zip(analysis, again, strict=True):
        np.testing.assert_array_equal(a, b)
