"""Time and disk that preparation takes, printed before it starts."""

import math
import time
from collections.abc import Sequence
from pathlib import Path

from stemjax.data.disk import check_disk, free_bytes, size_text
from stemjax.data.prepared.records import Encoding
from stemjax.data.prepared.segments import SAMPLE_RATE, read_stem
from stemjax.data.prepared.shards import RECORD_BYTES, Shard
from stemjax.io.errors import UserError

_INDEX_BYTES = 3 << 16  # of a shard: array_record's index and its last block's padding
_WRITE_SECONDS = 0.002  # measured, per record on one core


def announce(
    shards: Sequence[Shard], missing: Sequence[Shard], out: Path, workers: int
) -> None:
    """Print the number of songs, the disk and the time.

    Raises:
      UserError: the disk is too small.
    """
    songs = sum(len(shard.songs) for shard in shards)
    hours = sum(shard.seconds for shard in shards) / 3600
    print(f"{songs} songs, {hours:.2f} h of stems, {len(shards)} shards", flush=True)
    if len(missing) < len(shards):
        print(f"{len(shards) - len(missing)} shards are there from an earlier run")
    if not missing:
        return
    encoding = missing[0].encoding
    records = sum(shard.records for shard in missing)
    need = records * RECORD_BYTES[encoding] + len(missing) * _INDEX_BYTES
    print(
        f"needs at most {size_text(need)} of {size_text(free_bytes(out))} free and about"
        f" {_clock(_seconds_needed(missing, workers))} with {workers} processes",
        flush=True,
    )
    is_flac = encoding is Encoding.FLAC
    mend = "free some" if is_flac else "free some or add --flac"
    check_disk(out, need, purpose="preparing", mend=mend)


def _seconds_needed(missing: Sequence[Shard], workers: int) -> float:
    """Extrapolated from the time that reading the first stem takes."""
    stem = missing[0].songs[0].song.stems[0]
    start = time.perf_counter()
    try:
        seconds = len(read_stem(stem.path)) / SAMPLE_RATE
    except UserError:  # its song is listed as a fault later
        return math.nan
    per_second = (time.perf_counter() - start) / max(seconds, 0.01)
    records = sum(shard.records for shard in missing)
    total = per_second * sum(shard.seconds for shard in missing)
    return (total + _WRITE_SECONDS * records) / min(workers, len(missing)) + 1


def _clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    if math.isnan(seconds):
        return "an unknown time"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
