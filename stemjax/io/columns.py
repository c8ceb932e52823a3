"""Tables as text."""

from collections.abc import Sequence


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of padded cells, two spaces between columns.

    Columns of numbers are aligned to the right, all others to the left.

    Args:
      rows: rows with as many cells as the header.
    """
    table = [list(header), *map(list, rows)]
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    is_number = [
        bool(rows) and all(_is_number(cell) for cell in cells)
        for cells in zip(*rows, strict=True)
    ] or [False] * len(header)
    lines = []
    for cells in table:
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, is_number, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _is_number(cell: str) -> bool:
    if cell in ("", "-"):
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return True
