"""The table of `--dry-run --compile`: what is tried, and what is chosen."""

import pytest

from stemjax.train.planning.fits import Fit, Setting, cheapest, settings

NONE, REMAT = Setting(False, 1), Setting(True, 1)


def test_settings_come_cheapest_first_and_divide_the_share():
    assert settings(40) == (
        NONE,
        REMAT,
        *(Setting(False, k) for k in (2, 4, 8, 20, 40)),
        *(Setting(True, k) for k in (2, 4, 8, 20, 40)),
    )
    # 15: each at least twice the one before; 1: nothing to split
    assert [s.accumulate for s in settings(15)] == [1, 1, 3, 15, 3, 15]
    assert settings(1) == (NONE, REMAT)


@pytest.mark.parametrize(
    ("peaks", "chosen"),
    [
        # 80 x 0.9 = 72: the margin counts
        ({NONE: 72}, {80: NONE, 141: NONE}),
        ({NONE: 73, REMAT: 30}, {40: REMAT, 80: REMAT, 141: NONE}),
        # rematerialising does not help here: on to micro-batches
        (
            {NONE: 70, REMAT: 69, Setting(False, 2): 36, Setting(False, 4): 20},
            {24: Setting(False, 4), 40: Setting(False, 2), 80: NONE, 141: NONE},
        ),
        # a compiler that refuses is not asked for less of the same
        (
            {NONE: None, REMAT: None, Setting(True, 2): 21.6},
            {24: Setting(True, 2), 141: Setting(True, 2)},
        ),
        ({NONE: 500, REMAT: 400, Setting(True, 4): 200}, {}),
    ],
)
def test_each_budget_gets_the_first_setting_that_fits(peaks, chosen):
    asked = []

    def peak_of(setting):
        asked.append(setting)
        return peaks.get(setting, 10**6)

    budgets = (24, 40, 80, 141)
    found = cheapest(budgets, settings(4), peak_of)
    assert [fit.budget for fit in found] == list(budgets)
    best = {b: s for b in budgets for s in [chosen.get(b)]}
    for fit in found:
        if best[fit.budget] is not None:
            assert fit == Fit(fit.budget, best[fit.budget], peaks[best[fit.budget]])
    if not chosen:
        assert all(fit == Fit(fit.budget, None, None) for fit in found)
    assert len(asked) == len(set(asked))


def test_nothing_is_compiled_once_every_budget_is_served():
    asked = []

    def peak_of(setting):
        asked.append(setting)
        return {NONE: 50, REMAT: 9}[setting]

    found = cheapest((10, 100), settings(8), peak_of)
    assert asked == [NONE, REMAT]
    assert found == (Fit(10, REMAT, 9), Fit(100, NONE, 50))
