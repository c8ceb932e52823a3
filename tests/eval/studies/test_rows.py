"""Rows as scores: by hand, over seeds against a slow twin, cell by cell."""

import dataclasses

import numpy as np
import pytest

from stemjax.config.decode import BEST
from stemjax.config.metrics import Metric
from stemjax.config.runs import to_json
from stemjax.config.sweeps import Row
from stemjax.eval.metrics.score import score
from stemjax.eval.populations.clips import Triple
from stemjax.eval.populations.decoding_run import deal, point_key, triples_of
from stemjax.eval.populations.generate import decode_stems, write_references
from stemjax.eval.studies import rows as body
from tests.eval import stand_ins

SONGS = [f"song {k}" for k in range(9)]
HOT = dataclasses.replace(BEST, temperature=1.5)
ONE = Row(name="one", points=(BEST,))
TWO = Row(name="two", points=(BEST, HOT))
ARGS = {"deal_seed": 0}


def mean_scorer(values, group):
    """A score that is the mean of a value a file, with its leave-outs."""

    def run(triples):
        x = np.array([values[t.generated] for t in triples])
        own = np.array([group[t.id] for t in triples])
        names, sizes = np.unique(own, return_counts=True)
        groups = [x[own != g].mean() for g in names]
        return stand_ins.report(x.mean(), groups, sizes=sizes.tolist())

    return run


@pytest.fixture
def bench(tmp_path):
    return stand_ins.decoding_run(tmp_path, SONGS)


def drawn(jobs):
    """A value a stem: examples differ by much, answers to one example by little."""
    rng = np.random.default_rng(0)
    hard = {pair: rng.normal(10, 2) for pair in dict.fromkeys(j.pair for j in jobs)}
    return {job.stem: hard[job.pair] + rng.normal(0, 0.2) for job in jobs}


GROUP = {f"{k:05d}": k % 4 for k in range(9)}  # of 3, 2, 2, 2 examples


def test_the_jackknife_is_that_of_the_mean_over_seeds(bench):
    """The twin averages over the seeds first, then leaves out each group."""
    jobs = body.row_jobs(ONE, bench, 9, seeds=3, **ARGS)
    assert len(jobs) == 27 == len(stand_ins.files(jobs))
    values = drawn(jobs)
    report = body.score_row(ONE, bench, 9, mean_scorer(values, GROUP), seeds=3, **ARGS)
    x = np.array([values[job.stem] for job in jobs]).reshape(3, 9)
    of_example = x.mean(axis=0)
    own = np.array([GROUP[f"{k:05d}"] for k in range(9)])
    n, value = 9, of_example.mean()
    corrected, pseudo, h = 4 * value, [], []
    for g in range(4):
        without = of_example[own != g].mean()
        corrected -= (1 - (own == g).sum() / n) * without
        h.append(n / (own == g).sum())
        pseudo.append(h[-1] * value - (h[-1] - 1) * without)
    square = [(p - corrected) ** 2 / (k - 1) for p, k in zip(pseudo, h, strict=True)]
    entry = report["metrics"]["fd_logmel"]
    assert entry["value"] == pytest.approx(value, rel=1e-12)
    assert entry["corrected"] == pytest.approx(corrected, rel=1e-9)
    assert entry["se"] == pytest.approx(np.mean(square) ** 0.5, rel=1e-9)
    assert entry["sizes"] == [3, 2, 2, 2]
    assert entry["by_seed"] == pytest.approx(x.mean(axis=1))
    # answers to one example are no new examples: the error is not that of 27
    assert entry["se"] > 1.5 * np.std(x, ddof=1) / 27**0.5


