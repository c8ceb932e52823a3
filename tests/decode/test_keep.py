"""Masks of what an edit keeps, by hand."""

import numpy as np
import pytest

from stemjax.decode import keep


def text(mask):
    return ["".join("#" if kept else "." for kept in row) for row in mask]


def test_masks_by_hand():
    assert text(keep.outside(2, 8, 2, 5)) == ["##...###"] * 2
    assert text(keep.outside(1, 4, 0, 4)) == ["...."]
    assert text(keep.share(1, 8, 0.25)) == ["...#...#"]
    assert text(keep.share(2, 5, 0.0)) == ["....."] * 2
    assert text(keep.share(1, 5, 1.0)) == ["#####"]
    assert text(keep.around(1, 10, [0, 7], 1)) == ["##....###."]
    assert text(keep.around(1, 4, [9, -3], 1)) == ["...."]
    assert text(keep.coarse(3, 4, 1)) == ["####", "....", "...."]


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5, 0.77])
def test_a_share_is_spread_evenly(fraction):
    mask = keep.share(1, 1000, fraction)[0]
    assert mask.sum() == round(1000 * fraction)
    counts = np.convolve(mask, np.ones(40), mode="valid")
    assert abs(counts - 40 * fraction).max() <= 1


def test_what_is_not_there_is_refused():
    with pytest.raises(ValueError, match="frames 5 to 5 are not within"):
        keep.outside(1, 8, 5, 5)
    with pytest.raises(ValueError, match="frames 2 to 9"):
        keep.outside(1, 8, 2, 9)
    with pytest.raises(ValueError, match="share of 1.5"):
        keep.share(1, 8, 1.5)
    with pytest.raises(ValueError, match="5 levels are not within 0..4"):
        keep.coarse(4, 8, 5)
