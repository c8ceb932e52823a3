"""Import of published EnCodec weights from the Hugging Face layout.

A folder holds config.json and model.safetensors.  Weight norm is folded into plain
weights.  A config with an unsupported value is refused by the name of its field.
"""

import dataclasses
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from stemjax.codec import names
from stemjax.config.codec import CodecConfig, PadMode
from stemjax.config.plain_values import to_json
from stemjax.io.errors import UserError
from stemjax.io.json_file import json_text, typed
from stemjax.io.release import (
    CONFIG,
    COPY_AGAIN,
    FILES,
    WEIGHTS,
    read_config,
    write_release,
)
from stemjax.io.remote import absolute, as_path, stage
from stemjax.io.weights import load_safetensors, sha256_of

MODEL_TYPE = "encodec"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedConfig:
    """Fields of a published config.json, with the defaults of Hugging Face's class."""

    model_type: str
    target_bandwidths: tuple[float, ...] = (1.5, 3.0, 6.0, 12.0, 24.0)
    """kbit/s."""
    sampling_rate: int = 24_000
    """Hz."""
    audio_channels: int = 1
    normalize: bool = False
    chunk_length_s: float | None = None
    hidden_size: int = 128
    num_filters: int = 32
    num_residual_layers: int = 1
    upsampling_ratios: tuple[int, ...] = (8, 5, 4, 2)
    norm_type: str = "weight_norm"
    kernel_size: int = 7
    last_kernel_size: int = 7
    residual_kernel_size: int = 3
    dilation_growth_rate: int = 2
    use_causal_conv: bool = True
    pad_mode: str = "reflect"
    compress: int = 2
    num_lstm_layers: int = 2
    trim_right_ratio: float = 1.0
    codebook_size: int = 1024
    codebook_dim: int | None = None
    use_conv_shortcut: bool = True


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
    known = {field.name for field in dataclasses.fields(PublishedConfig)}
    published = typed(
        PublishedConfig,
        {name: value for name, value in raw.items() if name in known},
        source,
        mend=COPY_AGAIN,
    )
    supported = {
        "norm_type": ("weight_norm",),
        "normalize": (False,),
        "chunk_length_s": (None,),
        "audio_channels": (1,),
        "codebook_dim": (None, published.hidden_size),
        "pad_mode": tuple(mode.value for mode in PadMode),
    }
    if not published.use_causal_conv:
        supported["trim_right_ratio"] = (1.0,)
    for field, values in supported.items():
        if getattr(published, field) not in values:
            raise UserError(
                f"{source}: {field} {getattr(published, field)!r} is not supported, only"
                f" {' or '.join(map(repr, values))}; give another codec"
            )
    try:
        return CodecConfig(
            sample_rate=published.sampling_rate,
            upsampling_ratios=published.upsampling_ratios,
            pad_mode=PadMode(published.pad_mode),
            num_codebooks=_num_codebooks(published),
            **{field: getattr(published, field) for field in SAME_NAME},
        )
    except (ValueError, ArithmeticError, IndexError) as error:
        raise UserError(f"{source}: broken value ({error}); {COPY_AGAIN}") from None


def _num_codebooks(published: PublishedConfig) -> int:
    """Number of levels at the highest target bandwidth (kbit/s)."""
    frame_rate = math.ceil(
        published.sampling_rate / math.prod(published.upsampling_ratios)
    )
    bits = math.ceil(math.log2(published.codebook_size))
    return int(1000 * published.target_bandwidths[-1] // (frame_rate * bits))


def fold_weight_norm(
    flat: Mapping[str, np.ndarray], source: Any = WEIGHTS
) -> dict[str, np.ndarray]:
    """Fold weight norm: all weights as `X.weight`.

    A tensor may have any of three spellings: `X.weight`; `X.weight_g`, `X.weight_v`;
    `X.parametrizations.weight.original0`, `.original1`.  The norm is taken over all
    dimensions but the first, the input channel in a transposed convolution.

    source: the file, for error messages.

    Raises:
      UserError: a scale that does not fit its direction.
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
                continue  # `check_weights` reports an unknown tensor
            direction = folded.pop(name)
            scale = folded.pop(base + scale_end)
            if scale.shape != direction.shape[:1] + (1,) * (direction.ndim - 1):
                raise UserError(
                    f"{source}: {base + scale_end} is {scale.shape} for"
                    f" {direction.shape}; {COPY_AGAIN}"
                )
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
    flat = fold_weight_norm(load_safetensors(path), path)
    for level in range(cfg.num_codebooks):  # only training needs these
        base = f"quantizer.layers.{level}.codebook."
        flat.setdefault(base + "inited", np.ones(1, np.float32))
        if (embed := flat.get(base + "embed")) is not None:
            flat.setdefault(base + "cluster_size", np.ones(len(embed), np.float32))
            flat.setdefault(base + "embed_avg", embed)
    flat = {k: np.asarray(v, np.float32) for k, v in flat.items()}
    names.check_weights(flat, cfg, path)
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
