"""MP3 files: the recordings of a joined file, and a true count of frames for each.

The first frame may hold no sound but a tag, "Xing" or "Info", with the number of frames
(and, by LAME, of padding samples).  A decoder plays as many frames as the tag says, or as
many as the bit rate of the first frame suggests; both cut joined files and files of
variable bit rate without a tag.
"""

import re
import struct
from typing import NamedTuple

TAG = re.compile(
    rb"\xff[\xe2-\xff][\x00-\xff]{2}(?:[\x00-\xff]{32}|[\x00-\xff]{17}|[\x00-\xff]{9})"
    rb"(?:Xing|Info)"
)
"""A frame with a tag: header, side information, the tag's name."""
HAS_COUNT = 1
"""Flag of a tag: the number of frames follows the flags."""
_V1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_V2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44_100, 48_000, 32_000)


class FrameHeader(NamedTuple):
    """Header of a layer III frame."""

    size: int
    """Bytes of the frame."""
    side: int
    """Bytes of the side information."""


def frame_header(file: bytes, place: int) -> FrameHeader | None:
    """Header of the frame at a place; None if none is there."""
    head = file[place : place + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, rate, bits = head[1] >> 3 & 3, head[2] >> 2 & 3, head[2] >> 4
    if version == 1 or rate == 3 or not 1 <= bits <= 14:
        return None
    is_v1 = version == 3
    kilobits = (_V1 if is_v1 else _V2)[bits - 1]
    hertz = _RATES[rate] >> (0 if is_v1 else 1 if version == 2 else 2)
    size = (144 if is_v1 else 72) * kilobits * 1000 // hertz + (head[2] >> 1 & 1)
    is_mono = head[3] >> 6 == 3
    side = (17 if is_mono else 32) if is_v1 else (9 if is_mono else 17)
    return FrameHeader(size, side)


def starts_frame(file: bytes) -> bool:
    """Whether a file starts with a frame."""
    return frame_header(file, 0) is not None


def tag_length(file: bytes) -> int:
    """Bytes of the ID3 tag at the start of a file; 0 without one."""
    if not file.startswith(b"ID3") or len(file) < 10:
        return 0
    size = 0
    for byte in file[6:10]:
        size = size << 7 | byte & 127
    return 10 + size


def recordings(file: bytes) -> list[bytes]:
    """Split joined MP3 recordings and give each a count of the frames that it holds.

    A file of one recording is a list of one.  Without frames, the file itself.
    """
    starts = [0, *(m.start() for m in TAG.finditer(file) if m.start() > 0)]
    first = _first_frame(file, tag_length(file))
    starts = [0, *(start for start in starts if start > first)]
    ends = [*starts[1:], len(file)]
    return [_counted(file[a:b]) for a, b in zip(starts, ends, strict=True)]


def _first_frame(file: bytes, place: int) -> int:
    """Place of the first frame that another one follows; the end without one."""
    while 0 <= (place := file.find(b"\xff", place)):
        header = frame_header(file, place)
        if header and frame_header(file, place + header.size):
            return place
        place += 1
    return len(file)


def _counted(file: bytes) -> bytes:
    """The file with a tag that counts at least the frames that it holds."""
    first = _first_frame(file, tag_length(file))
    header = frame_header(file, first)
    if header is None:
        return file
    frames = _count_frames(file, first)
    tag = first + 4 + header.side
    if file[tag : tag + 4] not in (b"Xing", b"Info"):
        # of a bit rate at which a tag fits, without check sum and padding
        head = bytes([0xFF, file[first + 1] | 1, file[first + 2] & 0x0C | 0x90])
        head += file[first + 3 : first + 4]
        content = head + bytes(header.side) + b"Xing"
        content += struct.pack(">II", HAS_COUNT, frames)
        return content.ljust(frame_header(head, 0).size, b"\0") + file[first:]
    flags, count = struct.unpack_from(">II", file.ljust(tag + 12, b"\0"), tag + 4)
    frames -= 1  # the tag's own
    if not flags & HAS_COUNT or count >= frames:
        return file
    return file[: tag + 8] + struct.pack(">I", frames) + file[tag + 12 :]


def _count_frames(file: bytes, place: int) -> int:
    """Number of frames from a place on; bytes between frames are passed over."""
    count = 0
    while place < len(file):
        if header := frame_header(file, place):
            count += 1
            place += header.size
        else:
            place = _first_frame(file, place)
    return count
