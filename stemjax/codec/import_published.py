"""Import of published EnCodec weights from the Hugging Face layout.

A folder holds config.json and model.safetensors.  Weight norm is folded into plain
weights.  A config with an unsupported value is refused by the name of its field.
"""

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from stemjax.codec import names
from stemjax.config.codec import CodecConfig, PadMode
from stemjax.config.runs import to_json
from stemjax.io.errors import UserError
from stemjax.io.json_file import json_text
from stemjax.io.release import CONFIG, FILES, WEIGHTS, read_config, write_release
from stemjax.io.remote import absolute, as_path, stage
from stemjax.io.weights import load_safetensors, sha256_of

MODEL_TYPE = "encodec"

# A published config.json may omit fields with the default of Hugging Face's config class.
DEFAULTS: dict[str, Any] = {
    "target_bandwidths": [1.5, 3.0, 6.0, 12.0, 24.0],
    "sampling_rate": 24_000,
    "audio_channels": 1,
    "normalize": False,
    "chunk_length_s": None,
    "hidden_size": 128,
    "num_filters": 32,
    "num_residual_layers": 1,
    "upsampling_ratios": [8, 5, 4, 2],
    "norm_type": "weight_norm",
    "kernel_size": 7,
    "last_kernel_size": 7,
    "residual_kernel_size": 3,
    "dilation_growth_rate": 2,
    "use_causal_conv": True,
    "pad_mode": "reflect",
    "compress": 2,
    "num_lstm_layers": 2,
    "trim_right_ratio": 1.0,
    "codebook_size": 1024,
    "codebook_dim": None,
    "use_conv_shortcut": True,
}
SAME_NAME = (
    "audio_channels",
    "hidden_size",
    "num_filters",
    "num_residual_layers",
    "kernel_size",
    "last_kernel_size",
    "residual_kernel_size",
    "dilation_growth_rate",
    "use_causal_conv",
    "compress",
    "num_lstm_layers",
    "trim_right_ratio",
    "codebook_size",
    "use_conv_shortcut",
)


def parse_config(raw: Mapping[str, Any], source: Any = CONFIG) -> CodecConfig:
    """Convert a published JSON config to a `CodecConfig`.

    raw: the JSON object.  source: the file, for error messages.

    Raises:
      UserError: a field with an unsupported value; the message names it.
    """
    if raw.get("model_type") != MODEL_TYPE:
        raise UserError(
            f"{source}: model_type {raw.get('model_type')!r} is not {MODEL_TYPE!r}"
        )
    fields = {k: raw.get(k, default) for k, default in DEFAULTS.items()}
    supported = {
        "norm_type": ("weight_norm",),
        "normalize": (False,),
        "chunk_length_s": (None,),
        "audio_channels": (1,),
        "codebook_dim": (None, fields["hidden_size"]),
        "pad_mode": tuple(mode.value for mode in PadMode),
    }
    if not fields["use_causal_conv"]:
        supported["trim_right_ratio"] = (1.0,)
    for field, values in supported.items():
        if fields[field] not in values:
            raise UserError(
                f"{source}: {field} {fields[field]!r} is not supported, only"
                f" {' or '.join(map(repr, values))}; give another codec"
            )
    try:
        return CodecConfig(
            sample_rate=int(fields["sampling_rate"]),
            upsampling_ratios=tuple(int(r) for r in fields["upsampling_ratios"]),
            pad_mode=PadMode(fields["pad_mode"]),
            num_codebooks=_num_codebooks(fields),
            **{field: fields[field] for field in SAME_NAME},
        )
    except (TypeError, ValueError, ArithmeticError) as error:
        raise UserError(f"{source}: broken value ({error}); copy it again") from None


def _num_codebooks(fields: Mapping[str, Any]) -> int:
    """Number of levels at the highest target bandwidth (kbit/s)."""
    frame_rate = math.ceil(
        fields["sampling_rate"] / math.prod(fields["upsampling_ratios"])
    )
    bits = math.ceil(math.log2(fields["codebook_size"]))
    return int(1000 * fields["target_bandwidths"][-1] // (frame_rate * bits))


def fold_weight_norm(flat: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fold weight norm: all weights as `X.weight`.

    A tensor may have any of three spellings: `X.weight`; `X.weight_g`, `X.weight_v`;
    `X.parametrizations.weight.original0`, `.original1`.  The norm is taken over all
    dimensions but the first, the input channel in a transposed convolution.
    """
    spellings = (
        (".weight_g", ".weight_v"),
        (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
    )
    folded = dict(flat)
    for scale_end, direction_end in spellings:
        for name in [k for k in folded if k.endswith(direction_end)]:
            base = name.removesuffix(direction_end)
            if base + scale_end not in folded:
                continue  # `check_shapes` reports an unknown tensor
            direction = folded.pop(name)
            scale = folded.pop(base + scale_end)
            others = tuple(range(1, direction.ndim))
            norm = np.sqrt(np.sum(np.square(direction), axis=others, keepdims=True))
            folded[base + ".weight"] = direction * (scale / norm)
    return folded


def read_published(
    folder: str | os.PathLike,
) -> tuple[CodecConfig, dict[str, Any], str]:
    """Read a published folder.

    Returns: config, variables (NumPy) and the sha256 of the weights' file.

    Raises:
      UserError: no config, weights that do not fit it, or an unsupported value.
    """
    folder = stage(folder, FILES)
    cfg = parse_config(read_config(folder), folder / CONFIG)
    path = folder / WEIGHTS
    flat = fold_weight_norm(load_safetensors(path))
    for level in range(cfg.num_codebooks):  # only training needs these
        base = f"quantizer.layers.{level}.codebook."
        flat.setdefault(base + "inited", np.ones(1, np.float32))
        if (embed := flat.get(base + "embed")) is not None:
            flat.setdefault(base + "cluster_size", np.ones(len(embed), np.float32))
            flat.setdefault(base + "embed_avg", embed)
    names.check_shapes(flat, cfg, path)
    flat = {k: np.asarray(v, np.float32) for k, v in flat.items()}
    return cfg, names.from_public(flat), sha256_of(path)


def convert(source: str | os.PathLike, out: str | os.PathLike) -> dict[str, Any]:
    """Convert a published folder to a release folder; returns its config.

    Raises:
      UserError: as `read_published`, or `out` is the source.
    """
    source, out = as_path(source), as_path(out)
    if absolute(out) == absolute(source):
        raise UserError(f"{out}: is the imported folder; give another output folder")
    cfg, variables, digest = read_published(source)
    config = {
        "kind": "codec",
        "name": absolute(out).name,
        "version": "1",
        "model": to_json(cfg),
        "steps": 0,
        "licence": "that of the imported weights",
        "metrics": {},
        "imported": {"sha256": digest},
    }
    card = (
        f"# {config['name']}\n\nEnCodec weights imported by stemjax; weight norm is"
        f" folded. sha256 of the source: `{digest}`. Their licence is that of the"
        f" source.\n\n```json\n{json_text(config['model'], indent=2)}\n```\n"
    )
    write_release(out, config, names.to_public(variables), card)
    return config
