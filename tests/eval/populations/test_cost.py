"""The cost of decoding, on a system whose time is known."""

import dataclasses

import pytest

from stemjax.config.decode import BEST, NAIVE, Guidance
from stemjax.config.sweeps import TABLE_1, TABLE_2, TABLE_3, TableRow
from stemjax.eval.populations import cost as module
from stemjax.eval.populations.decoding_run import jobs_of, unique
from stemjax.eval.populations.generate import Job
from stemjax.io.audio_files.formats import write_flac
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

    def generate_batch(self, contexts, categories, seeds, variations, configs):
        config = configs[0]
        branches = {Guidance.NONE: 1, Guidance.SINGLE: 2, Guidance.MULTI: 3}
        steps = sum(config.steps_for(LEVELS))
        self.now += FIXED + PER_BRANCH_STEP * steps * branches[config.guidance]
        program = config.guidance, config.top_p < 1
        for made in (program, (*program, config.steps)):
            self.now += COMPILE * (made not in self.compiled)
            self.compiled.add(made)
        return super().generate_batch(contexts, categories, seeds, variations, configs)


@pytest.fixture
def run(tmp_path, monkeypatch):
    system = Timed()
    monkeypatch.setattr(module.time, "perf_counter", lambda: system.now)
    return stand_ins.decoding_run(tmp_path, SONGS, system)


def jobs_for(run, *configs):
    rows = [TableRow(name=str(k), points=(c,)) for k, c in enumerate(configs)]
    return [job for row in rows for job in jobs_of(row, run, 10, 0, 0)]


def test_time_and_forwards_by_hand(run):
    """10 stems of 6 steps and 3 branches: 3 batches of 4 rows."""
    config = dataclasses.replace(BEST, steps=(4, 2))
    result = module.estimate(run, jobs_for(run, config), batch_size=4)
    assert result.seconds == pytest.approx(3 * (FIXED + PER_BRANCH_STEP * 6 * 3))
    assert result.forwards == 10 * 6 * 3
    assert (result.stems, result.missing, result.programs) == (10, 10, 1)
    assert result.audio_seconds == 2
    assert result.gigabytes == pytest.approx(10 * 64_000 * 3 / 1e9)
    assert {len(batch) for batch in run.system.requests} == {4}


def test_programs_and_numbers_of_steps(run):
    """Different steps share a program but not a batch; a nucleus filter is a program."""
    configs = [
        dataclasses.replace(NAIVE, steps=(4,)),  # 8 steps, 1 branch
        dataclasses.replace(NAIVE, steps=(1,)),  # 2 steps
        dataclasses.replace(NAIVE, steps=(4,), top_p=0.9),
        dataclasses.replace(BEST, steps=(4, 2), guidance=Guidance.SINGLE),  # 6, 2
    ]
    result = module.estimate(run, jobs_for(run, *configs), batch_size=8)
    assert result.programs == 3 and result.stems == 40
    assert result.forwards == 10 * (8 + 2 + 8 + 2 * 6)
    assert result.seconds == pytest.approx(
        2 * (4 * FIXED + PER_BRANCH_STEP * (8 + 2 + 8 + 12))
    )


def test_settings_that_share_a_batch_are_not_rounded_up_apart(run):
    """Ten stems with six different scales are decoded in three batches, not in six."""
    row = TABLE_1.rows[2]
    result = module.estimate(run, jobs_of(row, run, 10, 0, 0), batch_size=4)
    steps = 128 + 64
    assert result.seconds == pytest.approx(3 * (FIXED + PER_BRANCH_STEP * steps * 3))


def test_what_is_there_costs_nothing(run):
    jobs = jobs_for(run, NAIVE)
    for job in jobs[:7]:
        write_flac(job.stem, run.examples.read(job.pair)[1], stand_ins.RATE)
    result = module.estimate(run, jobs, batch_size=4)
    assert (result.stems, result.missing, result.forwards) == (10, 3, 3 * 192)
    for job in jobs[7:]:
        write_flac(job.stem, run.examples.read(job.pair)[1], stand_ins.RATE)
    count = len(run.system.requests)
    result = module.estimate(run, jobs, batch_size=4)
    assert result == module.DecodingCost(10, 0, 0, 0, 0.0, 0.0, 0.0)
    assert len(run.system.requests) == count  # a repeated estimate times nothing


def test_the_paper_s_tables_by_hand(run):
    """Eight populations of guided stems and the naive one; common rows count once."""
    rows = (*TABLE_1.rows, *TABLE_2.rows, *TABLE_3.rows[:2])
    jobs: list[Job] = [job for row in rows for job in jobs_of(row, run, 10, 0, 0)]
    result = module.estimate(run, unique(jobs), batch_size=4)
    guided = len(unique(jobs)) - 10
    assert guided in range(4 * 10 + 40 - 3, 81)
    assert result.forwards == 192 * (10 + 3 * guided) and result.programs == 2


def test_words():
    text = module.lines(module.DecodingCost(71, 60, 3152, 2, 5400.0, 20.0, 0.126))
    assert text[0] == "71 stems of 20 s, 11 of them exist"
    assert text[1].startswith("3152 forwards of one stem, 2 compiled")
    assert text[2].startswith("about 90 min on this machine")
    assert text[3] == "at most 0.13 GB of FLAC"
    for seconds, duration in ((59.0, "about 59 s on"), (9000.0, "about 2.5 h on")):
        cost = module.DecodingCost(1, 1, 1, 1, seconds, 5, 0)
        assert duration in module.lines(cost)[2]
    cost = module.DecodingCost(1, 1, 6, 1, 2.0, 5.0, 0.1)
    assert cost._asdict()["forwards"] == 6
