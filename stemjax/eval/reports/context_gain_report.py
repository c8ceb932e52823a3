"""Context gain of a model as lines of text."""

from collections.abc import Mapping
from typing import Any


def table(report: Mapping[str, Any]) -> str:
    """The report of `studies.context_gain.measure`, one line per level, coarsest first."""
    lines = [
        f"Context gain, {report['unit']}, {report['weights']} weights: cross-entropy"
        " with another song's context minus that with the right context",
        *_rows(report["levels"]),
    ]
    other = report.get("against")
    if other:
        name = " ".join(map(str, other["checkpoint"].values()))
        lines += ["", f"{name} on the same pairs", *_rows(other["levels"])]
        lines += [
            "",
            f"Paired difference from {name}: of the gain, and of the cross-entropy with"
            " the right context (negative is better)",
            "level    gain   95 % interval      right   95 % interval",
            *(
                f"{level:>5} {row['gain_nats']:+.4f}  {_interval(row):<18}"
                f" {row['own']['gain_nats']:+.4f}  {_interval(row['own'])}"
                for level, row in other["difference"].items()
            ),
        ]
    return "\n".join(lines)


def _rows(levels: Mapping[str, Any]) -> list[str]:
    lines = [
        "level    gain   95 % interval      right   other    none  over none"
        "  95 % interval       pairs  songs",
    ]
    for level, row in levels.items():
        over = row["over_null"]
        lines.append(
            f"{level:>5} {row['gain_nats']:+.4f}  {_interval(row):<18}"
            f" {row['own_nats']:7.4f} {row['other_nats']:7.4f} {row['null_nats']:7.4f}"
            f"    {over['gain_nats']:+.4f}  {_interval(over):<18}"
            f" {row['n_pairs']:6d} {row['n_songs']:6d}"
        )
    return lines


def _interval(row: Mapping[str, Any]) -> str:
    if row["low"] is None:
        return "needs 2 songs"
    return f"{row['low']:+.4f} to {row['high']:+.4f}"
