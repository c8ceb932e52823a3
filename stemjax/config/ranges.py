"""Ranges of settings, checked when a dataclass of settings is made."""

from typing import Any

Range = tuple[float, float]
"""Least and largest value."""


def check_ranges(settings: Any, **ranges: Range) -> None:
    """Check numbers of a dataclass, or every number of a tuple, by their fields.

    Raises:
      ValueError: a number out of its range, NaN included; names the field.
    """
    for name, (least, most) in ranges.items():
        value = getattr(settings, name)
        for number in value if isinstance(value, tuple) else (value,):
            if not least <= number <= most:
                raise ValueError(f"{name} must be in {least:g}..{most:g}, got {number}")
