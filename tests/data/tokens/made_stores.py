"""Small token stores for tests: a codec that is plain arithmetic, and a filled store."""

import numpy as np

from stemjax.config.train import PairConfig
from stemjax.data.tokens.format import StoreCodec
from stemjax.data.tokens.store import open_tokens
from stemjax.data.tokens.writer import TokenWriter

SECOND = PairConfig(crop_seconds=1.0)
CODEC = StoreCodec(
    name="toy", sha256="c0dec" * 12, hop=640, num_codebooks=2, codebook_size=512
)
BATCH = 4


def encode(audio):
    """A codec whose codes depend on their own frame alone: [B, N] -> [B, 2, T]."""
    frames = audio.reshape(len(audio), -1, 640).astype(np.int64)
    return np.stack([frames[..., 0] % 512, np.abs(frames).sum(-1) % 512], axis=1)


def writer(folder, source, **changes):
    settings = {"codec": CODEC, "draws_per_segment": 3, "seed": 0, "pairs": SECOND}
    return TokenWriter(folder, source, **settings | changes)


def filled(folder, source, **changes):
    writer(folder, source, **changes).fill(encode, batch_size=BATCH)
    return open_tokens(folder)


def codes_of(store):
    return np.stack([store.codes(entry) for entry in range(store.entries)])
