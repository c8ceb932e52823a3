"""Dealing points, naming their stems, sharing them among rows, going on with a folder."""

import dataclasses
import json

import numpy as np
import pytest

from stemjax.config.decode import BEST, NAIVE, Guidance
from stemjax.config.sweeps import TABLE_1, TABLE_2, TABLE_3, Row
from stemjax.eval.populations import decoding_run as body
from stemjax.eval.populations.generate import CONFIG, decode_stems
from stemjax.io.errors import UserError
from tests.eval import stand_ins
from tests.eval.stand_ins import Echo

SONGS = [f"song {k}" for k in range(10)]


def faults_of(deal) -> list[str]:
    """What a way of dealing gets wrong."""
    found = []
    dealt = deal(1000, 36, 0)
    counts = np.bincount(dealt, minlength=36)
    if not (len(dealt) == 1000 and counts.max() - counts.min() <= 1):
        found.append("balance")
    rounds = dealt[:972].reshape(-1, 36)
    if not (np.sort(rounds, axis=1) == np.arange(36)).all():
        found.append("each once a round")
    if any((r == rounds[0]).all() for r in rounds[1:]):
        found.append("order")
    if not all((deal(k, 36, 0) == dealt[:k]).all() for k in (1, 35, 36, 37, 400)):
        found.append("prefix")
    if (deal(1000, 36, 1) == dealt).all():
        found.append("seed")
    return found


def test_deal():
    assert faults_of(body.deal) == []
    assert body.deal(5, 1, 0).tolist() == [0] * 5
    assert body.deal(0, 6, 0).tolist() == []
    # 1000 over 36 cells: 27 or 28 in each
    assert set(np.bincount(body.deal(1000, 36, 3))) == {27, 28}


def test_poor_ways_of_dealing_are_caught():
    def shuffled(count, points, seed):
        rng = np.random.default_rng([seed, count])
        return rng.permutation(np.arange(count) % points)

    def in_turn(count, points, seed):
        return np.arange(count) % points

    def at_random(count, points, seed):
        return np.random.default_rng(seed).integers(points, size=count)

    assert {"each once a round", "prefix"} <= set(faults_of(shuffled))
    assert {"order", "seed"} <= set(faults_of(in_turn))
    assert {"balance", "each once a round"} <= set(faults_of(at_random))
    assert "balance" in faults_of(lambda count, points, seed: np.zeros(count, int))


def test_a_key_depends_on_all_that_changes_a_stem():
    system = Echo()
    other = {
        "steps": (8, 4),
        "guidance": Guidance.NONE,
        "scales": (3.0, 2.0),
        "w_conf": 0.2,
        "w_causal": 0.2,
        "w_rand": 0.9,
        "temperature": 0.9,
        "temperature_final": 0.9,
        "w_rand_final": 0.5,
        "top_p": 0.9,
    }
    assert set(other) == {field.name for field in dataclasses.fields(BEST)}
    points = [dataclasses.replace(BEST, **{k: v}) for k, v in other.items()]
    keys = [body.point_key(system, point, 0) for point in (BEST, *points)]
    keys += [body.point_key(system, BEST, 1), body.point_key(Echo("1" * 64), BEST, 0)]
    recoded = Echo()
    recoded.codec = dataclasses.replace(recoded.codec, sha256="2" * 64)
    keys.append(body.point_key(recoded, BEST, 0))
    assert len(set(keys)) == len(keys)


def test_a_key_does_not_depend_on_names():
    system, renamed = Echo(), Echo()
    renamed.name, renamed.version = "other", "9"
    renamed.codec = dataclasses.replace(renamed.codec, name="other")
    again = dataclasses.replace(NAIVE, guidance=BEST.guidance, w_causal=0.1)
    assert again == BEST
    assert (
        body.point_key(system, BEST, 0)
        == body.point_key(renamed, again, 0)
        == body.point_key(Echo(), BEST, 0)
    )


