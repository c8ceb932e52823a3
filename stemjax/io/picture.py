"""Pictures: mel-spectrograms, the order of decoding, and a warning when drawing fails."""

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from stemjax.io.atomic import replacing
from stemjax.io.errors import one_line_of, try_or_warn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLOOR_DB = -80.0
"""Lowest level of the colour scale, below the peak."""


def draw_or_warn(path: str | os.PathLike, draw: Callable[[], None]) -> bool:
    """Call `draw`, which writes a picture; print one line on stderr if it fails.

    Results are written before pictures, and no failure of matplotlib (not installed,
    a broken font cache, an image too large, a full disk) may end a command.

    Args:
      path: the picture or its folder, for the warning.

    Returns:
      Whether the picture was drawn.
    """
    return try_or_warn(draw, f"{path}: no picture was drawn")


def save_spectrograms(
    path: str | os.PathLike,
    rows: Sequence[tuple[str, np.ndarray]],
    *,
    seconds: float,
    order: np.ndarray | None = None,
    steps: Sequence[int] = (),
) -> None:
    """Draw a mel spectrogram per row and, optionally, the decoding order (paper, fig. 5).

    Args:
      path: PNG file, written atomically.
      rows: (title, mel power [T, F]); one dB scale relative to their common peak.
      seconds: duration of the time axis.
      order: [Q, T] step that revealed each token.
      steps: decoding steps per level; needed with `order`.
    """
    count = len(rows) + (order is not None)
    figure = new_figure(10, 2.2 * count)
    axes = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    peak = max(float(mel.max()) for _, mel in rows) or 1.0
    for axis, (title, mel) in zip(axes, rows, strict=False):
        decibels = 10 * np.log10(np.maximum(mel / peak, 10 ** (FLOOR_DB / 10)))
        image = axis.imshow(
            decibels.T,
            origin="lower",
            aspect="auto",
            extent=(0, seconds, 0, mel.shape[1]),
            vmin=FLOOR_DB,
            vmax=0,
            cmap="magma",
        )
        axis.set_title(title, loc="left", fontsize=10)
        axis.set_ylabel("mel bin")
    figure.colorbar(image, ax=list(axes[: len(rows)]), label="dB relative to the peak")
    if order is not None:
        _draw_order(axes[-1], order, seconds, steps)
    axes[-1].set_xlabel("seconds")
    save_figure(path, figure, dpi=110)


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure, sized in inches, without a display or global state."""
    with _own_backend():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(path: str | os.PathLike, figure: "Figure", *, dpi: float) -> None:
    """Write a figure as a PNG, atomically; its texts are plain.

    A title may hold the name of a file: $ starts no formula, bytes that are no text and
    control characters are escaped, and a character that the font lacks is a box.
    """
    import matplotlib
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)
        text.set_text(_plain(text.get_text()))
    with (
        matplotlib.rc_context({"text.parse_math": False}),
        warnings.catch_warnings(),
        replacing(path) as part,
    ):
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(part, dpi=dpi, format="png")


@contextlib.contextmanager
def _own_backend() -> Iterator[None]:
    """Import matplotlib without $MPLBACKEND, which may name a backend that is absent."""
    named = os.environ.pop("MPLBACKEND", None)
    try:
        yield
    finally:
        if named is not None:
            os.environ["MPLBACKEND"] = named


def _plain(text: str) -> str:
    lines = text.encode("utf-8", "backslashreplace").decode().split("\n")
    return "\n".join(map(one_line_of, lines))


def _draw_order(axis, order: np.ndarray, seconds: float, steps: Sequence[int]) -> None:
    """Draw the decoding order of all levels (fig. 5)."""
    share = order / np.maximum(np.asarray(steps, float)[:, None], 1)
    axis.imshow(
        share,
        aspect="auto",
        interpolation="nearest",
        extent=(0, seconds, len(order) + 0.5, 0.5),
        vmin=0,
        vmax=1,
        cmap="viridis",
    )
    axis.set_title("revealed early (dark) to late (bright), per level", loc="left")
    axis.set_ylabel("level")
    axis.set_yticks(range(1, len(order) + 1))
