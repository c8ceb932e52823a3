"""Table of splits: CSV with a column `split` and one of `file`, `title` and `id`."""

import dataclasses
from pathlib import Path

from stemjax.data.layouts.song import SPLITS
from stemjax.io.errors import UserError
from stemjax.io.table_file import CsvTable, read_csv

OMIT = "omit"
_KEYS = ("file", "title", "id")


@dataclasses.dataclass(frozen=True)
class SplitTable:
    """Rows of a split table by file, title and id."""

    path: Path
    rows: dict[str, dict[str, frozenset[str]]]
    """Column -> name -> splits of its rows."""
    lines: tuple[tuple[tuple[str, str], ...], ...] = ()
    """(column, name) of each row, in order."""
    used: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    """(column, name) of the songs that asked for their split."""

    def split_of(self, *, file: str | None, title: str | None, id: str) -> str | None:
        """The split of a song by its file, else its title, else its id; None without a row.

        Raises:
          UserError: the rows of that name disagree.
        """
        found = None
        for column, name in zip(_KEYS, (file, title, id), strict=True):
            splits = self.rows[column].get(_normal(name)) if name else None
            if splits:
                self.used.add((column, _normal(name)))
            if not splits or found is not None:
                continue
            if len(splits) > 1:
                raise UserError(
                    f"{self.path}: {column} {name!r} has the splits"
                    f" {', '.join(sorted(splits))}: leave one"
                )
            (found,) = splits
        return found

    def unused(self) -> str | None:
        """Sentence on the rows that name no song of the data; None: all do."""
        absent = [keys for keys in self.lines if not self.used.intersection(keys)]
        if not absent:
            return None
        column, name = absent[0][0]
        return (
            f"{self.path}: {len(absent)} of {len(self.lines)} rows name no song of the"
            f" data, {column} {name!r} the first: check the table"
        )


def read_split_table(path: Path) -> SplitTable:
    """Read a table of splits.

    Raises:
      UserError: not readable, columns missing, or an unknown split.
    """
    rows: dict[str, dict[str, set[str]]] = {column: {} for column in _KEYS}
    lines = []
    for keys, split in split_rows(read_split_csv(path)):
        for column, name in keys:
            rows[column].setdefault(name, set()).add(split)
        if keys:
            lines.append(keys)
    return SplitTable(
        path,
        {
            column: {name: frozenset(splits) for name, splits in names.items()}
            for column, names in rows.items()
        },
        tuple(lines),
    )


def read_split_csv(path: Path) -> CsvTable:
    """The rows of a table of splits; their splits are checked.

    Raises:
      UserError: not readable, columns missing, or an unknown split.
    """
    mend = f"give a column split and one of {', '.join(_KEYS)}"
    table = read_csv(path, ("split",), mend=mend)
    if not set(_KEYS) & set(table.columns):
        raise UserError(f"{path}: no column {' or '.join(_KEYS)}; {mend}")
    for where, row in table.rows:
        if row["split"] not in (*SPLITS, OMIT):
            raise UserError(
                f"{where}: split {row['split']!r} must be one of"
                f" {', '.join((*SPLITS, OMIT))}"
            )
    return table


def split_rows(table: CsvTable) -> list[tuple[tuple[tuple[str, str], ...], str]]:
    """The ((column, name), ...) and the split of each row; names are case-folded."""
    return [
        (
            tuple((k, _normal(row[k])) for k in _KEYS if row.get(k)),
            row["split"],
        )
        for _, row in table.rows
    ]


def _normal(name: str) -> str:
    return name.strip().casefold()
