"""Orderings that a paper's table claims of its rows."""

from typing import NamedTuple


class Claim(NamedTuple):
    """That one row of a table scores below another; below is better."""

    lower: str
    """Name of the row with the smaller distance."""
    higher: str
    """Name of the row with the larger one."""
    strict: bool = True
    """False: the two may also be alike ("<=")."""