def test_reports_over_seeds():
    a, b = stand_ins.report(2.0, [1, 2, 3]), stand_ins.report(4.0, [3, 4, 8])
    a["silent"]["generated"], b["silent"]["generated"] = 1, 2
    found = body.mean_report([a, b])
    entry = found["metrics"]["fd_logmel"]
    assert (entry["value"], entry["groups"]) == (3.0, [2.0, 3.0, 5.5])
    assert found["silent"]["generated"] == 1.5
    assert found["contents"] == ["contents"] * 2
    assert found["metrics"]["fad"] == a["metrics"]["fad"]
    assert found["metrics"]["mirdd"]["null"] == {"median": 0.5, "p95": 0.9}
    assert a["metrics"]["fd_logmel"]["value"] == 2.0  # what was given is left alone
    assert body.mean_report([a]) == a


def test_cells_are_the_points_own_scores(bench):
    jobs = body.row_jobs(TWO, bench, 9, seeds=2, **ARGS)
    values = drawn(jobs)
    report = body.score_row(TWO, bench, 9, mean_scorer(values, GROUP), seeds=2, **ARGS)
    dealt = deal(9, 2, 0)
    for p, (cell, config) in enumerate(zip(report["cells"], TWO.points, strict=True)):
        assert cell["decode"] == to_json(config)
        assert cell["n"] == (dealt == p).sum() in (4, 5)
        own = [values[job.stem] for job in jobs if job.config == config]
        assert cell["metrics"]["fd_logmel"]["value"] == pytest.approx(np.mean(own))
        assert cell["metrics"]["fd_logmel"]["se"] > 0
        assert cell["metrics"]["fad"]["value"] is None
    means = [c["metrics"]["fd_logmel"]["value"] for c in report["cells"]]
    assert body.cell_mean(report, Metric.FD_LOGMEL) == pytest.approx(np.mean(means))
    assert body.cell_mean(report, Metric.FAD) is None
    pooled = report["metrics"]["fd_logmel"]["value"]
    assert pooled != pytest.approx(np.mean(means), abs=1e-6)  # cells of 4 and of 5


def test_cells_of_too_few_examples_have_no_score(bench):
    jobs = body.row_jobs(TWO, bench, 7, seeds=1, **ARGS)
    scorer = mean_scorer(drawn(jobs), GROUP)
    report = body.score_row(TWO, bench, 7, scorer, seeds=1, **ARGS)
    sizes = [cell["n"] for cell in report["cells"]]
    assert sorted(sizes) == [3, 4]
    assert ["metrics" in cell for cell in report["cells"]] == [n >= 4 for n in sizes]
    assert body.cell_mean(report, Metric.FD_LOGMEL) is None
    assert body.cell_mean(stand_ins.report(1.0, [1, 2]), Metric.MIRDD) is None


def test_a_row_s_report_is_the_score_of_its_triples(bench, tmp_path):
    """Decoded by the stand-in, then scored as anyone's folders would be."""

    def scorer(triples):
        return score(triples, tmp_path / "cache", stand_ins.settings())

    write_references(bench.folder, bench.examples, bench.examples.pairs, stand_ins.RATE)
    jobs = body.row_jobs(TWO, bench, 9, seeds=1, **ARGS)
    decode_stems(bench.system, jobs, bench.examples.read, batch_size=4)
    report = body.score_row(TWO, bench, 9, scorer, seeds=1, **ARGS)
    cells = report.pop("cells")
    folder = bench.folder
    by_hand = [
        Triple(
            f"{k:05d}",
            folder / "real" / f"{k:05d}.flac",
            folder
            / "stems"
            / point_key(bench.system, TWO.points[p], 0)
            / f"{k:05d}.flac",
            folder / "context" / f"{k:05d}.flac",
        )
        for k, p in enumerate(deal(9, 2, 0))
    ]
    assert triples_of(jobs, folder) == by_hand
    assert report == scorer(by_hand)
    assert report["metrics"]["fd_logmel"]["value"] > 0
    for p, cell in enumerate(cells):
        own = [t for t, q in zip(by_hand, deal(9, 2, 0), strict=True) if q == p]
        wanted = scorer(own)["metrics"]["fd_logmel"]
        assert cell["metrics"]["fd_logmel"] == {k: wanted[k] for k in ("value", "se")}
