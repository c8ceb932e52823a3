"""Settings as plain JSON or TOML values, and back, by the types of dataclass fields."""

import dataclasses
import enum
import math
import types
import typing
from typing import Any


def to_json(value: Any) -> Any:
    """Plain JSON value of a dataclass, an enum member or a tuple, at any depth."""
    if dataclasses.is_dataclass(value):
        return {
            f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)
        }
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (tuple, list)):
        return [to_json(v) for v in value]
    return value


def from_json(kind: Any, value: Any) -> Any:
    """Value of type `kind` from a plain value; the inverse of `to_json`.

    An integer becomes a float, a list a tuple, a string an enum member and a table a
    dataclass, where `kind` wants one.  A value that has the type already is returned.

    Args:
      kind: type of a field: bool, int, float, str, an enum, a dataclass, `tuple[...]` or
        `... | None`.

    Raises:
      ValueError: a value of another type, a number that is not finite, or a table with
        an unknown or a missing field.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        (inner,) = [a for a in arguments if a is not types.NoneType]
        return None if value is None else from_json(inner, value)
    if origin is tuple:
        return _tuple(arguments, value)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return value if isinstance(value, kind) else _member(kind, value)
    if dataclasses.is_dataclass(kind):
        return value if isinstance(value, kind) else _from_table(kind, value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"{value!r} should be {kind.__name__}")
    if kind is float and not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    return value


def _tuple(arguments: tuple, value: Any) -> tuple:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{value!r} should be a list")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = arguments[:1] * len(value)
    if len(arguments) != len(value):
        raise ValueError(f"{value!r} should have {len(arguments)} values")
    return tuple(from_json(a, v) for a, v in zip(arguments, value, strict=True))


def _member(kind: type[enum.Enum], value: Any) -> enum.Enum:
    members = {member.value: member for member in kind}
    if not isinstance(value, str) or value not in members:
        raise ValueError(
            f"{value!r} is not a valid {kind.__name__}: one of {', '.join(members)}"
        )
    return members[value]


def _from_table(kind: type, value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} should be a table")
    types_of_fields = typing.get_type_hints(kind)
    for name in value:
        if name not in types_of_fields:
            raise ValueError(f"{kind.__name__} has no field {name!r}")
    for field in dataclasses.fields(kind):
        is_required = field.default is field.default_factory is dataclasses.MISSING
        if is_required and field.name not in value:
            raise ValueError(f"{kind.__name__} needs a field {field.name!r}")
    fields = {name: from_json(types_of_fields[name], v) for name, v in value.items()}
    return kind(**fields)