def test_rows_share_the_stems_of_a_point(tmp_path):
    run = stand_ins.decoding_run(tmp_path, SONGS)

    def stems(row, count=10, variation=0):
        return stand_ins.files(body.jobs_of(row, run, count, variation, 0))

    assert stems(TABLE_2.rows[1]) == stems(TABLE_3.rows[1])
    assert stems(TABLE_1.rows[0]) == stems(TABLE_3.rows[0])
    assert not stems(TABLE_2.rows[0]) & stems(TABLE_2.rows[1])
    assert not stems(TABLE_3.rows[1], variation=1) & stems(TABLE_3.rows[1])
    assert stems(TABLE_1.rows[4], 7) < stems(TABLE_1.rows[4])  # fewer: the first
    jobs = [
        job
        for row in (*TABLE_2.rows, *TABLE_3.rows)
        for job in body.jobs_of(row, run, 10, 0, 0)
    ]
    assert len(jobs) == 80
    assert len(body.unique(jobs)) == 50  # four weights of causal bias, and naive
    assert body.unique(jobs)[:10] == jobs[:10]


def test_a_row_s_points_are_dealt_to_its_examples(tmp_path):
    run = stand_ins.decoding_run(tmp_path, SONGS)
    row = TABLE_1.rows[2]
    jobs = body.jobs_of(row, run, 10, 2, 4)
    assert [job.pair for job in jobs] == run.examples.pairs
    assert [job.config for job in jobs] == [row.points[p] for p in body.deal(10, 6, 4)]
    assert {job.variation for job in jobs} == {2}
    triple = body.triples_of(jobs, tmp_path)[3]
    assert triple.id == "00003" and triple.generated == jobs[3].stem
    assert triple.real == tmp_path / "real" / "00003.flac"
    assert triple.context == tmp_path / "context" / "00003.flac"
    assert triple.generated_context is None


def test_beside_its_stems_a_point_is_described(tmp_path):
    run = stand_ins.decoding_run(tmp_path, SONGS)
    hot = dataclasses.replace(BEST, temperature=1.2)
    row = Row(name="two", points=(BEST, hot))
    jobs = body.jobs_of(row, run, 4, 0, 0)
    body.write_point_configs(run.system, jobs)
    decode_stems(run.system, jobs, run.examples.read, batch_size=4)
    folders = sorted((tmp_path / "stems").iterdir())
    assert len(folders) == 2
    told = {f: json.loads((f / CONFIG).read_text()) for f in folders}
    assert {t["decode"]["temperature"] for t in told.values()} == {1.0, 1.2}
    for folder, about in told.items():
        assert about["checkpoint"]["name"] == "echo" and about["variation"] == 0
        point = hot if about["decode"]["temperature"] == 1.2 else BEST
        assert folder.name == body.point_key(run.system, point, 0)
        assert len(list(folder.glob("*.flac"))) == 2


def test_a_folder_goes_on_with_more_examples_and_refuses_others(tmp_path):
    def opened(songs, first=0):
        examples = stand_ins.examples(songs, first)
        body.open_decoding_run(body.DecodingRun(Echo(), examples, tmp_path))
        return (tmp_path / "manifest.jsonl").read_text(), examples.manifest

    held, asked = opened(SONGS[:4])
    assert held == asked
    held, asked = opened(SONGS)
    assert held == asked
    held, asked = opened(SONGS[:2])  # fewer: what is known is kept
    assert held.startswith(asked) and held == stand_ins.examples(SONGS).manifest
    with pytest.raises(
        UserError, match=r"manifest.jsonl: other examples; give another"
    ):
        opened(SONGS, first=1)
    assert (tmp_path / "manifest.jsonl").read_text() == held


def test_the_manifest_s_hash_is_that_of_its_rows():
    a, b = (stand_ins.examples(SONGS, k) for k in (0, 1))
    assert body.manifest_hash(a) != body.manifest_hash(b)
    assert len(body.manifest_hash(a)) == 64
