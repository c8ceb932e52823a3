"""Speed of codecs, one JSON line: times real time, and the ratio to transformers.

`python benchmarks/codec.py [--seconds 20] [--repeats 5] [--threads N]`.  The published
32 kHz size and codec-seanet, random weights, batch 1.  With torch installed, the EnCodec
of transformers runs in turn with ours in the same process; `over_transformers` is its
best time over ours.
"""

import argparse
import json
import time
import warnings

from stemjax.io.process.allocator import keep_memory

keep_memory()

import jax
import numpy as np

from stemjax.codec import functional
from stemjax.codec.codec import Codec
from stemjax.config.codec import CodecConfig
from stemjax.config.presets import CODEC_SEANET

SIZES = {"encodec-32k": CodecConfig(), "codec-seanet": CODEC_SEANET.model}


def our_codec(cfg: CodecConfig) -> Codec:
    """Codec with random weights, and codebooks as large as the latents."""
    params, _ = jax.jit(lambda key: functional.init(key, cfg))(jax.random.key(0))
    shape = (cfg.num_codebooks, cfg.codebook_size, cfg.hidden_size)
    tables = 0.1 * jax.random.normal(jax.random.key(1), shape)
    codebooks = functional.codebook_tree(tables, is_inited=True)
    return Codec(cfg, {"params": params, "codebooks": codebooks}, "benchmark", "")


def their_codec(cfg: CodecConfig, threads: int):
    """(encode, decode) of transformers; None: not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torch
            import transformers
    except ImportError:
        return None
    if threads:
        torch.set_num_threads(threads)
    bits = int(np.log2(cfg.codebook_size))
    config = transformers.EncodecConfig(
        target_bandwidths=[cfg.num_codebooks * cfg.frame_rate * bits / 1000],
        sampling_rate=cfg.sample_rate,
        num_filters=cfg.num_filters,
        upsampling_ratios=list(cfg.upsampling_ratios),
        num_lstm_layers=cfg.num_lstm_layers,
        hidden_size=cfg.hidden_size,
        codebook_dim=cfg.hidden_size,
        codebook_size=cfg.codebook_size,
        use_causal_conv=cfg.use_causal_conv,
        use_conv_shortcut=cfg.use_conv_shortcut,
    )
    model = transformers.EncodecModel(config).eval()

    def encode(audio):
        with torch.inference_mode():
            return model.encode(torch.from_numpy(audio)[:, None]).audio_codes

    def decode(codes):
        with torch.inference_mode():
            return model.decode(torch.from_numpy(codes).long()[None], [None])

    return encode, decode


def measure(cfg: CodecConfig, seconds: float, repeats: int, threads: int) -> dict:
    """Speed of encoding and decoding by the best times, ours and theirs in turn."""
    ours, theirs = our_codec(cfg), their_codec(cfg, threads)
    rng = np.random.default_rng(0)
    audio = rng.normal(size=(1, round(seconds * cfg.sample_rate))).astype(np.float32)
    frames = cfg.frames(audio.shape[1])
    shape = (1, cfg.num_codebooks, frames)
    codes = rng.integers(0, cfg.codebook_size, shape, np.int32)
    runs = {"encode": (ours.encode, audio), "decode": (ours.decode, codes)}
    if theirs:
        runs |= {"their_encode": (theirs[0], 0.1 * audio)}
        runs |= {"their_decode": (theirs[1], codes)}
    best = dict.fromkeys(runs, float("inf"))
    for repeat in range(repeats + 1):
        for name, (run, argument) in runs.items():
            started = time.perf_counter()
            run(argument)
            taken = time.perf_counter() - started
            if repeat:  # the first one compiles
                best[name] = min(best[name], taken)
    result = {}
    for name in ("encode", "decode"):
        result[f"{name}_times_real_time"] = round(seconds / best[name], 1)
        if theirs:
            ratio = best[f"their_{name}"] / best[name]
            result[f"{name}_over_transformers"] = round(ratio, 2)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of audio")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs")
    parser.add_argument(
        "--threads", type=int, default=0, help="threads of torch; 0: torch decides"
    )
    arguments = parser.parse_args()
    line = {"benchmark": "codec", "seconds": arguments.seconds}
    line |= {"device": jax.devices()[0].device_kind}
    for name, cfg in SIZES.items():
        line[name] = measure(
            cfg, arguments.seconds, arguments.repeats, arguments.threads
        )
    print(json.dumps(line))


if __name__ == "__main__":
    main()
