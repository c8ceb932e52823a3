"""The cost of decoding, on a system whose time is known."""

import dataclasses

import pytest

from stemjax.config.decode import BEST, NAIVE, Guidance
from stemjax.config.sweeps import TABLE_1, TABLE_2, TABLE_3, Row
from stemjax.eval.populations import cost as body
from stemjax.eval.populations.decoding_run import jobs_of, unique
from stemjax.eval.populations.generate import Job
from stemjax.io.audio_formats import write_flac
from tests.eval import stand_ins
from tests.eval.stand_ins import Echo

SONGS = [f"song {k}" for k in range(10)]
LEVELS = 2  # of the stand-in's codec
FIXED, PER_BRANCH_STEP, COMPILE = 0.5, 0.25, 60.0


class Timed(Echo):
    """Takes half a second a call and a quarter a step and branch; compiles each guidance
    and each number of steps once."""

    def __init__(self):
        super().__init__()
        self.now, self.compiled = 0.0, set()

    def answer(self, contexts, categories, seeds, variations, configs):
        config = configs[0]
        branches = {Guidance.NONE: 1, Guidance.SINGLE: 2, Guidance.MULTI: 3}
        steps = sum(config.steps_for(LEVELS))
        self.now += FIXED + PER_BRANCH_STEP * steps * branches[config.guidance]
        program = config.guidance, config.top_p < 1
        for made in (program, (*program, config.steps)):
            self.now += COMPILE * (made not in self.compiled)
            self.compiled.add(made)
        return super().answer(contexts, categories, seeds, variations, configs)


@pytest.fixture
def run(tmp_path, monkeypatch):
    system = Timed()
    monkeypatch.setattr(body.time, "perf_counter", lambda: system.now)
    return stand_ins.decoding_run(tmp_path, SONGS, system)


def jobs_for(run, *configs):
    rows = [Row(name=str(k), points=(c,)) for k, c in enumerate(configs)]
    return [job for row in rows for job in jobs_of(row, run, 10, 0, 0)]


def test_time_and_forwards_by_hand(run):
    """10 stems of 6 steps and 3 branches: 3 batches of 4 rows."""
    config = dataclasses.replace(BEST, steps=(4, 2))
    found = body.estimate(run, jobs_for(run, config), batch_size=4)
    assert found.seconds == pytest.approx(3 * (FIXED + PER_BRANCH_STEP * 6 * 3))
    assert found.forwards == 10 * 6 * 3
    assert (found.stems, found.missing, found.programs) == (10, 10, 1)
    assert found.audio_seconds == 2
    assert found.gigabytes == pytest.approx(10 * 64_000 * 3 / 1e9)
    assert {len(batch) for batch in run.system.asked} == {4}


def test_programs_and_numbers_of_steps(run):
    """Other steps share a program but no batch; a nucleus filter is a program."""
    configs = [
        dataclasses.replace(NAIVE, steps=(4,)),  # 8 steps, 1 branch
        dataclasses.replace(NAIVE, steps=(1,)),  # 2 steps
        dataclasses.replace(NAIVE, steps=(4,), top_p=0.9),
        dataclasses.replace(BEST, steps=(4, 2), guidance=Guidance.SINGLE),  # 6, 2
    ]
    found = body.estimate(run, jobs_for(run, *configs), batch_size=8)
    assert found.programs == 3 and found.stems == 40
    assert found.forwards == 10 * (8 + 2 + 8 + 2 * 6)
    assert found.seconds == pytest.approx(
        2 * (4 * FIXED + PER_BRANCH_STEP * (8 + 2 + 8 + 12))
    )


def test_settings_that_share_a_batch_are_not_rounded_up_apart(run):
    """Ten stems of scales dealt six ways are decoded in three batches, not in six."""
    row = TABLE_1.rows[2]
    found = body.estimate(run, jobs_of(row, run, 10, 0, 0), batch_size=4)
    steps = 128 + 64
    assert found.seconds == pytest.approx(3 * (FIXED + PER_BRANCH_STEP * steps * 3))


def test_what_is_there_costs_nothing(run):
    jobs = jobs_for(run, NAIVE)
    for job in jobs[:7]:
        write_flac(job.stem, run.examples.read(job.pair)[1], stand_ins.RATE)
    found = body.estimate(run, jobs, batch_size=4)
    assert (found.stems, found.missing, found.forwards) == (10, 3, 3 * 192)
    for job in jobs[7:]:
        write_flac(job.stem, run.examples.read(job.pair)[1], stand_ins.RATE)
    asked = len(run.system.asked)
    found = body.estimate(run, jobs, batch_size=4)
    assert found == body.Cost(10, 0, 0, 0, 0.0, 0.0, 0.0)
    assert len(run.system.asked) == asked  # nothing is timed for nothing


def test_the_paper_s_tables_by_hand(run):
    """Eight populations of guided stems and the naive one; rows in common count once."""
    rows = (*TABLE_1.rows, *TABLE_2.rows, *TABLE_3.rows[:2])
    jobs: list[Job] = [job for row in rows for job in jobs_of(row, run, 10, 0, 0)]
    found = body.estimate(run, unique(jobs), batch_size=4)
    guided = len(unique(jobs)) - 10
    assert guided in range(4 * 10 + 40 - 3, 81)
    assert found.forwards == 192 * (10 + 3 * guided) and found.programs == 2


def test_words():
    told = body.lines(body.Cost(71, 60, 3152, 2, 5400.0, 20.0, 0.126))
    assert told[0] == "71 stems of 20 s, 11 of them there"
    assert told[1].startswith("3152 forwards of one stem, 2 compiled")
    assert told[2].startswith("about 90 min on this machine")
    assert told[3] == "at most 0.13 GB of FLAC"
    assert "about 59 s on" in body.lines(body.Cost(1, 1, 1, 1, 59.0, 5, 0))[2]
    assert "about 2.5 h on" in body.lines(body.Cost(1, 1, 1, 1, 9000.0, 5, 0))[2]
    assert body.as_json(body.Cost(1, 1, 6, 1, 2.0, 5.0, 0.1))["forwards"] == 6
