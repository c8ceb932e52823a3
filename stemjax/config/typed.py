"""Plain values, as a file holds them, with the types of a dataclass's fields."""

import dataclasses
import enum
import math
import types
import typing
from typing import Any


def typed(hint: Any, value: Any) -> Any:
    """`value` as a field of type `hint` holds it: 3 for a float means 3.0.

    A list becomes a tuple, a word a member of an enum, a table a dataclass; what has
    the field's type already stays as it is.

    Raises:
      ValueError: a value of another type, or a number that is not finite.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        (inner,) = [a for a in arguments if a is not types.NoneType]
        return None if value is None else typed(inner, value)
    if origin is tuple:
        return _as_tuple(arguments, value)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return value if isinstance(value, hint) else _member(hint, value)
    if dataclasses.is_dataclass(hint):
        return value if isinstance(value, hint) else _from_table(hint, value)
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise ValueError(f"{value!r} should be {hint.__name__}")
    if hint is float and not math.isfinite(value):
        raise ValueError(f"{value!r} is no number for a setting")
    return value


def _as_tuple(arguments: tuple, value: Any) -> tuple:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{value!r} should be a list")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = arguments[:1] * len(value)
    if len(arguments) != len(value):
        raise ValueError(f"{value!r} should have {len(arguments)} values")
    return tuple(typed(a, v) for a, v in zip(arguments, value, strict=True))


def _member(kind: type[enum.Enum], value: Any) -> enum.Enum:
    names = {member.value: member for member in kind}
    if not isinstance(value, str) or value not in names:
        raise ValueError(
            f"{value!r} is not a valid {kind.__name__}: one of {', '.join(names)}"
        )
    return names[value]


def _from_table(kind: type, value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} should be a table")
    hints = typing.get_type_hints(kind)
    for name in value:
        if name not in hints:
            raise ValueError(f"{kind.__name__} has no field {name!r}")
    needed = [
        f.name
        for f in dataclasses.fields(kind)
        if f.default is f.default_factory is dataclasses.MISSING
    ]
    for name in needed:
        if name not in value:
            raise ValueError(f"{kind.__name__} needs a field {name!r}")
    return kind(**{name: typed(hints[name], part) for name, part in value.items()})
