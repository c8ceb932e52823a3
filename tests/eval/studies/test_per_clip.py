"""Single clips against the real population: order, what is usual, the CSV."""

import csv
import io

import numpy as np
import pytest
import soundfile

from stemjax.config.metrics import Metric
from stemjax.eval.metrics import embeddings, frechet
from stemjax.eval.metrics.embeddings import clip_vectors
from stemjax.eval.metrics.jackknife import assign_groups
from stemjax.eval.metrics.vggish.features import GUDGUD
from stemjax.eval.populations.clips import pair_folders, probe
from stemjax.eval.studies import per_clip
from stemjax.io.errors import UserError

RATE, SECONDS, N = 16_000, 4, 8


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """Stems like the real ones, but 2 is noise, 5 is silent, 6 is at another pitch."""
    root = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    time = np.arange(SECONDS * RATE) / RATE
    for k in range(N):
        hertz = 220 * 2 ** (k % 3 / 12)
        noise = 1e-2 * rng.normal(size=(3, len(time)))
        wave = 0.3 * np.sin(2 * np.pi * hertz * time) * (1 + 0.5 * np.sin(7 * time))
        files = {"real": wave + noise[0], "generated": wave + noise[1]}
        if k in (2, 5, 6):
            higher = 0.3 * np.sin(2 * np.pi * 1400 * time)
            files["generated"] = {2: 20 * noise[2], 5: 0 * time, 6: higher}[k]
        for role, audio in files.items():
            (root / role).mkdir(exist_ok=True)
            soundfile.write(root / role / f"{k}.wav", audio, RATE, "PCM_24")
    return [probe(t) for t in pair_folders(root / "real", root / "generated")]


def test_bad_clips_come_first(examples, tmp_path):
    found = per_clip.measure(examples, [embeddings.log_mel(GUDGUD)], tmp_path)
    assert {row.file for row in found.rows[:3]} == {"2.wav", "5.wav", "6.wav"}
    distances = [row.distances[Metric.FD_LOGMEL] for row in found.rows]
    assert distances == sorted(distances, reverse=True)
    usual = found.usual[Metric.FD_LOGMEL]
    # the others are as real clips are
    assert distances[2] > 2 * usual.p95 and distances[3] < 1.5 * usual.p95
    assert usual.median <= usual.p95
    assert [row.is_silent for row in found.rows] == [
        row.file == "5.wav" for row in found.rows
    ]
    # each is its own Frechet distance to all real vectors
    embedding = embeddings.log_mel(GUDGUD)
    real, generated = (
        clip_vectors(examples, role, embedding, tmp_path)
        for role in ("real", "generated")
    )
    for row in found.rows:
        own = generated[int(row.file[0])]
        slow = frechet.frechet(own, np.concatenate(real)).value
        assert row.distances[Metric.FD_LOGMEL] == pytest.approx(slow, rel=1e-6)


def test_the_table_and_the_lines_say_the_same(examples, tmp_path):
    found = per_clip.measure(examples, [embeddings.log_mel(GUDGUD)], tmp_path)
    table = list(csv.DictReader(io.StringIO(per_clip.table(found))))
    assert [row["file"] for row in table] == [row.file for row in found.rows]
    assert list(table[0]) == ["file", "fd_logmel", "is_silent", "seconds"]
    for row, clip in zip(table, found.rows, strict=True):
        value = clip.distances[Metric.FD_LOGMEL]
        assert float(row["fd_logmel"]) == pytest.approx(value, rel=1e-5)
        assert row["is_silent"] == str(int(row["file"] == "5.wav"))
        assert float(row["seconds"]) == SECONDS
    lines = per_clip.lines(found, 3)
    assert [line.split()[0] for line in lines[1:4]] == [
        row["file"] for row in table[:3]
    ]
    silent = [line for line in lines if line.endswith("silent")]
    assert len(silent) == 1 and silent[0].startswith("5.wav")
    above = sum(
        row.distances[Metric.FD_LOGMEL] > found.usual[Metric.FD_LOGMEL].p95
        for row in found.rows
    )
    assert f"{above} of 8 generated clips are above" in lines[4] and 3 <= above < 8


def test_real_clips_are_held_against_the_others():
    rng = np.random.default_rng(0)
    D, P = 3, 6
    real = [rng.normal(size=(P, D)) + rng.normal(size=D) for _ in range(30)]
    ids = [f"{k:02d}" for k in range(30)]
    group = assign_groups(ids)
    slow = [
        frechet.frechet(
            x, np.concatenate([y for y, g in zip(real, group, strict=True) if g != own])
        ).value
        for x, own in zip(real, group, strict=True)
    ]
    usual = per_clip.usual_of(real, ids)
    assert usual.median == pytest.approx(np.median(slow))
    assert usual.p95 == pytest.approx(np.quantile(slow, 0.95))
    within = [frechet.frechet(x, np.concatenate(real)).value for x in real]
    assert usual.median > np.median(within)


def test_clips_of_one_window_come_last_and_have_no_value(examples, tmp_path):
    def embed(audio):
        count = 1 if np.abs(audio).max() < 1e-3 else 3
        return np.random.default_rng(len(audio)).normal(size=(count, 2))

    one = embeddings.Embedding(
        Metric.FD_LOGMEL, "stand-in", RATE, {"v": 1}, embed, lambda vectors: vectors
    )
    found = per_clip.measure(examples, [one], tmp_path)
    assert found.rows[-1].file == "5.wav"
    assert per_clip.table(found).splitlines()[-1] == "5.wav,,1,4.000"
    assert "no covariance" in per_clip.lines(found)[-1]
    with pytest.raises(UserError, match="3 examples: 4 or more"):
        per_clip.measure(examples[:3], [one], tmp_path)
