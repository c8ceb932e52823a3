"""Live parity of the codec with `transformers`, if torch is installed.

The architecture is the published one with 8 filters instead of 64.
"""

import numpy as np
import pytest

from stemjax import codec

pytestmark = [pytest.mark.parity, pytest.mark.slow]

# 32 kHz, hop 640; then: off the hop by one, one frame and a bit, less than a frame
LENGTHS = (96_000, 32_001, 31_999, 1_000, 639, 17, 1)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tests.codec import torch_twin

    model = torch_twin.make(
        7,
        samples=400_000,  # 2,500 frames: each level's 256 codes zero a tenth of them
        num_filters=8,
        hidden_size=32,
        codebook_dim=32,
        codebook_size=256,
        target_bandwidths=[1.6],  # kbit/s: 4 levels of 8 bits, 50 frames/s
        upsampling_ratios=[8, 5, 4, 4],
        use_causal_conv=False,
        use_conv_shortcut=False,
    )
    folder = tmp_path_factory.mktemp("published")
    model.save_pretrained(folder)
    return torch_twin, model, codec.load(folder)


def test_codes_and_audio_are_those_of_transformers(pair):
    twin, model, ours = pair
    same = total = 0
    for samples in LENGTHS:
        audio = twin.music(samples, 2, samples)
        wanted = twin.encode(model, audio)
        got = ours.encode(audio)
        assert got.shape == wanted.shape == (2, 4, -(-samples // 640))
        same, total = same + (got == wanted).sum(), total + wanted.size
        decoded = twin.decode(model, wanted)
        audio_out = ours.decode(wanted)
        assert audio_out.shape == decoded.shape
        # the bound; float32 sums in another order stay far below
        np.testing.assert_allclose(audio_out, decoded, atol=1e-4)
        assert decoded.std() > 1e-2
        if samples == LENGTHS[0]:
            for level in range(4):
                assert len(np.unique(wanted[:, level])) >= 32
    assert same / total >= 0.999
