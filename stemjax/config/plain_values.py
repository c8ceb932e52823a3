"""Settings as plain JSON or TOML values, and back, by the types of dataclass fields."""

import dataclasses
import enum
import functools
import hashlib
import json
import math
import types
import typing
from collections.abc import Callable
from typing import Any

Reader = Callable[[Any], Any]
"""Plain value -> value of one type; raises `FieldError`."""
_WORDS = {
    int: "an integer",
    float: "a number",
    bool: "true or false",
    str: "a text",
    types.NoneType: "null",
}
_SHOWN = 40  # characters of a wrong value in a message


class FieldError(ValueError):
    """A plain value without the type of its field; the message names the field."""

    def __init__(self, problem: str, path: str = ""):
        super().__init__(f"field {path}: {problem}" if path else problem)
        self.problem = problem
        """What is wrong, without the field."""
        self.path = path
        """The field, such as `layers[2].gain_db`; "" for the value itself."""

    def inside(self, outer: str) -> "FieldError":
        """The same error as seen from a value that holds this one at `outer`."""
        joint = "." if self.path and not self.path.startswith("[") else ""
        return FieldError(self.problem, f"{outer}{joint}{self.path}")


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
    if isinstance(value, dict):
        return {name: to_json(v) for name, v in value.items()}
    return value


