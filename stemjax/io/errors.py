"""What a user did wrong, said in one line."""

import contextlib
import sys
from collections.abc import Iterator
from typing import NoReturn

STORAGE_ERRORS = {  # module -> its base class of refusals
    "gcsfs.retry": "HttpError",
    "google.api_core.exceptions": "GoogleAPIError",
    "google.auth.exceptions": "GoogleAuthError",
}


class UserError(ValueError):
    """Bad input. The message is one line that names the file and the mend."""


@contextlib.contextmanager
def exit_on_bad_input() -> Iterator[None]:
    """Turn `UserError` into one line on stderr and exit 2; an interruption exits 130.

    A full disk and an unreadable file are the user's to mend too.  Any other exception
    is a fault of ours and keeps its traceback.
    """
    try:
        yield
    except UserError as error:
        fail(str(error))
    except KeyboardInterrupt:
        print("stopped by an interruption", file=sys.stderr)
        sys.exit(130)
    except _storage_errors() as error:
        fail(
            f"the bucket's storage says: {error}; check your rights and credentials"
            " (gcloud auth application-default login)"
        )
    except OSError as error:
        name = f" {error.filename}" if error.filename else ""
        fail(f"{error.strerror or error}{name}: check the path, rights and disk space")


def _storage_errors() -> tuple[type[Exception], ...]:
    """What the clients of buckets raise beside OSError, where they were imported."""
    modules = {name: sys.modules.get(name) for name in STORAGE_ERRORS}
    return tuple(getattr(m, STORAGE_ERRORS[name]) for name, m in modules.items() if m)


def fail(message: str) -> NoReturn:
    """Print one line on stderr and exit 2."""
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(2)
