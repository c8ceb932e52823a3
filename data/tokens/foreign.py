"""A token store from tokens that another codec made, with NumPy alone.

The user brings, segment by segment, arrays of codes and which of them make pairs; the
format is `data.tokens.format`.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stemjax.config.categories import CATEGORIES
from stemjax.data.layouts.song import SPLITS
from stemjax.data.prepared.segments import SILENCE_DB
from stemjax.data.tokens.format import (
    StoreCodec,
    entries_per_shard,
    file_facts,
    level_frames,
    seal,
    shard_name,
    write_manifest,
)
from stemjax.io.atomic import replacing_folder
from stemjax.io.errors import UserError


class TokenPair(NamedTuple):
    """Context and target by their places in `TokenSegment.codes`.

    instrument: of the target, a number of `stemjax.config.categories.CATEGORIES`.
    """

    context: int
    target: int
    instrument: int


class TokenSegment(NamedTuple):
    """Tokens of signals that sound together, and what goes with what.

    song: segments of one song never serve as each other's foreign context, and belong
      to one split.
    split: train, validation or test.
    codes: integers [Q, T] each, all of one T: context mixes and target stems.
    pairs: one or more.
    levels: RMS per 0.1 s in dB re full scale, [len(codes), F] with F = ceil(10 x
      seconds of the segment); None: every frame counts as sounding.
    """

    song: str
    split: str
    codes: Sequence[np.ndarray]
    pairs: Sequence[TokenPair]
    levels: np.ndarray | None = None


def write_store(
    folder: str | os.PathLike,
    segments: Iterable[TokenSegment],
    *,
    codec: StoreCodec,
    frames: int,
    silence: np.ndarray | None = None,
) -> dict[str, Any]:
    """Write a token store; returns its manifest.

    Segments are taken one at a time, so they may come from a generator.

    Args:
      folder: to write; it must not exist.  It appears when all of it is written.
      codec: a name of your choice; sha256 "" unless it is a codec of stemjax.
      frames: T of the longest segment, about a minute; every entry takes that much disk.
      silence: [Q] codes of a silent frame, which fill up shorter segments; None: a
        segment that is shorter than a crop is not drawn.

    Raises:
      UserError: the folder exists, or a segment that no store can hold; names it.
    """
    folder = Path(folder)
    if folder.exists():
        raise UserError(f"{folder} exists: give a new folder or delete it")
    if frames < 1:
        raise UserError(f"frames must be 1 or more: {frames}")
    if silence is None:
        padding = np.zeros(codec.num_codebooks, "<u2")
    else:
        padding = _checked(codec, np.asarray(silence)[:, None], "silence")[:, 0]
    with replacing_folder(folder) as part:
        index = _Index(codec, frames)
        shards = _write_shards(part, _entries(segments, index, padding), codec, frames)
        if not index.entries:
            raise UserError(f"{folder}: no segment was given")
        manifest = seal(
            part,
            codec.settings | {"is_padded": silence is not None},
            splits=index.splits(),
            shape=(
                index.entries,
                frames,
                entries_per_shard(codec.entry_bytes(frames)),
            ),
            shards=shards,
            arrays=index.arrays(),
        )
        write_manifest(part, manifest)
    return manifest


def _entries(
    segments: Iterable[TokenSegment], index: "_Index", padding: np.ndarray
) -> Iterator[np.ndarray]:
    """Every entry in order, filled up to T frames: [Q, T] uint16."""
    for segment in segments:
        codes = index.add(segment)
        whole = np.empty((len(codes), len(padding), index.frames), "<u2")
        whole[:] = padding[:, None]
        whole[..., : codes.shape[2]] = codes
        yield from whole


def _write_shards(
    folder: Path, entries: Iterator[np.ndarray], codec: StoreCodec, frames: int
) -> list[dict[str, Any]]:
    full = entries_per_shard(codec.entry_bytes(frames))
    facts, file, held = [], None, 0
    try:
        for entry in entries:
            if file is None:
                path = folder / shard_name(len(facts))
                file = path.open("wb")
            file.write(entry.tobytes())
            held += 1
            if held == full:
                file.close()
                facts.append(file_facts(path))
                file, held = None, 0
        if file is not None:
            file.close()
            facts.append(file_facts(path))
    finally:
        if file is not None:
            file.close()
    return facts


class _Index:
    """Collects what `index.npz` and the manifest say, segment by segment."""

    def __init__(self, codec: StoreCodec, frames: int):
        self.frames, self.entries = frames, 0
        self._codec = codec
        self._songs: dict[str, dict[str, int]] = {split: {} for split in SPLITS}
        self._split_of: dict[str, str] = {}
        self._rows: list[tuple[int, int, int, list[TokenPair]]] = []
        self._levels: list[np.ndarray] = []
        self._has_levels: bool | None = None

    def add(self, segment: TokenSegment) -> np.ndarray:
        """Take a segment in; returns its codes, [n, Q, T'] uint16."""
        where = f"segment {len(self._rows)} (song {segment.song!r})"
        codes = self._codes(segment, where)
        pairs = self._pairs(segment, where)
        self._add_levels(segment, codes.shape, where)
        song = self._song(segment, where)
        split = SPLITS.index(segment.split)
        base = self.entries
        pairs = [TokenPair(base + c, base + t, i) for c, t, i in pairs]
        self._rows.append((split, song, codes.shape[2], pairs))
        self.entries += len(codes)
        return codes

    def splits(self) -> dict[str, dict[str, Any]]:
        """`splits` of the manifest."""
        counts = [split for split, *_ in self._rows]
        return {
            split: {"songs": list(self._songs[split]), "segments": counts.count(number)}
            for number, split in enumerate(SPLITS)
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of `index.npz`, segments in order of split."""
        rows = sorted(self._rows, key=lambda row: row[0])
        pairs = np.array([pair for *_, own in rows for pair in own], np.int32)
        sizes = [len(own) for *_, own in rows]
        arrays = {
            "segment_song": np.array([song for _, song, _, _ in rows], np.int32),
            "segment_frames": np.array([count for _, _, count, _ in rows], np.int32),
            "draw_offset": np.cumsum([0, *sizes], dtype=np.int32),
            "draw_context": pairs[:, 0],
            "draw_target": pairs[:, 1],
            "draw_instrument": pairs[:, 2],
        }
        if self._has_levels:
            arrays["entry_rms"] = np.concatenate(self._levels)
        return arrays

    def _codes(self, segment: TokenSegment, where: str) -> np.ndarray:
        shapes = {np.shape(codes) for codes in segment.codes}
        if len(shapes) != 1:
            raise UserError(f"{where}: codes of one shape [Q, T] are needed: {shapes}")
        codes = _checked(self._codec, np.stack(segment.codes), where)
        if codes.ndim != 3 or not 1 <= codes.shape[2] <= self.frames:
            raise UserError(
                f"{where}: codes are {codes.shape[1:]}, a store of {self.frames} frames"
                f" holds [{self._codec.num_codebooks}, 1..{self.frames}]: cut them"
            )
        return codes

    def _pairs(self, segment: TokenSegment, where: str) -> Sequence[TokenPair]:
        if not segment.pairs:
            raise UserError(f"{where}: no pair: leave the segment out")
        for context, target, instrument in segment.pairs:
            numbers = range(len(segment.codes))
            if context not in numbers or target not in numbers or context == target:
                raise UserError(
                    f"{where}: pair ({context}, {target}) must name two of its"
                    f" {len(numbers)} codes"
                )
            if instrument not in range(len(CATEGORIES)):
                raise UserError(
                    f"{where}: instrument {instrument} must be in"
                    f" 0..{len(CATEGORIES) - 1}"
                )
        return segment.pairs

    def _add_levels(
        self, segment: TokenSegment, shape: tuple[int, ...], where: str
    ) -> None:
        has_levels = segment.levels is not None
        if self._has_levels not in (None, has_levels):
            raise UserError(f"{where}: give levels for every segment or for none")
        self._has_levels = has_levels
        if not has_levels:
            return
        wanted = (shape[0], level_frames(shape[2], self._codec))
        levels = np.asarray(segment.levels, np.float64)
        if levels.shape != wanted:
            raise UserError(f"{where}: levels are {levels.shape}, not {wanted}")
        whole = np.full((shape[0], level_frames(self.frames, self._codec)), SILENCE_DB)
        whole[:, : wanted[1]] = np.clip(levels, SILENCE_DB, None)
        self._levels.append(np.round(10 * whole).astype(np.int16))

    def _song(self, segment: TokenSegment, where: str) -> int:
        if segment.split not in SPLITS:
            raise UserError(
                f"{where}: split {segment.split!r} must be one of {', '.join(SPLITS)}"
            )
        own = self._split_of.setdefault(segment.song, segment.split)
        if own != segment.split:
            raise UserError(
                f"{where}: its song is in {own} already: a song has one split"
            )
        songs = self._songs[own]
        return songs.setdefault(segment.song, len(songs))


def _checked(codec: StoreCodec, codes: np.ndarray, where: str) -> np.ndarray:
    try:
        return codec.checked(codes)
    except (ValueError, IndexError) as error:
        raise UserError(f"{where}: {error}") from None
