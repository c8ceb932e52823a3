"""What fixed draws cost in variety, against the closed forms."""

import re

import numpy as np
import pytest
from made_songs import plain_songs
from tables import table

from data.diversity import DiversityArgs, Seen, count, online, possible, report, stored
from data.errors import DataError
from data.prepare import Layout, PrepareArgs, prepare
from stemjax.config.train import PairConfig

SECOND = PairConfig(crop_seconds=1.0)
SEGMENTS = 250
THREE = table([[4, 16, 3]] * SEGMENTS, seconds=5.0)
# Three stems, each as likely the target; one or both of the others, as likely: six
# combinations of one context stem, three of two.
CHANCES = np.array([1 / 12] * 6 + [1 / 6] * 3)


def test_combinations_are_targets_times_submixes():
    mixed = table([[4, 16, -1, -1], [4, 3], [-1, -1]], seconds=5.0)
    # two targets, contexts of the 2^3 - 1 submixes of the other three; 2 x 1; no target
    assert possible(mixed, SECOND) == [14, 2]
    assert possible(THREE, SECOND) == [9] * SEGMENTS


def test_online_draws_meet_what_chance_says():
    epochs = (1, 5, 20)
    found = list(count(online(THREE, 0, SECOND), SEGMENTS, epochs))
    for n, seen in zip(epochs, found, strict=True):
        expected = (1 - (1 - CHANCES) ** n).sum()
        assert seen.draws == n * SEGMENTS
        # standard deviation of a segment's count is under 1.1: 0.07 of the mean of 250
        assert seen.distinct / SEGMENTS == pytest.approx(expected, abs=0.25)
    assert found[0].repeats == 0
    assert found[2].repeats == pytest.approx(1 - 7.869 / 20, abs=0.02)


def test_stored_draws_meet_at_most_what_is_stored():
    equal = (CHANCES**2).sum()
    visit, segments = stored(THREE, 2, 0, SECOND)
    assert segments == SEGMENTS
    one, two, many = count(visit, SEGMENTS, (1, 2, 20))
    assert one == Seen(SEGMENTS, SEGMENTS)
    # both draws of a segment are one combination, or two that come by halves
    assert two.distinct / SEGMENTS == pytest.approx(equal + (1 - equal) * 1.5, abs=0.1)
    assert many.distinct / SEGMENTS == pytest.approx(2 - equal, abs=0.07)
    (alone,) = count(stored(THREE, 1, 0, SECOND)[0], SEGMENTS, (20,))
    assert alone == Seen(SEGMENTS, 20 * SEGMENTS)


def test_the_table_of_a_prepared_folder(tmp_path, capsys):
    settings = {"layout": Layout.FOLDER, "workers": 1}
    songs = plain_songs(tmp_path / "songs", 4)
    prepare(PrepareArgs(input=songs, out=tmp_path / "p", **settings))
    args = {"data": str(tmp_path / "p"), "crop_seconds": 1.0, "epochs": (20, 1)}
    text = report(DiversityArgs(**args, draws=(1, 2)))
    assert re.match(r"\d segments; combinations of a segment: median \d+", text)
    rows = [line.split(" | ") for line in text.splitlines()[2:]]
    assert [row[0] for row in rows] == [
        "| pairs",
        "| ---",
        "| online",
        "| K = 2",
        "| K = 1",
    ]
    assert rows[-1][1:] == ["1.00 a segment, 0%", "1.00 a segment, 95% |"]
    with pytest.raises(DataError, match="--draws and --epochs must be 1 or more"):
        report(DiversityArgs(**args, draws=(0,)))
    with pytest.raises(DataError, match="nothing to draw in train"):
        report(DiversityArgs(**args | {"crop_seconds": 60.0}))
