"""CSV tables as spreadsheets write them, and one line for each fault."""

import pytest

from stemjax.io.errors import UserError
from stemjax.io.table_file import read_csv

WHOLE = {
    "commas": b"id,value\na,1\nb,2\n",
    "semicolons": b"id;value\na;1\nb;2\n",
    "tabs": b"id\tvalue\na\t1\nb\t2\n",
    "BOM and Windows lines": b"\xef\xbb\xbfid,value\r\na,1\r\nb,2\r\n",
    "spaces and empty lines": b"\n id , value\n\na, 1 \n , \nb,2",
    "quotes": b'"id","value"\n"a","1"\n"b","2"\n',
}


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE)
def test_every_spelling_gives_the_same_rows(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    table = read_csv(path, ("id", "value"), mend="")
    assert table.columns == ("id", "value")
    cells = [row.cells for row in table.rows]
    assert cells == [{"id": "a", "value": "1"}, {"id": "b", "value": "2"}]


def test_the_separator_is_that_of_the_first_line(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id;value;note\na;0,5;x, y\nb;1\n")
    (a, b) = read_csv(path, ("id",), mend="").rows
    assert a.cells == {"id": "a", "value": "0,5", "note": "x, y"}
    assert b.cells == {"id": "b", "value": "1", "note": ""}
    assert b.where == f"{path}, line 3"


FAULTS = {
    "empty": (b"", "no column 'id' in its first line ''; give id,value"),
    "no column": (b"id|value\na|1\n", "no column 'id' in its first line 'id|value'"),
    "twice": (b"id,value,id\n", "two columns 'id' in 'id,value,id'; keep one"),
    "Latin-1": (b"id,value\na,1\ncaf\xe9,2\n", "line 3: not UTF-8; save the table as"),
    "UTF-16": ("id,value\n".encode("utf-16"), "line 1: not UTF-8"),
    "too long": (b"id,value\na,1,2\n", "line 2: 3 cells for 2 columns; give id,value"),
    "field without end": (b'id,value\na,"' + b"x" * 200_000, "not CSV (field larger"),
}


@pytest.mark.parametrize("content, said", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_line_that_names_the_file(tmp_path, content, said):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_csv(path, ("id", "value"), mend="give id,value")
    message = str(caught.value)
    assert message.startswith(str(path)) and said in message and "\n" not in message
    with pytest.raises(UserError, match="no such file; give id,value"):
        read_csv(tmp_path / "none.csv", (), mend="give id,value")
