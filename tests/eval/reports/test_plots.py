"""Pictures of tables and sweeps by what is drawn."""

import numpy as np
import pytest
from matplotlib.image import imread

from stemjax.config.metrics import Metric
from stemjax.eval.reports import plots
from stemjax.eval.reports.plots import Panel

NAN = float("nan")
FAD = Panel("FAD", "squared distance", [4.0, 3.0, NAN], [0.5, NAN, NAN], [4.3, None, 2])
GAIN = Panel("gain", "nats", [-0.2, 0.1, 0.3], [0.05, 0.02, 0.01])
ROWS = ["naive", "best", "codec floor"]


def texts(axis) -> list[str]:
    return [text.get_text() for text in axis.texts]


def error_ends(axis) -> list[np.ndarray]:
    """The bars [2, 2] of the axis that are drawn, (x, y) of their two ends."""
    (segments,) = [lines.get_segments() for lines in axis.collections]
    return [s for s in segments if np.isfinite(s).all() and len(s) == 2]


def panels_of(figure) -> list:
    return [axis for axis in figure.axes if axis.get_title()]


def test_bars_are_as_long_as_the_values():
    figure = plots.bars(ROWS, [FAD, GAIN], "table 1")
    assert figure.get_suptitle() == "table 1"
    fad, gain = panels_of(figure)
    assert [bar.get_width() for bar in fad.patches] == [4.0, 3.0, 0.0]
    assert [bar.get_width() for bar in gain.patches] == [-0.2, 0.1, 0.3]
    (end,) = error_ends(fad)  # only one row has an error
    np.testing.assert_allclose(end, [[3.5, 0], [4.5, 0]])
    np.testing.assert_allclose(error_ends(gain)[0], [[-0.25, 0], [-0.15, 0]])
    assert texts(fad)[:3] == ["4 \u00b1 0.5", "3", "n/a"]
    assert [label.get_text() for label in fad.get_yticklabels()] == ROWS
    assert fad.get_ylim()[0] > fad.get_ylim()[1]  # the first row on top
    assert (fad.get_xlabel(), gain.get_xlabel()) == ("squared distance", "nats")
    low, high = gain.get_xlim()
    assert low < -0.25 and high > 0.31


def test_the_papers_values_are_text_and_never_drawn():
    with_paper, without = (
        panels_of(plots.bars(ROWS, [panel], ""))[0]
        for panel in (FAD, FAD._replace(paper=()))
    )
    assert texts(with_paper)[3:] == ["paper", "4.3", "", "2"]
    assert len(texts(without)) == 3
    assert len(with_paper.patches) == len(without.patches)
    assert len(with_paper.lines) == len(without.lines)
    assert with_paper.get_xlim() == without.get_xlim()


def test_large_numbers_are_written_out():
    panel = Panel("FD", "", [1234.4, 0.01234, 12.34], [123.4, 0.00123, 12.0])
    axis = panels_of(plots.bars(ROWS, [panel], ""))[0]
    assert texts(axis) == ["1234 \u00b1 123", "0.0123 \u00b1 0.0012", "12.3 \u00b1 12"]


def test_panels_read_the_reports():
    reports = {
        "a": {"metrics": {"fad": {"value": 2.0, "se": 0.5}}},
        "b": {"metrics": {"fad": {"value": None, "reason": "no weights"}}},
        "c": {"metrics": {}},
    }
    panel = plots.metric_panel(reports, Metric.FAD, [4.3, None, None])
    np.testing.assert_array_equal(panel.values, [2.0, NAN, NAN])
    np.testing.assert_array_equal(panel.errors, [0.5, NAN, NAN])
    assert (panel.title, panel.paper) == ("FAD", [4.3, None, None])
    assert "lower is better" in panel.unit
    assert set(plots.UNITS) == set(Metric)


GRID = {
    "rows": ["1.5", "2.0"],
    "columns": ["1.0", "1.5", "2.0"],
    "row_label": "lambda_i",
    "column_label": "lambda_a",
    "unit": "MIRDD, nats; lower is better",
    "title": "guidance",
}


