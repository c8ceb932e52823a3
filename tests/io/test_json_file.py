"""JSON files: bounds, types, and one line for each damage."""

import dataclasses
import math

import pytest

from stemjax.io.errors import UserError
from stemjax.io.json_file import json_text, read_as, read_json, write_json


@dataclasses.dataclass(frozen=True)
class Track:
    """A type of file for these tests."""

    gain: float
    name: str = "bass"


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"b": [1, None, True], "a": 0.1})
    assert path.read_text().startswith('{\n  "a": 0.1,')
    assert read_json(path, mend="") == {"a": 0.1, "b": [1, None, True]}
    with pytest.raises(ValueError):
        write_json(path, {"a": math.nan})
    assert read_json(path, mend="")["a"] == 0.1 and len(list(tmp_path.iterdir())) == 1
    assert json_text({"b": 1, "a": 2}) == '{"a": 2, "b": 1}'


def test_a_byte_order_mark_is_passed_over(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf" + b'{"gain": 2}\r\n')
    assert read_as(Track, path, mend="") == Track(2.0)


FAULTS = {
    "cut": (b'{"gain": 1', "not JSON (Expecting ',' delimiter"),
    "empty": (b"", "not JSON (Expecting value"),
    "Latin-1": ('{"name": "é"}'.encode("latin-1"), "not JSON (not UTF-8)"),
    "deep": (b"[" * 200_000, "not JSON (nested too deep)"),
    "NaN": (b'{"gain": NaN}', "not JSON (NaN is not a number)"),
    "huge": (b'{"gain": 1e999}', "not JSON (1e999 is too large)"),
    "long number": (b'{"gain": ' + b"9" * 9999 + b"}", "not JSON (Exceeds the limit"),
    "integer beyond floats": (b'{"gain": ' + b"9" * 999 + b"}", "gain: the number is"),
    "twice": (b'{"gain": 1, "gain": 2}', "not JSON (the key 'gain' occurs twice)"),
    "list": (b"[]", "expected a table, got a list; make it again"),
    "missing": (b"{}", "field gain: missing; make it again"),
    "mistyped": (
        b'{"gain": "loud"}',
        'field gain: expected a number, got "loud"; make',
    ),
    "unknown": (b'{"gain": 1, "x": 1}', "field x: unknown; one of gain, name; make it"),
}


@pytest.mark.parametrize("content, said", FAULTS.values(), ids=FAULTS)
def test_damage_is_one_line_that_names_the_file(tmp_path, content, said):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_as(Track, path, mend="make it again")
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and said in message
    assert "\n" not in message and len(message) < 300 + len(str(path))


def test_what_is_no_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"x: no such file; copy it"):
        read_json(tmp_path / "x", mend="copy it")
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\); copy it"):
        read_json(tmp_path, mend="copy it")


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.truncate(1 << 31)
    with pytest.raises(UserError, match="larger than 1073741824 bytes; copy it"):
        read_json(path, mend="copy it")
