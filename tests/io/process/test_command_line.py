"""Arguments of commands, and the one line about bad ones."""

import dataclasses
import pathlib
import re
from typing import Annotated, Literal

import pytest
import tyro
from hypothesis import given, settings
from hypothesis import strategies as st

from stemjax.config.numbers import CheckedNumbers, Fraction, Seed, Steps
from stemjax.io.process.command_line import one_line, parse


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inner(CheckedNumbers):
    rate: float = 1.0
    """Rate of something that takes a sentence which is so long that a box wraps it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(CheckedNumbers):
    """A command."""

    out: pathlib.Path
    """Folder to write."""
    name: str | None = None
    """Name of something."""
    seed: Seed = 0
    """Seed of the draws."""
    steps: tuple[Steps, ...] | None = None
    """Numbers of steps."""
    share: Fraction | None = None
    """Share of something."""
    start: Annotated[float, tyro.conf.arg(name="from")] = 0.0
    """Start of something."""
    mode: Literal["fast", "best"] = "fast"
    """How something is done."""
    inner: Inner = Inner()


def error_of(capsys, *words) -> str:
    with pytest.raises(SystemExit, match="2"):
        parse(Arguments, words, prog="stemjax it")
    printed = capsys.readouterr()
    assert not printed.out and printed.err.count("\n") == 1
    assert printed.err.startswith("error: ")
    assert printed.err.endswith("; see stemjax it --help\n")
    return printed.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--seed -1", "--seed -1: give a whole number from 0 to 2147483647;"),
        ("--seed=4294967296", "--seed 4294967296: give a whole number"),
        ("--seed many", "--seed many: give a whole number"),
        ("--steps 8 0 2", "--steps 0: give a whole number from 1 to 2047;"),
        ("--share 1.5", "--share 1.5: give a number from 0 to 1;"),
        ("--from nan", "--from nan: give a finite number;"),
        ("--inner.rate inf", "--inner.rate inf: give a finite number;"),
        ("--mode loud", "invalid choice 'loud' for argument '--mode'"),
        ("--seed", "Missing value for argument '--seed'"),
        ("--sede 3", "did you mean --seed?;"),
        ("extra", "Unrecognized options: extra;"),
        (f"extra{'a' * 300}", f"Unrecognized options: extra{'a' * 300};"),
    ],
)
def test_bad_arguments_are_one_line(capsys, words, message):
    assert message in error_of(capsys, "--out", "o", *words.split())


def test_an_empty_text_is_no_value(capsys):
    for flag in ("--out", "--name"):
        message = error_of(capsys, "--out", "o", flag, "")
        assert f"{flag} '': give a value, or leave the flag out" in message


def test_a_missing_flag_is_named_with_its_command(capsys):
    assert "Missing from stemjax it: --out PATH" in error_of(capsys)


def test_good_arguments_are_read():
    words = "--out o --steps 8 2 --share 0.5 --name x --mode best --inner.rate 2"
    arguments = parse(Arguments, words.split(), prog="stemjax it")
    assert arguments == Arguments(
        out=pathlib.Path("o"),
        steps=(8, 2),
        share=0.5,
        name="x",
        mode="best",
        inner=Inner(rate=2.0),
    )


def test_help_has_words_for_flags_without_a_value(capsys):
    with pytest.raises(SystemExit) as end:
        parse(Arguments, ["--help"], prog="stemjax it")
    assert not end.value.code
    text = capsys.readouterr().out
    assert "None" not in text and "|" not in text.replace("│", "")
    assert re.search(r"--name STR +Name of something. \(default: none\)", text)
    assert "--steps [INT [INT ...]]" in text and "--share FLOAT" in text


def test_errors_do_not_depend_on_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert "--share 1.5: give a number from 0 to 1;" in error_of(
        capsys, "--out", "o", "--share", "1.5"
    )
    assert pathlib.os.environ["COLUMNS"] == "40"


@settings(max_examples=40, deadline=None, derandomize=True)
@given(words=st.lists(st.text(max_size=12), max_size=4))
def test_any_words_are_arguments_or_one_line(words):
    import contextlib
    import io

    errors = io.StringIO()
    if {"-h", "--help"} & set(words) or any(w.startswith("--tyro") for w in words):
        return
    with contextlib.redirect_stderr(errors):
        try:
            parse(Arguments, ["--out", "o", *words], prog="stemjax it")
        except SystemExit as end:
            assert end.code == 2
            text = errors.getvalue()
            assert text.startswith("error: ") and text.endswith("--help\n")
            assert text.count("\n") == 1


@pytest.mark.parametrize("rule", ["─", "-"])
def test_a_box_with_and_without_drawn_lines(rule):
    rows = [
        "Unrecognized options: --sede, 3",
        rule * 8,
        "Perhaps you meant:",
        "    --seed INT",
        "        Seed of the draws.",
        "    --speed INT",
        rule * 8,
        "For full helptext, run it --help",
    ]
    if rule == "-":
        lines = [
            " Unrecognized options",
            " " + rule * 8,
            *(f"  {r}" for r in rows),
            " ",
        ]
    else:
        lines = ["╭─ Unrecognized ─╮", *(f"│ {r:40} │" for r in rows), "╰────╯"]
    box = "\n".join(f"\x1b[31m{line}\x1b[0m" for line in lines) + "\n"
    assert one_line(box) == (
        "Unrecognized options: --sede, 3; did you mean --seed or --speed?"
    )
