"""Numbers with ranges: one type for each meaning, on the command line and in Python.

A field `seed: Seed` refuses a value outside its range where a user writes `--seed`, and,
if its dataclass is `CheckedNumbers`, where Python code makes one.  No field of type float
holds NaN or Inf.
"""

import dataclasses
import functools
import math
import numbers
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any

from tyro.constructors import PrimitiveConstructorSpec

MAX_INT = 2**31 - 1
"""Largest integer of any field: devices count in 32 bits."""
MIN_EXAMPLES = 4
"""Fewest examples whose score has an error."""
MAX_STEPS = 2047
"""Most decoding steps of a codec level."""
MAX_SECONDS = 3600
"""Longest audio that is made or drawn, s."""


@dataclasses.dataclass(frozen=True)
class NumberRange:
    """Numbers that a field may hold."""

    kind: type
    """int or float."""
    least: float
    most: float
    words: str
    """The range in words, after "give"."""
    is_open: bool = False
    """Whether `least` itself is outside."""

    def holds(self, value: Any) -> bool:
        """Whether a value is a number of this range."""
        kind = numbers.Integral if self.kind is int else numbers.Real
        if not isinstance(value, kind) or isinstance(value, bool):
            return False
        is_low = value <= self.least if self.is_open else value < self.least
        return math.isfinite(value) and not is_low and value <= self.most

    def parse(self, text: str) -> Any:
        """The number that a user wrote.

        Raises:
          ValueError: no number of the range: "TEXT: give ...".
        """
        try:
            value = self.kind(text)
        except ValueError:
            value = None
        if not self.holds(value):
            raise ValueError(f"{text}: give {self.words}")
        return value


def _annotated(limits: NumberRange) -> Any:
    """The type of the numbers of a range, for dataclass fields and for tyro."""
    kind = limits.kind
    spec = PrimitiveConstructorSpec(
        nargs=1,
        metavar=kind.__name__.upper(),
        instance_from_str=lambda texts: limits.parse(texts[0]),
        is_instance=lambda value: isinstance(value, (int, kind)),
        str_from_instance=lambda value: [str(value)],
    )
    return Annotated[kind, limits, spec]


def whole(least: int, most: int = MAX_INT) -> Any:
    """Type of the whole numbers from `least` to `most`."""
    if most == MAX_INT and least > 0:
        words = f"a whole number, {least} or more"
    else:
        words = f"a whole number from {least} to {most}"
    return _annotated(NumberRange(int, least, most, words))


def real(least: float, most: float, words: str = "", *, is_open: bool = False) -> Any:
    """Type of the finite numbers from `least` (not itself if `is_open`) to `most`."""
    words = words or f"a number from {least:g} to {most:g}"
    return _annotated(NumberRange(float, least, most, words, is_open))


Seed = whole(0)
"""Seed of random draws."""
Count = whole(1)
"""Number of things, at least one."""
Amount = whole(0)
"""Number of things, perhaps none."""
Width = whole(1, 65_536)
"""Length of an array's axis, kernel or stride."""
Depth = whole(0, 1_000)
"""Layers of one type in a network, perhaps none."""
Layers = whole(1, 1_000)
"""Layers of a network."""
Levels = whole(1, 256)
"""Codebook levels."""
SampleRate = whole(1, 1_000_000)
"""Hz."""
Frames = whole(1, 10_000_000)
"""Length in frames."""
Bytes = whole(0, 2**62)
"""Size of a file, or place in one; 64 bits."""
Decibels = real(-200, 200)
"""Level or gain."""
Variations = whole(1, 999)
"""Stems that differ only in their draws."""
BeatsPerBar = whole(1, 16)
"""Metre."""
Port = whole(1, 65_535)
"""TCP port."""
Examples = whole(MIN_EXAMPLES)
"""Examples of a population that is scored."""
Steps = whole(1, MAX_STEPS)
"""Decoding steps of a codec level."""
Finite = real(-math.inf, math.inf, "a finite number")
"""Any number but NaN and Inf."""
Positive = real(0, math.inf, "a number above 0", is_open=True)
NonNegative = real(0, math.inf, "a number, 0 or more")
Bpm = real(20, 400)
"""Tempo, beats per minute."""
Fraction = real(0, 1)
"""Share or probability, 0 and 1 included."""
Portion = real(0, 1, "a number above 0 and at most 1", is_open=True)
"""Share that is not empty."""
Decay = real(0, math.nextafter(1, 0), "a number from 0 to below 1")
"""Decay of an average per step."""
Devices = whole(-1)
"""Devices on an axis of the mesh; -1 are the ones that are left."""
CropSeconds = real(
    0, MAX_SECONDS, f"a number above 0 and at most {MAX_SECONDS}", is_open=True
)
"""Length of a training crop, s."""
ClipSeconds = real(1, MAX_SECONDS)
"""Length of a clip, s."""
Seconds = real(0, MAX_SECONDS)
"""Length that may be nothing, s."""

PLAIN = {float: Finite, int: whole(-MAX_INT)}
"""Types of the numbers of fields that have no type of this module."""


class CheckedNumbers:
    """Base of dataclasses whose numbers are checked when one is made."""

    def __post_init__(self):
        check_numbers(self)


def check_numbers(settings: Any) -> None:
    """Check every number of a dataclass against the type of its field.

    Raises:
      ValueError: "FIELD VALUE: give ...".
    """
    for name, kind in _kinds_of_numbers(type(settings)):
        check_number(kind, getattr(settings, name), name)


def check_number(kind: Any, value: Any, name: str) -> None:
    """Check a number, or each number of a tuple, against its type.

    Args:
      kind: a type of this module, a tuple of it, or either with `| None`.

    Raises:
      ValueError: "NAME VALUE: give ...".
    """
    for limits, number in _numbers_in(kind, value):
        if not limits.holds(number):
            raise ValueError(f"{name} {number}: give {limits.words}")


@functools.cache
def _kinds_of_numbers(settings: type) -> tuple[tuple[str, Any], ...]:
    kinds = typing.get_type_hints(settings, include_extras=True)
    names = (field.name for field in dataclasses.fields(settings))
    return tuple((name, kinds[name]) for name in names)


def _numbers_in(kind: Any, value: Any) -> Iterator[tuple[NumberRange, Any]]:
    """(range, number) of each number that a value of type `kind` holds."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in PLAIN:
        yield from _numbers_in(PLAIN[kind], value)
    elif origin is Annotated:
        limits = [a for a in arguments[1:] if isinstance(a, NumberRange)]
        if limits:
            yield limits[0], value
        else:
            yield from _numbers_in(arguments[0], value)
    elif origin in (types.UnionType, typing.Union) and value is not None:
        inner = [a for a in arguments if a is not types.NoneType]
        if len(inner) == 1:
            yield from _numbers_in(inner[0], value)
    elif origin is tuple:
        is_endless = len(arguments) == 2 and arguments[1] is Ellipsis
        inner = arguments[:1] * len(value) if is_endless else arguments
        for element_kind, element in zip(inner, value, strict=True):
            yield from _numbers_in(element_kind, element)
