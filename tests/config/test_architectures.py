"""Numbers of a config that no model can have."""

import math

import pytest

from stemjax.config.codec import Band, CodecConfig, OscillatorCodecConfig
from stemjax.config.model import INSTRUMENT, Condition, StemGenConfig, TransformerConfig

WIDTH = "give a whole number from 1 to 65536"
WRONG = [
    (
        CodecConfig,
        {"num_codebooks": 0},
        "num_codebooks 0: give a whole number from 1 to 256",
    ),
    (CodecConfig, {"codebook_size": 10**9}, f"codebook_size {10**9}: {WIDTH}"),
    (
        CodecConfig,
        {"upsampling_ratios": (8, 0)},
        f"upsampling_ratios 0: {WIDTH}",
    ),
    (CodecConfig, {"upsampling_ratios": ()}, "upsampling_ratios must be 1 to 16"),
    (
        CodecConfig,
        {"trim_right_ratio": math.nan},
        "trim_right_ratio nan: give a number from 0 to 1",
    ),
    (OscillatorCodecConfig, {"bands": ()}, "bands must be 1 to 64 spectra"),
    (OscillatorCodecConfig, {"hop": -1}, f"hop -1: {WIDTH}"),
    (
        Band,
        {"window": 10**9, "low": 1.0, "high": 2.0, "bands": 3},
        f"window {10**9}: {WIDTH}",
    ),
    (TransformerConfig, {"heads": 0}, f"heads 0: {WIDTH}"),
    (
        TransformerConfig,
        {"layers": 10**9},
        "layers 1000000000: give a whole number from 1 to 1000",
    ),
    (StemGenConfig, {"frame_rate": math.inf}, "frame_rate inf: give a number above 0"),
    (StemGenConfig, {"conditions": (INSTRUMENT, INSTRUMENT)}, "with different names"),
    (Condition, {"name": "a b", "kind": INSTRUMENT.kind, "size": 1}, "must be a word"),
]


@pytest.mark.parametrize("kind, fields, said", WRONG)
def test_a_number_out_of_range_is_named(kind, fields, said):
    with pytest.raises(ValueError, match=said):
        kind(**fields)
