"""Errors that a user can mend: one line on stderr, exit status 2."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

from stemjax.io.process.stdio import make_patient

STORAGE_ERRORS = {
    "gcsfs.retry": "HttpError",
    "google.api_core.exceptions": "GoogleAPIError",
    "google.auth.exceptions": "GoogleAuthError",
}
"""Modules of the storage clients, and the base class of their errors."""


class UserError(ValueError):
    """Bad input. The message is one line that names the file or flag and the mend."""


@contextlib.contextmanager
def exit_on_bad_input(*, resumes: bool = False) -> Iterator[None]:
    """End the process with one line on stderr instead of a traceback.

    `UserError`, `OSError` (a full disk, an unreadable file) and errors of the storage
    clients exit with status 2, Ctrl-C with 130.  Any other exception is a fault of this
    program and keeps its traceback.  Output that nobody reads any more is no error.

    Args:
      resumes: the same command continues where it stopped; the message on Ctrl-C says so.
    """
    make_patient()
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except UserError as error:
        fail(str(error))
    except KeyboardInterrupt:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one ends at once
        more = ": run the same command again to continue" if resumes else ""
        print(f"interrupted{more}", file=sys.stderr)
        sys.exit(130)
    except _storage_errors() as error:
        fail(
            f"the storage service refused: {error}; check your rights and credentials"
            " (gcloud auth application-default login)"
        )
    except MemoryError as error:
        fail(f"not enough memory ({error}): give less or shorter input")
    except OSError as error:
        name = f" {error.filename}" if error.filename else ""
        fail(f"{error.strerror or error}{name}: check the path, rights and disk space")


def _storage_errors() -> tuple[type[Exception], ...]:
    """Error classes of the storage clients that are imported; not all are OSErrors."""
    modules = {name: sys.modules.get(name) for name in STORAGE_ERRORS}
    return tuple(getattr(m, STORAGE_ERRORS[name]) for name, m in modules.items() if m)


def fail(message: str) -> NoReturn:
    """Print one line on stderr and exit with status 2."""
    make_patient()
    print("error: " + one_line_of(message), file=sys.stderr)
    sys.exit(2)


def one_line_of(text: str) -> str:
    """Text without line breaks; other control characters are escaped, as in \\x1b."""
    line = " ".join(text.split())
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in line
    )


def try_or_warn(write: Callable[[], None], what: str) -> bool:
    """Call `write`; if it fails, print one line on stderr: results are not lost to it.

    Args:
      what: what is missing then, with the name of the file.

    Returns:
      Whether it succeeded.
    """
    try:
        write()
    except Exception as error:  # of any library
        reason = one_line_of(f"{type(error).__name__}: {error}")
        print(f"warning: {one_line_of(what)} ({reason})", file=sys.stderr)
        return False
    return True
