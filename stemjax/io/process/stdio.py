"""Standard output and error of a process, whoever reads them and in whatever encoding."""

import os
import sys
from typing import Any, TextIO

STREAMS = {"stdout": "standard output", "stderr": "standard error"}


class PatientStream:
    """A text stream whose reader may go away: what is written after that is dropped.

    `stemjax prepare ... | head` prepares everything, although head has ended.
    """

    def __init__(self, stream: TextIO, name: str):
        """Wrap the stream of a process.

        Args:
          name: what messages call the stream.
        """
        self._stream = stream
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._stream, attribute)

    def write(self, text: str) -> int:
        """Write text, or drop it if there is no reader.

        Raises:
          OSError: the disk of the file that the stream goes to is full.
        """
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered; raises as `write`."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        if not isinstance(error, (BrokenPipeError, ConnectionResetError)):
            raise OSError(error.errno, error.strerror, self._name) from None


def make_patient() -> None:
    """Make stdout and stderr of this process take any text and outlive their readers.

    A character that their encoding lacks is written as an escape such as \\xfc.
    """
    for name, words in STREAMS.items():
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell: >&-
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
            continue
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        if stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, PatientStream(stream, words))
