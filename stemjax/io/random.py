"""Keyed host randomness: NumPy generators that depend on a seed and a purpose alone."""

import numpy as np

from stemjax.config.streams import Layout, Stream


def generator(seed: int, stream: Stream, *numbers: int) -> np.random.Generator:
    """A Philox generator for one purpose; equal arguments give equal draws.

    Args:
      seed: at least 0.
      stream: the purpose.
      numbers: further integers of at least 0, such as the epoch and the index: any with
        the layout HASHED, one with INDEXED, otherwise none.

    Raises:
      ValueError: another count of numbers than the stream's layout takes.
    """
    match stream.layout, numbers:
        case Layout.HASHED, _:
            bits = np.random.Philox(
                np.random.SeedSequence((stream.number, seed, *numbers))
            )
        case Layout.KEY, ():
            bits = np.random.Philox(key=[seed, stream.number])
        case (Layout.COUNTER, ()) | (Layout.INDEXED, (_,)):
            key = np.array([seed, *(numbers or (0,))], np.uint64)
            bits = np.random.Philox(key=key, counter=[0, 0, 0, stream.number])
        case _:
            raise ValueError(f"{stream.name} does not take {len(numbers)} numbers")
    return np.random.Generator(bits)
