"""Ogg files: the recordings of a chain."""

PAGE = b"OggS"
FIRST = PAGE + b"\x00\x02"
"""Start of a page that begins a stream (RFC 3533, sec. 6)."""


def recordings(file: bytes) -> list[bytes]:
    """Split a chain of Ogg recordings; a file of one recording is a list of one.

    Streams that begin together, page after page, are one recording.
    """
    starts, place = [0], 0
    while (found := file.find(FIRST, place + 1)) >= 0:
        if file.find(PAGE, place + 1, found) >= 0:  # pages of the recording before
            starts.append(found)
        place = found
    return [file[a:b] for a, b in zip(starts, [*starts[1:], len(file)], strict=True)]
