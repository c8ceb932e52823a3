"""The line of `score --only fad`, with an embedding that stands in for VGGish."""

import json

import numpy as np
import pytest
import soundfile

from stemjax.cli.evaluate import score
from stemjax.cli.evaluate.arguments import OneMetric, Score
from stemjax.config.metrics import Metric
from stemjax.eval.metrics import frechet
from stemjax.eval.metrics.embeddings import Embedding
from stemjax.io.errors import UserError

RATE, N = 16_000, 6


def embed(audio):
    """Level and its change in each half second, [P, 2]."""
    levels = np.abs(audio.reshape(-1, RATE // 2)).mean(axis=1)
    return np.stack([levels, np.diff(levels, prepend=0)], axis=1)


def test_fad_is_one_line(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    clips = {}
    for role, level in (("real", 0.1), ("generated", 0.2)):
        (tmp_path / role).mkdir()
        gains = level * rng.uniform(0.5, 1, (N, 4))
        clips[role] = [np.repeat(of_clip, RATE // 2) for of_clip in gains]
        for k, audio in enumerate(clips[role]):
            soundfile.write(tmp_path / role / f"{k}.wav", audio, RATE, "FLOAT")
    stand_in = Embedding(
        Metric.FAD, "stand-in", RATE, {"v": 1}, embed, lambda vectors: vectors
    )
    command = Score(
        run=str(tmp_path),
        cache=str(tmp_path / "cache"),
        only=OneMetric.FAD,
        out=str(tmp_path / "out"),
    )
    monkeypatch.setattr(score, "stem_embeddings", lambda *_: ([stand_in], {}))
    score.run(command)
    report = json.loads((tmp_path / "out" / "metrics.json").read_text())
    vectors = [np.concatenate(list(map(embed, clips[role]))) for role in clips]
    entry = report["metrics"]["fad"]
    assert entry["value"] == pytest.approx(frechet.frechet(*vectors).value, rel=1e-4)
    line = f"FAD[stand-in] {entry['value']:.4g} +- {entry['se']:.2g} (n=6)\n"
    assert capsys.readouterr().out == line
    assert list(report["metrics"]) == ["fad"] and "related" not in report
    absent = {Metric.FAD: "no weights; bring some"}
    monkeypatch.setattr(score, "stem_embeddings", lambda *_: ([], absent))
    with pytest.raises(UserError, match="no weights; bring some"):
        score.run(command)
