"""Output that nobody reads, that its encoding lacks, or that has no room; Ctrl-C."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemjax.io import errors
from stemjax.io.errors import exit_on_bad_input, fail
from stemjax.io.process.stdio import PatientStream

ROOT = pathlib.Path(__file__).resolve().parents[3]
PRINTING = """
import sys
from stemjax.io.errors import exit_on_bad_input
with exit_on_bad_input():
    for _ in range(3):
        print("x" * 100_000)
        print("{text}", file=sys.stderr)
    open(sys.argv[1], "w").write("done")
"""


def run(tmp_path, shell, *, text="told", **environment):
    """Run the printing program within a shell line; "$@" is the program."""
    done = tmp_path / "done"
    command = [sys.executable, "-c", PRINTING.format(text=text), str(done)]
    ended = subprocess.run(
        ["bash", "-c", shell, "x", *command],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        timeout=60,
    )
    return ended.returncode, ended.stderr.decode(), done.is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    "shell",
    [
        '"$@" | true; exit ${PIPESTATUS[0]}',
        '"$@" | head -c 9 >&2; exit ${PIPESTATUS[0]}',
        '"$@" >&-',
        '"$@" 2>&- >&-',
        '"$@" 2>&1 | true; exit ${PIPESTATUS[0]}',
    ],
)
def test_work_goes_on_without_a_reader(tmp_path, shell):
    code, printed, is_done = run(tmp_path, shell)
    assert code == 0 and is_done
    assert set(printed.split()) <= {"told", "xxxxxxxxx", "xxxxxxxxxtold"}


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_no_room_for_the_output_is_one_line(tmp_path):
    code, printed, is_done = run(tmp_path, '"$@" > /dev/full')
    assert code == 2 and not is_done
    assert "error: No space left on device standard output" in printed.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_name_is_printed_in_any_encoding(encoding, tmp_path):
    text = r"\u66f2\udce9"
    code, printed, is_done = run(tmp_path, '"$@"', text=text, PYTHONIOENCODING=encoding)
    assert code == 0 and is_done and r"\udce9" in printed


def test_what_a_stream_has_no_reader_for_is_dropped():
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as stream:
        patient = PatientStream(stream, "standard output")
        assert patient.write("x" * 100_000) == 100_000
        patient.flush()
        print("more", file=patient, flush=True)
        assert patient.encoding == stream.encoding and not patient.isatty()


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_a_message_is_one_printable_line(text):
    line = errors.one_line_of(text)
    assert not line or line.isprintable()
    assert errors.one_line_of(line) == line


def test_an_escape_sequence_in_a_name_is_not_sent_to_the_terminal(capsys):
    with pytest.raises(SystemExit, match="2"):
        fail("a\x1b[31m.wav:\n not audio")
    assert capsys.readouterr().err == "error: a\\x1b[31m.wav: not audio\n"


def test_an_interrupt_is_one_line_and_130(capsys, monkeypatch):
    handlers = []
    monkeypatch.setattr(signal, "signal", lambda *pair: handlers.append(pair))
    for resumes, line in (
        (False, "interrupted\n"),
        (True, "interrupted: run the same command again to continue\n"),
    ):
        with pytest.raises(SystemExit, match="130"), exit_on_bad_input(resumes=resumes):
            raise KeyboardInterrupt
        assert capsys.readouterr().err == line
    assert handlers == [(signal.SIGINT, signal.SIG_DFL)] * 2


def test_too_little_memory_is_one_line(capsys):
    with pytest.raises(SystemExit, match="2"), exit_on_bad_input():
        raise MemoryError("Unable to allocate 1. TiB")
    assert "not enough memory (Unable to allocate 1. TiB)" in capsys.readouterr().err
