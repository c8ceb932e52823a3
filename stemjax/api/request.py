"""What users ask a model for, checked."""

from stemjax.config.categories import category_of
from stemjax.config.numbers import Seed, Variations, check_number
from stemjax.io.errors import UserError


def checked_category(instrument: str, seed: int, variations: int) -> int:
    """Index of an instrument; checks the numbers of a request too.

    Raises:
      UserError: an unknown instrument, or a number out of its range.
    """
    try:
        check_number(Seed, seed, "seed")
        check_number(Variations, variations, "variations")
        return category_of(instrument)
    except ValueError as error:
        raise UserError(str(error)) from None
