"""Arguments of `stemjax sample|layer|edit|batch`."""

import types

import pytest
import tyro

from stemjax.cli.sample import layer
from stemjax.cli.sample import main as sample_main
from stemjax.config.decode import Guidance
from stemjax.io.audio_files.formats import AudioFormat
from stemjax.io.errors import UserError
from stemjax.io.process import allocator

REQUIRED = {
    "sample": [],
    "layer": ["--instruments", "bass"],
    "edit": ["--context", "a.wav", "--instrument", "bass"],
    "batch": ["--contexts", "folder"],
}


def parsed(monkeypatch, name, *words):
    """The arguments that `stemjax NAME` hands to its module."""
    received = []
    modules = {f"stemjax.cli.sample.{name}": types.SimpleNamespace(run=received.append)}
    loader = types.SimpleNamespace(import_module=modules.__getitem__)
    monkeypatch.setattr(sample_main, "importlib", loader)
    monkeypatch.setattr(allocator, "keep_memory", lambda: None)
    argv = [*REQUIRED[name], "--out", "o", *words]
    sample_main.run_command(name, argv, prog=f"stemjax {name}")
    return received[0]


@pytest.mark.parametrize("name", sample_main.COMMANDS)
def test_enums_are_lower_case_as_the_docs_write_them(monkeypatch, name):
    for guidance in Guidance:
        arguments = parsed(monkeypatch, name, "--guidance", guidance.value)
        assert arguments.settings() == {"guidance": guidance}
    with pytest.raises(SystemExit, match="2"):
        parsed(monkeypatch, name, "--guidance", "None")
    arguments = parsed(monkeypatch, name, "--format", "flac", "--steps", "4", "2")
    assert arguments.format is AudioFormat.FLAC
    assert arguments.settings() == {"steps": (4, 2)}


@pytest.mark.filterwarnings("ignore:get_parser")
@pytest.mark.parametrize("name", sample_main.COMMANDS)
def test_every_flag_has_a_help_text(name):
    parser = tyro.extras.get_parser(sample_main.COMMANDS[name])
    flags = {a.option_strings[0]: a.help for a in parser._actions if a.option_strings}
    assert {"--seed", "--variations", "--allow-silent-context", "--top-p"} < set(flags)
    for flag, text in flags.items():
        words = text.partition("(")[0].split()
        assert len(words) >= 3 or flag == "--help", flag


@pytest.mark.parametrize("file", ["sample.json", "edit.json"])
def test_a_new_session_overwrites_no_other_result(tmp_path, file):
    (tmp_path / file).write_text("{}")
    with pytest.raises(UserError, match=f"holds {file} of another command"):
        layer.check_folder(tmp_path)
    (tmp_path / "session.json").write_text("{}")
    layer.check_folder(tmp_path)
