"""Streams of host randomness: one member for each purpose in the project.

`stemjax.io.random.generator(seed, stream, *numbers)` draws from them.  A member keeps its
layout and number for ever: published populations, splits and scores depend on the draws.
Streams of one seed are independent, except that the clips of the self-test share some
sequences with the metrics.
"""

import enum


class Layout(enum.Enum):
    """How the seed, the stream and further numbers enter the Philox generator."""

    HASHED = "hashed"
    """SeedSequence((stream, seed, *numbers)); new streams use this one."""
    KEY = "key"
    """Key (seed, stream); no further numbers."""
    COUNTER = "counter"
    """Key (seed, 0), the stream as highest word of the counter; no further numbers."""
    INDEXED = "indexed"
    """Key (seed, index), the stream as highest word of the counter; one number."""


@enum.unique
class Stream(enum.Enum):
    """A purpose of random draws; the value is its layout and its number there."""

    # training data: stemjax.data.drawing, stemjax.data.tokens
    DATA_ORDER = Layout.HASHED, 0
    """Order of segments within an epoch."""
    DATA_PAIR = Layout.HASHED, 1
    """Crop, context and target of a training pair."""
    DATA_CODEC_CROP_KIND = Layout.HASHED, 2
    """Kind of audio of a codec's training crop: stem, submix or mix."""
    DATA_MIXTURE = Layout.HASHED, 3
    """Data set from which a training pair of a mixture of data sets is drawn."""
    DATA_OTHER_SONG = Layout.HASHED, 4
    """Context of another song beside a validation pair."""
    DATA_TOKEN_STORE = Layout.HASHED, 5
    """Submixes of a segment that are encoded into the token store."""

    # examples of an evaluation: stemjax.data.drawing
    EXAMPLE_PAIR = Layout.HASHED, 6
    """Song, crop, context and target of an evaluation example."""
    EXAMPLE_MISMATCHED_STEM = Layout.HASHED, 7
    """Stem of another song for an evaluation example."""
    EXAMPLE_LABELLED_STEM = Layout.HASHED, 8
    """Labelled stems of the instrument classifier."""
    SYNTHETIC_SONG = Layout.HASHED, 0x5EED
    """Songs of the synthetic training data."""

    # metrics and studies: stemjax.eval
    JACKKNIFE_GROUPS = Layout.KEY, 1
    """Group of each example in a jackknife."""
    FAD_SUBSETS = Layout.KEY, 2
    """Subsets of clips from which FAD-inf extrapolates."""
    KAD_BANDWIDTH = Layout.KEY, 3
    """Vectors whose median distance is the kernel's bandwidth."""
    KAD_VECTORS = Layout.KEY, 4
    """Vectors of a large population that the kernel distance takes."""
    SWEEP_DEAL = Layout.KEY, 5
    """Decoding settings of each example of a row."""
    APA_DERANGEMENT = Layout.KEY, 6
    """Stem of another example for each context of APA."""
    LISTENING_OTHER_CONTEXT = Layout.KEY, 7
    """Context of another song for each stem of the listening study."""
    MIRDD_GROUPS = Layout.COUNTER, 1
    """Jackknife groups of MIRDD where none are given."""
    MIRDD_SUBSETS = Layout.COUNTER, 2
    """Subsets of the larger of two populations."""
    MIRDD_SWAPS = Layout.COUNTER, 3
    """Pairs that are swapped for MIRDD's null."""

    # clips of the self-test: stemjax.eval.selftest
    CLIP_MUSIC = Layout.INDEXED, 0
    """Score of a synthetic clip."""
    CLIP_KEYS = Layout.INDEXED, 1
    """Order of the keys and meters of 48 synthetic clips."""
    CLIP_SOUNDS = Layout.INDEXED, 2
    """Noise of a synthetic clip's drums and corruptions."""

    @property
    def layout(self) -> Layout:
        """How the stream enters the generator."""
        return self.value[0]

    @property
    def number(self) -> int:
        """The stream's number within its layout."""
        return self.value[1]
