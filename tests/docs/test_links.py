"""The pages name only links, files, modules, commands and flags that exist."""

import ast
import contextlib
import functools
import importlib
import io
import re
import sys
from collections.abc import Callable

import pytest
import tyro

from docs.build_api import public_modules
from tests.docs.pages import HISTORY, PAGES, ROOT, command_in, read

ALL = [read(path) for path in PAGES]
pages = pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
current = pytest.mark.parametrize(
    "page",
    [page for page in ALL if page.name not in HISTORY],
    ids=lambda page: page.name,
)
TOPS = ("stemjax", "data", "docs", "tests", "examples", "benchmarks")
SCRIPTS = {
    "sample.py": "stemjax.cli.sample.main",
    "train.py": "stemjax.cli.train.main",
    "evaluate.py": "stemjax.cli.evaluate.main",
    "stemjax": "stemjax.cli.main",
    "examples/bundle/bundle.py": "examples.bundle.bundle",
}
# one training preset of each kind has the flags of all
HELPS = [
    *(["sample"], ["layer"], ["edit"], ["batch"], ["demo"], ["doctor"]),
    *(["prepare"], ["render"], ["tokens"], ["runs"], ["export"], ["import-codec"]),
    *(["train", "stemgen-mini"], ["train", "codec-mini-adversarial"]),
]


class Parsed(BaseException):
    """Raised in place of running a command."""


@pytest.fixture(autouse=True)
def only_parse(monkeypatch):
    """Commands end when tyro has parsed their arguments."""
    parse = tyro.cli

    def parse_and_stop(*args, **options):
        parse(*args, **options)
        raise Parsed

    monkeypatch.setattr(tyro, "cli", parse_and_stop)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("signal.signal", lambda *_: None)


@functools.cache
def error_of(program: str, *argv: str) -> str:
    """The error that a command prints about its arguments; empty if they are good."""
    module = importlib.import_module(SCRIPTS.get(program) or module_to_run(program))
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(errors):
            sys_argv(module.main, program, *argv)
    except Parsed:
        return ""
    except SystemExit as end:
        return errors.getvalue() if end.code else ""
    return ""


def module_to_run(name: str) -> str:
    """The module that `python -m NAME` runs; `data` is `stemjax.data`."""
    name = f"stemjax.{name}" if name.split(".")[0] == "data" else name
    folder = (ROOT / name.replace("stemjax.data", "data").replace(".", "/")).is_dir()
    return f"{name}.__main__" if folder else name


def evaluate_commands() -> list[str]:
    """The subcommands of `stemjax evaluate`."""
    from stemjax.cli.evaluate.main import COMMANDS

    return list(COMMANDS)


@functools.cache
def known_flags() -> set[str]:
    """Every flag of every command."""
    text = io.StringIO()
    from stemjax.cli.main import main

    for words in [*HELPS, *(["evaluate", name] for name in evaluate_commands())]:
        with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
            main([*words, "--help"])
    script = importlib.import_module(SCRIPTS["examples/bundle/bundle.py"])
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        script.main(["--help"])
    return set(re.findall(r"--[a-z][\w.-]*", text.getvalue()))


def sys_argv(function: Callable[[], None], *words: str) -> None:
    """Call a command that reads sys.argv."""
    before, sys.argv = sys.argv, list(words)
    try:
        function()
    finally:
        sys.argv = before


@pages
def test_links_lead_somewhere(page):
    for link in page.links():
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.path.parent / name) if name else page.path
        assert target.exists(), link
        if anchor:
            assert anchor in read(target).slugs(), link


@current
def test_paths_exist(page):
    for span in page.spans():
        path = span.split(":")[0]
        if re.fullmatch(rf"({'|'.join(TOPS)})/[\w./*-]*", path):
            assert list(ROOT.glob(path)), span
        elif re.fullmatch(r"[\w-]+/[\w/-]+\.py", path):
            assert (ROOT / "stemjax" / path).is_file(), span


def names_something(dotted: str) -> bool:
    """Whether a.b.c is a module of the project or a name that a module defines."""
    path = ROOT
    parts = dotted.replace("stemjax.data", "data").split(".")
    while parts and (path / parts[0]).is_dir():
        path /= parts.pop(0)
    file = path / f"{parts[0]}.py" if parts else path / "__init__.py"
    if parts and file.is_file():
        parts.pop(0)
    else:
        file = path / "__init__.py"
    if not parts:
        return True
    return file.is_file() and bool(re.search(rf"\b{parts[0]}\b", file.read_text()))


@current
def test_modules_and_names_exist(page):
    for span in page.spans():
        if re.fullmatch(r"stemjax(\.\w+)+", span):
            assert names_something(span), span
    for language, code in page.blocks:
        if language == "python":
            for node in ast.walk(ast.parse(code)):
                if isinstance(node, ast.ImportFrom):
                    for alias in node.names:
                        dotted = f"{node.module}.{alias.name}"
                        assert names_something(dotted) or node.module == "numpy", dotted


@current
def test_commands_parse(page):
    for words in page.commands():
        assert not (error := error_of(*words)), f"{' '.join(words)}\n{error}"


@current
def test_inline_commands_and_flags_exist(page):
    for span in page.spans():
        if span.startswith("--"):
            flag = re.split(r"[ =]", span)[0]
            assert flag.rstrip("*.") in known_flags() or (
                flag.endswith("*")
                and any(known.startswith(flag[:-1]) for known in known_flags())
            ), span
        elif span.startswith(("stemjax ", "python ")):
            words = command_in(f"{span.replace(' ...', '')} ")
            if not words or any(word.isupper() for word in words[1:2]):
                continue
            for name in names_in(words):
                assert not (error := error_of(*name, "--help")), f"{span}\n{error}"
            for flag in re.findall(r"--[a-z][\w.-]*", span):
                assert flag in known_flags(), span


def names_in(words: list[str]) -> list[list[str]]:
    """The program and the subcommands of an inline command; a|b is both."""
    program, *rest = words
    depth = 0 if program not in SCRIPTS else 2 if rest[:1] == ["evaluate"] else 1
    chosen = [word for word in rest[:depth] if re.fullmatch(r"[a-z][a-z|-]*", word)]
    if chosen[-1:] and "|" in chosen[-1]:
        return [[program, *chosen[:-1], each] for each in chosen[-1].split("|")]
    return [[program, *chosen]]


def test_the_index_lists_every_page_and_the_guide_every_command():
    index = read(ROOT / "docs" / "index.md")
    named = {
        (index.path.parent / link.split("#")[0]).resolve() for link in index.links()
    }
    pages_of_docs = {path for path in PAGES if path.parent == index.path.parent}
    assert pages_of_docs - named == {index.path}
    guide = read(ROOT / "docs" / "evaluation.md")
    assert set(evaluate_commands()) <= set(guide.spans())


def test_the_api_page_lists_modules():
    assert len(public_modules()) > 10
    assert all(map(names_something, public_modules()))


def test_the_checks_can_fail():
    assert error_of("stemjax", "evaluate", "no-such-command")
    assert error_of("train.py", "stemgen-mini", "--no-such-flag", "1")
    assert not error_of("stemjax", "sample", "--out", "x")
    assert not names_something("stemjax.nowhere")
    assert not names_something("stemjax.config.decode.NoSuchName")
    assert names_something("stemjax.config.decode.DecodeConfig")
    assert command_in('x && .venv/bin/stemjax sample --seed "$SEED"  # y') == [
        "stemjax",
        "sample",
        "--seed",
        "1",
    ]
