"""A token store of random codes, for benchmarks that need no music."""

from pathlib import Path

import numpy as np

from stemjax.data.tokens.foreign import TokenPair, TokenSegment, write_store
from stemjax.data.tokens.format import StoreCodec

PAIRS_PER_SEGMENT = 8


def write_random_store(
    folder: Path,
    *,
    name: str,
    sha256: str,
    hop: int = 640,
    num_codebooks: int = 4,
    codebook_size: int = 2048,
    segments: int = 256,
    frames: int = 3000,
    validation: int = 0,
) -> None:
    """Segments of a minute, each with `PAIRS_PER_SEGMENT` pairs, into a new folder.

    name, sha256: of the codec that the store claims.  validation: segments, of the
    number in all, that are of the validation split.
    """
    rng = np.random.default_rng(0)
    shape = (2 * PAIRS_PER_SEGMENT, num_codebooks, frames)
    made = (
        TokenSegment(
            song=f"song-{number}",
            split="validation" if number < validation else "train",
            codes=rng.integers(0, codebook_size, shape),
            pairs=[
                TokenPair(2 * pair, 2 * pair + 1, int(rng.integers(0, 18)))
                for pair in range(PAIRS_PER_SEGMENT)
            ],
        )
        for number in range(segments)
    )
    codec = StoreCodec(
        name=name,
        sha256=sha256,
        hop=hop,
        num_codebooks=num_codebooks,
        codebook_size=codebook_size,
    )
    write_store(folder, made, codec=codec, frames=frames)
