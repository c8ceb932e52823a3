"""`make golden`: write golden files of small `transformers` EnCodecs.

Writes tests/golden/codec/CASE/{config.json, model.safetensors, io.safetensors}: the
published layout from `save_pretrained` and input and output, read without torch.
"""

import pathlib

import numpy as np
from safetensors.numpy import save_file

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "codec"
SMALL = {
    "num_filters": 2,
    "hidden_size": 8,
    "codebook_dim": 8,
    "codebook_size": 64,
    "target_bandwidths": [14.4],  # kbit/s: 3 levels of 6 bits, 800 frames/s
    "upsampling_ratios": [5, 4, 2],
}
CASES = {
    "published": SMALL
    | {"use_causal_conv": False, "use_conv_shortcut": False, "num_lstm_layers": 2},
    "causal": SMALL
    | {
        "use_causal_conv": True,
        "use_conv_shortcut": True,
        "trim_right_ratio": 0.4,
        "pad_mode": "constant",
        "num_lstm_layers": 1,
        "num_residual_layers": 2,
        "kernel_size": 5,
    },
    "replicate": SMALL
    | {
        "use_causal_conv": False,
        "use_conv_shortcut": False,
        "pad_mode": "replicate",
        "residual_kernel_size": 5,
        "dilation_growth_rate": 3,
        "num_residual_layers": 2,
        "compress": 1,
        "last_kernel_size": 3,
    },
}
LENGTHS = (2000, 2001, 1999, 333, 3, 1)  # the hop is 40


def main() -> None:
    """Write every case."""
    from tests.codec import torch_twin

    for number, (case, fields) in enumerate(CASES.items()):
        folder = GOLDEN / case
        model = torch_twin.make(number, samples=16_000, **fields)
        model.save_pretrained(folder)
        arrays = {}
        for samples in LENGTHS:
            audio = torch_twin.music(100 + number, 2, samples)
            codes = torch_twin.encode(model, audio)
            arrays[f"audio_{samples}"] = audio
            arrays[f"codes_{samples}"] = codes
            arrays[f"decoded_{samples}"] = torch_twin.decode(model, codes)
        save_file(arrays, folder / "io.safetensors")
        codes = arrays[f"codes_{LENGTHS[0]}"]
        print(
            case,
            "distinct codes",
            [len(np.unique(codes[:, q])) for q in range(codes.shape[1])],
            "std of decoded audio",
            arrays[f"decoded_{LENGTHS[0]}"].std(),
        )


if __name__ == "__main__":
    main()
