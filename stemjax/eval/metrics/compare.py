"""Two systems on the same examples: paired differences of their scores."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from stemjax.config.metrics import Metric
from stemjax.eval.metrics.jackknife import Estimate, difference
from stemjax.io.errors import UserError

CLEAR = 2.0  # standard errors
SHARED = {
    "ids": "examples",
    "references": "real stems",
    "seed": "seeds of the groups",
}
"""What two scores must have in common, and its name in errors."""


def compare(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    """Differences a - b of two reports of `score`, by metric.

    What both share (the real clips, hard contexts) cancels within each jackknife group:
    the error is that of the difference.

    Raises:
      UserError: reports of other examples, seeds, or versions of a metric.
    """
    for field, what in SHARED.items():
        if a.get(field) != b.get(field):
            raise UserError(f"the two scores have other {what}; score both on one set")
    result: dict[str, Any] = {}
    for name, (of_a, of_b) in _entries(a, b).items():
        if of_a.get("value") is None or of_b.get("value") is None:
            continue
        if of_a["id"] != of_b["id"]:
            raise UserError(
                f"{of_a['id']} and {of_b['id']} cannot be compared; score both alike"
            )
        found = difference(_estimate(of_a), _estimate(of_b))
        result[name] = {
            "id": of_a["id"],
            "a": of_a["value"],
            "b": of_b["value"],
            "difference": found.value,
            "se": found.se,
            "verdict": verdict(found.value, found.se),
        }
    return result


def _entries(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple]:
    """Metrics in their order, then the scores made elsewhere that both have."""
    found = {
        metric.value: tuple(r["metrics"].get(metric.value, {}) for r in (a, b))
        for metric in Metric
    }
    of_a, of_b = (r.get("imported", {}) for r in (a, b))
    return found | {name: (of_a[name], of_b[name]) for name in of_a if name in of_b}


def verdict(value: float, se: float) -> str:
    """ "a lower", "b lower", or "within noise" below two standard errors."""
    if not abs(value) > CLEAR * se:
        return "within noise"
    return "a lower" if value < 0 else "b lower"


def _estimate(entry: Mapping[str, Any]) -> Estimate:
    return Estimate(
        entry["value"],
        entry["se"],
        entry["corrected"],
        np.array(entry["groups"]),
        np.array(entry["sizes"]),
    )


def table(result: Mapping[str, Any]) -> str:
    """The differences as lines of text."""
    lines = [f"{'metric':<12}{'a':>10}{'b':>10}{'a - b':>11}{'+-':>9}  verdict"]
    lines += [
        f"{name:<12}{row['a']:10.4g}{row['b']:10.4g}{row['difference']:+11.4g}"
        f"{row['se']:9.2g}  {row['verdict']}"
        for name, row in result.items()
    ]
    return "\n".join(lines)
