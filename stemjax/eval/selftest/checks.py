"""Figures beside their bars, and the table that `evaluate.py selftest` prints of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Check(NamedTuple):
    """One figure beside its bar."""

    name: str
    value: float
    low: float
    """The least that passes; -inf: none."""
    high: float
    """The most that passes."""

    @property
    def has_passed(self) -> bool:
        return self.low <= self.value <= self.high


def at_least(name: str, value: float, bar: float) -> Check:
    return Check(name, float(value), bar, np.inf)


def at_most(name: str, value: float, bar: float) -> Check:
    return Check(name, float(value), -np.inf, bar)


def is_zero(name: str, value: float) -> Check:
    return Check(name, float(value), 0.0, 0.0)


def report_only(name: str, value: float) -> Check:
    return Check(name, float(value), -np.inf, np.inf)


def table(checks: Sequence[Check]) -> str:
    """The checks as lines of text."""
    width = max(len(check.name) for check in checks) + 2
    lines = [f"{'check':<{width}}{'value':>10}  bar"]
    for check in checks:
        bar = "printed only"
        if check.low == check.high:
            bar = f"= {check.low:g}"
        elif np.isfinite(check.low):
            bar = f">= {check.low:g}"
        elif np.isfinite(check.high):
            bar = f"<= {check.high:g}"
        verdict = (
            ""
            if bar == "printed only"
            else ("  ok" if check.has_passed else "  FAILED")
        )
        figure = _figure(check.value)
        lines.append(f"{check.name:<{width}}{figure:>10}  {bar}{verdict}")
    return "\n".join(lines)


def _figure(value: float) -> str:
    """Four digits after the point; errors of rounding, which these hide, by exponent."""
    if value == 0:
        return "0"
    return f"{value:.1e}" if abs(value) < 1e-3 else f"{value:.4f}"