def digest_of(settings: Any) -> str:
    """Hex SHA-256 of the fields of a dataclass that differ from their defaults.

    A field that a later version adds leaves the digests of older settings as they are.
    """
    text = json.dumps(_without_defaults(settings), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def from_json(kind: Any, value: Any) -> Any:
    """Value of type `kind` from a plain value; the inverse of `to_json`.

    An integer becomes a float, a list a tuple, a string an enum member and a table a
    dataclass, where `kind` wants one.  A value that has the type already is returned.
    A field that a table lacks gets its default.

    Args:
      kind: type of a field: bool, int, float, str, an enum, a dataclass, `tuple[...]`,
        `dict[str, ...]`, Any, or a union.  Of several dataclasses in a union, the one
        with the most fields of the table is read.

    Raises:
      FieldError: a value of another type, a number that is not finite, or a table with
        an unknown or a missing field.
    """
    return _reader(kind)(value)


@functools.cache
def _reader(kind: Any) -> Reader:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return lambda value: value
    if origin in (types.UnionType, typing.Union):
        return _union_reader(arguments)
    if origin is tuple:
        return _tuple_reader(arguments)
    if origin is dict:
        return _dict_reader(_reader(arguments[1]))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _enum_reader(kind)
    if dataclasses.is_dataclass(kind):
        return _dataclass_reader(kind)
    return _scalar_reader(kind)


def _scalar_reader(kind: type) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is kind:
            if kind is float and not math.isfinite(value):
                raise FieldError(f"{value} is not a finite number")
            return value
        if kind is float and type(value) is int:
            try:
                return float(value)
            except OverflowError:
                raise FieldError("the number is too large") from None
        raise _expected(_WORDS.get(kind, kind.__name__), value)

    return read


def _union_reader(kinds: tuple) -> Reader:
    tables = [kind for kind in kinds if dataclasses.is_dataclass(kind)]
    others = [kind for kind in kinds if kind not in tables]

    def read(value: Any) -> Any:
        if value is None and types.NoneType in others:
            return None
        if tables and (isinstance(value, dict) or dataclasses.is_dataclass(value)):
            return _reader(_closest(tables, value))(value)
        for kind in others:
            if type(value) is kind:
                return _reader(kind)(value)
        rest = [kind for kind in kinds if kind is not types.NoneType]
        if len(rest) == 1 or (float in rest and type(value) is int):
            return _reader(float if float in rest else rest[0])(value)
        words = sorted(_WORDS.get(k, "a table") for k in kinds)  # unions have no order
        raise _expected(" or ".join(words), value)

    return read


def _closest(kinds: list[type], value: Any) -> type:
    """The dataclass with the most fields of a table, or that of the value itself."""
    if not isinstance(value, dict):
        return type(value) if type(value) in kinds else kinds[0]
    return max(kinds, key=lambda kind: _count_known(kind, value))


def _count_known(kind: Any, value: Any) -> int:
    """Number of names in a table, and in the tables inside, that a dataclass has."""
    if not (dataclasses.is_dataclass(kind) and isinstance(value, dict)):
        return 0
    hints = typing.get_type_hints(kind)
    known = [field.name for field in dataclasses.fields(kind) if field.name in value]
    return sum(1 + _count_known(hints[name], value[name]) for name in known)


def _tuple_reader(kinds: tuple) -> Reader:
    is_open = len(kinds) == 2 and kinds[1] is Ellipsis
    readers = [_reader(kind) for kind in kinds if kind is not Ellipsis]

    def read(value: Any) -> tuple:
        if not isinstance(value, (list, tuple)):
            raise _expected("a list", value)
        if not is_open and len(value) != len(readers):
            raise FieldError(f"expected {len(readers)} values, got {len(value)}")
        some = readers * len(value) if is_open else readers
        return tuple(
            _inside(f"[{number}]", read_one, item)
            for number, (read_one, item) in enumerate(zip(some, value, strict=True))
        )

    return read


def _dict_reader(read_value: Reader) -> Reader:
    def read(value: Any) -> dict:
        if not isinstance(value, dict):
            raise _expected("a table", value)
        for name in value:
            if not isinstance(name, str):
                raise FieldError(f"{name!r} is not the name of a field")
        return {name: _inside(name, read_value, v) for name, v in value.items()}

    return read


def _enum_reader(kind: type[enum.Enum]) -> Reader:
    members = {member.value: member for member in kind}

    def read(value: Any) -> enum.Enum:
        if isinstance(value, kind):
            return value
        if not isinstance(value, str) or value not in members:
            raise _expected(f"one of {', '.join(members)}", value)
        return members[value]

    return read


def _dataclass_reader(kind: type) -> Reader:
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    readers = {name: _reader(hints[name]) for name in fields}
    required = [
        name
        for name, field in fields.items()
        if field.default is field.default_factory is dataclasses.MISSING
    ]

    def read(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        if not isinstance(value, dict):
            raise _expected("a table", value)
        for name in value:
            if name not in readers:
                raise FieldError(
                    f"unknown; one of {', '.join(readers)}", str(name)[:_SHOWN]
                )
        for name in required:
            if name not in value:
                raise FieldError("missing", name)
        values = {name: _inside(name, readers[name], v) for name, v in value.items()}
        try:
            return kind(**values)
        except ValueError as error:  # raised by the dataclass's check
            raise FieldError(str(error)) from None

    return read


def _inside(name: str, read: Reader, value: Any) -> Any:
    try:
        return read(value)
    except FieldError as error:
        raise error.inside(name) from None


def _expected(wanted: str, value: Any) -> FieldError:
    if isinstance(value, dict):
        got = "a table"
    elif isinstance(value, (list, tuple)):
        got = "a list"
    elif value is None or isinstance(value, (bool, str)):
        got = json.dumps(value, ensure_ascii=False)
    else:
        got = repr(value)
    if len(got) > _SHOWN:
        got = got[:_SHOWN] + "..."
    return FieldError(f"expected {wanted}, got {got}")


def _without_defaults(value: Any) -> Any:
    """`to_json` without the fields that have their default."""
    if isinstance(value, (tuple, list)):
        return [_without_defaults(item) for item in value]
    if not dataclasses.is_dataclass(value):
        return to_json(value)
    parts = {f: getattr(value, f.name) for f in dataclasses.fields(value)}
    return {
        f.name: _without_defaults(part)
        for f, part in parts.items()
        if part != f.default
    }
