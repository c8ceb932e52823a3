"""CSV tables: with a byte order mark, and with commas, semicolons or tabs.

The first line names the columns, and its separator is that of the table.
"""

import csv
import io
import os
from collections.abc import Collection, Iterator
from typing import NamedTuple

from stemjax.io.errors import UserError
from stemjax.io.json_file import read_bytes

SEPARATORS = ",;\t"
MOST_BYTES = 200_000_000
"""Largest table that is read."""


class CsvRow(NamedTuple):
    """A row of a table."""

    where: str
    """File and line, for messages."""
    cells: dict[str, str]
    """Column -> text without spaces at its ends; "" where the row is too short."""


class CsvTable(NamedTuple):
    """A CSV file."""

    columns: tuple[str, ...]
    """Names of the columns."""
    rows: tuple[CsvRow, ...]
    """Rows, without empty lines."""


def read_csv(
    path: str | os.PathLike, columns: Collection[str], *, mend: str
) -> CsvTable:
    """Read a CSV file in UTF-8 whose first line names its columns.

    Args:
      columns: columns that the table must have.
      mend: the columns in words, for the messages, e.g. "give the columns id,value".

    Raises:
      UserError: missing, not UTF-8, not CSV, without a column, or with a row that has
        more cells than columns.
    """
    content = read_bytes(path, mend=mend, most=MOST_BYTES)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path}, line {line}: not UTF-8; save the table as UTF-8 text"
        ) from None
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(SEPARATORS, key=first.count)
    lines = _lines(text, separator, path, mend)
    _, header = next(lines, ("", []))
    names = tuple(name.strip() for name in header)
    if missing := [name for name in columns if name not in names]:
        raise UserError(
            f"{path}: no column {missing[0]!r} in its first line {first[:80]!r}; {mend}"
        )
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise UserError(f"{path}: two columns {twice[0]!r} in {first[:80]!r}; keep one")
    rows = []
    for where, cells in lines:
        if len(cells) > len(names):
            raise UserError(
                f"{where}: {len(cells)} cells for {len(names)} columns; {mend}"
            )
        cells = [cell.strip() for cell in cells] + [""] * (len(names) - len(cells))
        rows.append(CsvRow(where, dict(zip(names, cells, strict=True))))
    return CsvTable(names, tuple(rows))


def _lines(
    text: str, separator: str, path: str | os.PathLike, mend: str
) -> Iterator[tuple[str, list[str]]]:
    """(file and line, cells) of the lines that are not empty."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True
    )
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UserError(
                f"{path}, line {reader.line_num}: not CSV ({error}); {mend}"
            ) from None
        if any(cell.strip() for cell in cells):
            yield f"{path}, line {reader.line_num}", cells
