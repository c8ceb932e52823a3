"""The command line: arguments of one command, and errors about them as one line.

tyro parses; it prints an error as a box of many lines, from which `parse` makes one.
"""

import contextlib
import dataclasses
import io
import os
import pathlib
import re
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from stemjax.io.errors import fail

WIDE = "10000"
"""Columns of a box whose lines are not wrapped."""
SUGGESTIONS = 3
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_RULE = re.compile(r"[─-]*")
_TEXT_INDENT = 8  # of help texts inside a box


def parse(kind: Any, argv: Sequence[str] | None, *, prog: str, **options: Any) -> Any:
    """The arguments of a command; bad ones end the process with one line, status 2.

    Args:
      kind: dataclass of the arguments, or a union of them.
      argv: words after the command's name; None: those of this process.
      prog: the command as help and messages name it.
      **options: further options of `tyro.cli`.
    """
    import tyro

    box = io.StringIO()
    try:
        with rules(), _unwrapped(argv), contextlib.redirect_stderr(box):
            return tyro.cli(
                kind,
                args=argv,
                prog=prog,
                config=(tyro.conf.EnumChoicesFromValues,),
                **options,
            )
    except SystemExit as end:
        if not end.code:
            raise
        message = one_line(box.getvalue())
    except ValueError as error:  # of the outermost dataclass
        message = str(error)
    fail(f"{message}; see {prog} --help")


def one_line(box: str) -> str:
    """The message in a box of tyro: what is wrong, and flags of similar names."""
    sections: list[list[str]] = [[]]
    title, *lines, _ = _ANSI.sub("", box).split("\n")[:-1]
    if title.startswith(" "):  # drawn without lines, because stdout is not UTF-8
        lines = lines[1:]
    for line in lines:
        row = line[2:].removesuffix("│").rstrip()
        if _RULE.fullmatch(row):
            sections.append([])
        elif len(row) - len(row.lstrip()) < _TEXT_INDENT:
            sections[-1].append(row.strip())
    message = " ".join(sections[0])
    for first, *flags in filter(None, sections[1:]):
        if first.startswith(("Perhaps you meant", "Arguments similar")):
            names = [flag.split()[0] for flag in flags if flag.startswith("--")]
            message += f"; did you mean {' or '.join(names[:SUGGESTIONS])}?"
        elif first.startswith("Available subcommands"):
            message += f"; give one of {first.partition(': ')[2]}"
    return re.sub(r"^Error parsing (\S+): ", r"\1 ", message).rstrip(".")


@contextlib.contextmanager
def _unwrapped(argv: Sequence[str] | None) -> Iterator[None]:
    """Boxes as wide as their text, except for help."""
    if {"-h", "--help"} & set(argv or ()):
        yield
        return
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = WIDE
    try:
        yield
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before


def rules() -> Any:
    """How values are read: no text is empty, no number is NaN, optional ones are plain.

    Returns:
      A registry of tyro, which is a context manager.
    """
    from tyro.conf import UseAppendAction
    from tyro.constructors import (
        ConstructorRegistry,
        PrimitiveConstructorSpec,
        PrimitiveTypeInfo,
    )

    from stemjax.config.numbers import PLAIN

    registry = ConstructorRegistry()

    def spec_of(kind: Any, info: PrimitiveTypeInfo) -> Any:
        return registry.get_primitive_spec(PrimitiveTypeInfo.make(kind, info.markers))

    @registry.primitive_rule
    def number(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
        return spec_of(PLAIN[info.type], info) if info.type in PLAIN else None

    @registry.primitive_rule
    def text(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
        if info.type not in (str, pathlib.Path):
            return None
        return PrimitiveConstructorSpec(
            nargs=1,
            metavar="STR" if info.type is str else "PATH",
            instance_from_str=lambda words: info.type(_not_empty(words[0])),
            is_instance=lambda value: isinstance(value, info.type),
            str_from_instance=lambda value: [str(value)],
        )

    @registry.primitive_rule
    def optional(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
        """`T | None` is written as T; leaving the flag out is None."""
        kinds = typing.get_args(info.type)
        if info.type_origin not in (types.UnionType, typing.Union) or len(kinds) != 2:
            return None
        inner = [kind for kind in kinds if kind is not types.NoneType]
        spec = spec_of(inner[0], info)
        if len(inner) != 1 or not isinstance(spec, PrimitiveConstructorSpec):
            return None
        return dataclasses.replace(
            spec,
            is_instance=lambda value: value is None or spec.is_instance(value),
            str_from_instance=lambda value: (
                ["none"] if value is None else spec.str_from_instance(value)
            ),
        )

    @registry.primitive_rule
    def several(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
        """`tuple[T, ...]`; the error of one value is not hidden."""
        kinds = typing.get_args(info.type)
        if info.type_origin is not tuple or kinds[1:] != (Ellipsis,):
            return None
        spec = spec_of(kinds[0], info)
        if UseAppendAction in info.markers or getattr(spec, "nargs", 0) != 1:
            return None
        return PrimitiveConstructorSpec(
            nargs="*",
            metavar=f"[{spec.metavar} [{spec.metavar} ...]]",
            instance_from_str=lambda words: tuple(
                spec.instance_from_str([word]) for word in words
            ),
            is_instance=lambda value: (
                isinstance(value, tuple) and all(map(spec.is_instance, value))
            ),
            str_from_instance=lambda values: [
                word for value in values for word in spec.str_from_instance(value)
            ],
            choices=spec.choices,
        )

    return registry


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("'': give a value, or leave the flag out")
    return text
