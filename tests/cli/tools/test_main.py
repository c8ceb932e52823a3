"""The command `stemjax`: its table of commands, help and errors."""

import importlib
import subprocess
import sys

import pytest

from stemjax.cli import main as cli
from tests.entry.programs import run

COMMANDS = (
    "sample layer edit batch demo prepare render tokens train runs export import-codec"
    " evaluate doctor"
)


def test_help_lists_every_command(capsys):
    for argv in ([], ["--help"], ["-h"]):
        cli.main(argv)
        printed = capsys.readouterr().out
        names = [line.split()[0] for line in printed.splitlines() if line[:2] == "  "]
        assert names == COMMANDS.split() == list(cli.COMMANDS)


def test_an_unknown_command_is_one_line_and_exit_2(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["smaple"])
    assert end.value.code == 2
    assert capsys.readouterr().err == "error: no command 'smaple'; see stemjax --help\n"


@pytest.mark.parametrize("name", COMMANDS.split())
def test_every_command_has_a_function_that_prints_help(name, capsys):
    command = cli.COMMANDS[name]
    assert callable(getattr(importlib.import_module(command.module), command.function))
    with pytest.raises(SystemExit) as end:
        cli.main([name, "--help"])
    assert end.value.code == 0
    assert f"stemjax {name}" in capsys.readouterr().out


def test_help_imports_neither_jax_nor_tyro():
    code = (
        "import sys; from stemjax.cli.main import main; main(['--help'])"
        "; sys.exit(bool({'jax', 'numpy', 'tyro'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.entry
def test_the_module_is_the_command():
    assert "usage: stemjax COMMAND" in run("-m", "stemjax", "--help").stdout
