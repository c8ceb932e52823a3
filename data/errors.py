"""What a user did wrong on the data side, said in one line."""

import contextlib
import sys
from collections.abc import Iterator
from typing import NoReturn


class DataError(ValueError):
    """Bad input. The message is one line that names the file and the mend."""


@contextlib.contextmanager
def told_in_one_line() -> Iterator[None]:
    """What ends a command of `data`: bad input exits 2, an interruption 130."""
    try:
        yield
    except DataError as error:
        fail(str(error))
    except OSError as error:
        name = f" {error.filename}" if error.filename else ""
        fail(f"{error.strerror or error}{name}: check the path, rights and disk space")
    except KeyboardInterrupt:
        print("stopped: the same command goes on from here", file=sys.stderr)
        sys.exit(130)


def fail(message: str) -> NoReturn:
    """One line on stderr, and exit 2."""
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(2)
