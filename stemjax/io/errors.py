"""What a user did wrong, said in one line (contracts.md, "Everywhere")."""

import contextlib
import sys
from collections.abc import Iterator


class UserError(ValueError):
    """Bad input. The message is one line that names the file and the mend."""


@contextlib.contextmanager
def exit_on_bad_input(*more: type[Exception]) -> Iterator[None]:
    """Turn `UserError` (and the types in `more`) into one line on stderr and exit 2.

    A full disk and an unreadable file are the user's to mend too.  Any other exception
    is a fault of ours and keeps its traceback.
    """
    try:
        yield
    except (UserError, *more) as error:
        fail(str(error))
    except OSError as error:
        name = f" {error.filename}" if error.filename else ""
        fail(f"{error.strerror or error}{name}: check the path, rights and disk space")


def fail(message: str) -> None:
    """Print one line on stderr and exit 2."""
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(2)
