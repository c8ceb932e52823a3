"""Decoding settings to compare: the paper's tables and named grids (StemGen, sec. 3.2).

A row is one population of generated stems. The settings of a row are assigned to the
examples in turn.
"""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import NamedTuple

from stemjax.config.decode import (
    BEST,
    DECODE_PRESETS,
    FAST,
    NAIVE,
    DecodeConfig,
)
from stemjax.config.metrics import Metric

LAMBDAS = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
"""Guidance scales above 1 of Table 1 (Assumption A26)."""
W_CAUSAL = (0.0, 0.1, 0.2, 0.5)
"""Causal bias weights w_s of Table 2."""
FAST_SECONDS = 5.0
"""Crop length of a `--fast` run, in seconds."""


class Claim(NamedTuple):
    """Ordering of two rows of a table by one metric; a lower value is better."""

    lower: str
    """Name of the row with the smaller distance."""
    higher: str
    """Name of the row with the larger distance."""
    strict: bool = True
    """Whether the claim is "<"; False means "<="."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableRow:
    """One population of generated stems in a table or a sweep."""

    name: str
    """Name of the row, unique within its table."""
    points: tuple[DecodeConfig, ...]
    """Decoding settings, assigned to the examples in turn."""
    paper: Mapping[Metric, float] = dataclasses.field(default_factory=dict)
    """Values that the paper reports, by metric."""
    is_second: bool = False
    """Whether the row needs the second model (the paper's, on its internal data)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PaperTable:
    """One table of the paper."""

    title: str
    """Heading of the table."""
    rows: tuple[TableRow, ...]
    """Rows in the paper's order."""
    sizes: tuple[int, ...]
    """Numbers of examples to report; the first is the headline."""
    claims: Mapping[Metric, tuple[Claim, ...]]
    """Orderings of the rows that the paper reports, by metric."""


def _paper(fad: float, mirdd: float) -> Mapping[Metric, float]:
    return {Metric.FAD: fad, Metric.MIRDD: mirdd}


def _same_claims(*claims: Claim) -> Mapping[Metric, tuple[Claim, ...]]:
    return {Metric.FAD: claims, Metric.MIRDD: claims}


def _guided(audio: float, instrument: float, w_causal: float) -> DecodeConfig:
    scales = (audio, instrument)
    return dataclasses.replace(BEST, scales=scales, w_causal=w_causal)


TABLE_1 = PaperTable(
    title="Ranges of guidance scales",
    rows=(
        TableRow(name="none", points=(NAIVE,), paper=_paper(4.30, 0.41)),
        # eq. 3 at 1, 1 is not the joint condition: p(t|a) p(t|i) / p(t)
        TableRow(name="eq. 3 at 1, 1", points=(_guided(1.0, 1.0, 0.0),)),
        TableRow(
            name="instrument > 1",
            points=tuple(_guided(1.0, x, 0.0) for x in LAMBDAS),
            paper=_paper(3.66, 0.26),
        ),
        TableRow(
            name="audio > 1",
            points=tuple(_guided(x, 1.0, 0.0) for x in LAMBDAS),
            paper=_paper(3.20, 0.29),
        ),
        TableRow(
            name="both > 1",
            points=tuple(
                _guided(a, i, 0.0) for a, i in itertools.product(LAMBDAS, LAMBDAS)
            ),
            paper=_paper(3.17, 0.25),
        ),
    ),
    sizes=(1000, 400),
    claims={
        Metric.FAD: (
            Claim("both > 1", "audio > 1", strict=False),
            Claim("audio > 1", "instrument > 1"),
            Claim("instrument > 1", "none"),
        ),
        Metric.MIRDD: (
            Claim("both > 1", "instrument > 1"),
            Claim("instrument > 1", "audio > 1"),
            Claim("audio > 1", "none"),
        ),
    },
)

TABLE_2 = PaperTable(
    title="Causal bias w_s",
    rows=tuple(
        TableRow(
            name=f"w_s {w:g}",
            points=(dataclasses.replace(BEST, w_causal=w),),
            paper=_paper(fad, mirdd),
        )
        for w, fad, mirdd in zip(
            W_CAUSAL, (3.18, 3.12, 3.13, 3.17), (0.32, 0.14, 0.18, 0.20), strict=True
        )
    ),
    sizes=(400, 1000),
    claims=_same_claims(
        Claim("w_s 0.1", "w_s 0"),
        Claim("w_s 0.1", "w_s 0.2"),
        Claim("w_s 0.2", "w_s 0.5"),
        Claim("w_s 0.5", "w_s 0"),
    ),
)

TABLE_3 = PaperTable(
    title="Best and naive settings",
    rows=(
        TableRow(name="naive", points=(NAIVE,), paper=_paper(4.3, 0.43)),
        TableRow(name="best", points=(BEST,), paper=_paper(3.12, 0.14)),
        TableRow(
            name="second naive",
            points=(NAIVE,),
            paper=_paper(3.39, 0.40),
            is_second=True,
        ),
        TableRow(
            name="second best", points=(BEST,), paper=_paper(1.96, 0.36), is_second=True
        ),
    ),
    sizes=(400,),
    claims=_same_claims(Claim("best", "naive"), Claim("second best", "second naive")),
)

TABLES: dict[int, PaperTable] = {1: TABLE_1, 2: TABLE_2, 3: TABLE_3}
"""Tables of the paper by number."""


def _axis(field: str, values: tuple) -> tuple[TableRow, ...]:
    return tuple(
        TableRow(
            name=f"{field} {value}",
            points=(dataclasses.replace(BEST, **{field: value}),),
        )
        for value in values
    )


GRIDS: dict[str, tuple[TableRow, ...]] = {
    "presets": tuple(
        TableRow(name=name, points=(config,)) for name, config in DECODE_PRESETS.items()
    ),
    "guidance": tuple(
        TableRow(name=f"scales {a:g}, {i:g}", points=(_guided(a, i, BEST.w_causal),))
        for a, i in itertools.product((1.0, *LAMBDAS), (1.0, *LAMBDAS))
    ),
    "causal-bias": _axis("w_causal", (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)),
    "confidence": _axis("w_conf", (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)),
    "temperature": _axis("temperature", (0.7, 0.8, 0.9, 1.0, 1.1, 1.2)),
    "steps": _axis(
        "steps",
        (FAST.steps, (16, 8, 4, 4), (32, 16, 8, 8), (64, 32, 16, 16), BEST.steps),
    ),
}
"""Named grids of `evaluate.py sweep`."""


def with_steps(
    rows: tuple[TableRow, ...], steps: tuple[int, ...]
) -> tuple[TableRow, ...]:
    """Copies of rows with other iterations per level, coarse first."""
    return tuple(
        dataclasses.replace(
            row, points=tuple(dataclasses.replace(p, steps=steps) for p in row.points)
        )
        for row in rows
    )