def test_cells_print_their_values_and_missing_ones_are_blank():
    values = np.array([[0.1, NAN, 0.3], [0.2, 0.25, 2000.0]])
    errors = np.array([[0.01, NAN, NAN], [0.02, 0.5, 150.0]])
    figure = plots.heatmap(values, errors=errors, **GRID)
    axis, bar = figure.axes
    at = {text.get_position(): text.get_text() for text in axis.texts}
    assert at == {
        (0, 0): "0.1\n\u00b1 0.01",
        (2, 0): "0.3",
        (0, 1): "0.2\n\u00b1 0.02",
        (1, 1): "0.25\n\u00b1 0.5",
        (2, 1): "2000\n\u00b1 150",
    }
    (image,) = axis.images
    np.testing.assert_array_equal(image.get_array().mask, np.isnan(values))
    np.testing.assert_array_equal(image.get_array().data[1], values[1])
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("lambda_a", "lambda_i")
    assert [t.get_text() for t in axis.get_xticklabels()] == GRID["columns"]
    assert [t.get_text() for t in axis.get_yticklabels()] == GRID["rows"]
    assert bar.get_ylabel() == GRID["unit"]
    # white letters on the dark end, black on the bright one
    colour = {text.get_position(): text.get_color() for text in axis.texts}
    assert (colour[0, 0], colour[2, 1]) == ("white", "black")


def test_a_grid_of_nothing_is_blank(tmp_path):
    plots.save_heatmap(tmp_path / "a.png", np.full((2, 3), NAN), errors=None, **GRID)
    assert not plots.heatmap(np.full((2, 3), NAN), errors=None, **GRID).axes[0].texts


def test_lines_run_in_the_order_of_the_setting():
    settings = [0.5, 0.0, 0.1]
    figure = plots.lines(
        settings, [FAD, GAIN], setting="w_s", title="bias", paper_optimum=0.1
    )
    fad, gain = panels_of(figure)
    line = gain.get_lines()[0]
    np.testing.assert_array_equal(line.get_xdata(), [0.0, 0.1, 0.5])
    np.testing.assert_array_equal(line.get_ydata(), [0.1, 0.3, -0.2])
    ends = error_ends(gain)
    np.testing.assert_allclose(ends[2], [[0.5, -0.25], [0.5, -0.15]])
    assert len(error_ends(fad)) == 1
    for axis, panel in ((fad, FAD), (gain, GAIN)):
        assert axis.get_xlabel() == "w_s"
        assert axis.get_ylabel() == panel.unit
        assert list(axis.get_lines()[-1].get_xdata()) == [0.1, 0.1]
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["the paper's best: 0.1"]
    bare = plots.lines(settings, [FAD], setting="", title="", paper_optimum=None)
    assert not bare.legends


@pytest.mark.parametrize("count", range(1, 8))
def test_every_panel_has_its_place(count):
    figure = plots.lines(
        [1, 2, 3], [GAIN] * count, setting="", title="", paper_optimum=2
    )
    assert len(figure.axes) == len(panels_of(figure)) == count


def test_a_missing_value_has_no_number():
    points = [POINTS[0]._replace(values=[NAN, 1.0]), POINTS[1]]
    gain, distance, _ = frontier.frontier(points, MEASURES, "").axes
    assert (texts(gain), texts(distance)) == (["1"], ["1", "2"])
    nothing = [POINTS[0]._replace(values=[NAN, NAN])]
    assert not texts(frontier.frontier(nothing, MEASURES, "").axes[0])


def save_all(folder, panel, points, values):
    draw = {"setting": "w_s", "title": ""}
    yield lambda: plots.save_bars(folder / "bars.png", ROWS, [panel], "")
    yield lambda: plots.save_lines(folder / "lines.png", [1, 2, 3], [panel], **draw)
    yield lambda: plots.save_heatmap(folder / "grid.png", values, errors=None, **GRID)
    yield lambda: frontier.save_frontier(folder / "front.png", points, MEASURES, "")


def test_pictures_are_written_whole(tmp_path):
    for save in save_all(tmp_path, FAD, POINTS, np.eye(2, 3)):
        save()
    names = ["bars.png", "front.png", "grid.png", "lines.png"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    for name in names:
        picture = imread(tmp_path / name)
        assert picture.shape[0] > 200 and np.ptp(picture) > 0.5


def test_nothing_is_written_where_drawing_fails(tmp_path, monkeypatch):
    short = Panel("FAD", "", [1.0], [0.1])
    free = [POINTS[0]._replace(seconds=0.0)]
    for save in save_all(tmp_path, short, free, np.zeros((3, 3))):
        with pytest.raises(ValueError):
            save()
    for points in ([], [POINTS[0]._replace(errors=[1.0])]):
        with pytest.raises(ValueError):
            frontier.frontier(points, MEASURES, "")

    def broken(figure, part, **settings):
        part.write_bytes(b"half a picture")
        raise OSError("disk full")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", broken)
    for save in save_all(tmp_path, FAD, POINTS, np.eye(2, 3)):
        with pytest.raises(OSError, match="disk full"):
            save()
    assert not list(tmp_path.iterdir())
