"""Splits of songs from a CSV table: one column `split`, and `file`, `title` or `id`."""

import csv
import dataclasses
from pathlib import Path

from stemjax.data.layouts.song import SPLITS
from stemjax.io.errors import UserError

OMIT = "omit"
_KEYS = ("file", "title", "id")


@dataclasses.dataclass(frozen=True)
class SplitTable:
    """Rows of a split table, found by any of their names."""

    path: Path
    rows: dict[str, dict[str, frozenset[str]]]  # column -> name -> its splits

    def split_of(self, *, file: str | None, title: str | None, id: str) -> str | None:
        """The split of a song: its row by file, else by title, else by id, else None.

        Raises:
          UserError: rows of the name that decides disagree.
        """
        for column, name in zip(_KEYS, (file, title, id), strict=True):
            found = self.rows[column].get(_plain(name)) if name else None
            if found and len(found) > 1:
                raise UserError(
                    f"{self.path}: {column} {name!r} has the splits"
                    f" {', '.join(sorted(found))}: leave one"
                )
            if found:
                (split,) = found
                return split
        return None


def read_split_table(path: Path) -> SplitTable:
    """Read a table such as examples/bundle/splits/freedoom.csv.

    Raises:
      UserError: unreadable, without the columns, or with an unknown split.
    """
    rows: dict[str, dict[str, set[str]]] = {column: {} for column in _KEYS}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or ()
            if "split" not in columns or not set(_KEYS) & set(columns):
                raise UserError(
                    f"{path} needs a column split and one of {', '.join(_KEYS)}"
                )
            for row in reader:
                split = (row["split"] or "").strip()
                if split not in (*SPLITS, OMIT):
                    raise UserError(
                        f"{path} line {reader.line_num}: split {split!r} must be one"
                        f" of {', '.join((*SPLITS, OMIT))}"
                    )
                for column in _KEYS:
                    if name := _plain(row.get(column) or ""):
                        rows[column].setdefault(name, set()).add(split)
    except OSError as error:
        raise UserError(f"cannot read --splits {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"--splits {path} is no CSV table in UTF-8: {error}") from error
    return SplitTable(
        path,
        {
            column: {name: frozenset(found) for name, found in names.items()}
            for column, names in rows.items()
        },
    )


def _plain(name: str) -> str:
    return name.strip().casefold()
