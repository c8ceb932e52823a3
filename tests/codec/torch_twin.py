"""EnCodec of `transformers` with random weights that suit parity tests.

Initial weights do not: all codebooks are zero, so every code is 0; and weight-norm scales
equal the norms, so a wrong dimension would not show.
"""

import warnings

import numpy as np

with warnings.catch_warnings():
    # torch and transformers issue warnings on import
    warnings.simplefilter("ignore")
    import torch
    import transformers

COMMON = {
    "sampling_rate": 32_000,
    "audio_channels": 1,
    "normalize": False,
    "chunk_length_s": None,
    "overlap": None,
    "norm_type": "weight_norm",
}


def make(seed: int, samples: int = 96_000, **fields):
    """An `EncodecModel` in evaluation mode, with codebooks drawn from its residuals."""
    torch.manual_seed(seed)
    config = transformers.EncodecConfig(**COMMON | fields)
    model = transformers.EncodecModel(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("original0"):
                parameter.mul_(torch.empty_like(parameter).uniform_(0.7, 1.4))
            elif "bias" in name:
                parameter.uniform_(-0.1, 0.1)
        draw_codebooks(model, music(seed, 4, samples))
        # audio of an audible size: an absolute tolerance must not pass on silence
        codes = encode(model, music(seed + 1, 1, samples // 4))
        last = model.decoder.layers[-1].conv
        scale = 0.1 / decode(model, codes).std()
        last.parametrizations.weight.original0.mul_(scale)
        last.bias.mul_(scale)
    return model


def draw_codebooks(model, audio: np.ndarray) -> None:
    """Set each level's codes to random residuals of the levels before it."""
    latents = model.encoder(torch.from_numpy(audio)[:, None])
    residual = latents.permute(0, 2, 1).reshape(-1, latents.shape[1])
    for layer in model.quantizer.layers:
        size = layer.codebook.embed.shape[0]
        assert len(residual) >= 2 * size, "too little audio for as many codes"
        chosen = residual[torch.randperm(len(residual))[:size]]
        layer.codebook.embed.copy_(chosen)
        residual = residual - layer.decode(layer.encode(residual[None].mT))[0].T


def music(seed: int, batch: int, samples: int) -> np.ndarray:
    """Tones and noise that change every 20 ms: [batch, samples] float32, peak near 1."""
    rng = np.random.default_rng(seed)
    step = 640
    count = -(-samples // step)
    pitch = 50 * 2 ** rng.uniform(0, 6, (batch, count, 3, 1))
    gain = rng.uniform(0, 0.3, (batch, count, 3, 1))
    time = np.arange(step) / 32_000
    tones = (gain * np.sin(2 * np.pi * pitch * time)).sum(2)
    noise = rng.normal(size=(batch, count, step)) * rng.uniform(
        0, 0.2, (batch, count, 1)
    )
    return (tones + noise).reshape(batch, -1)[:, :samples].astype(np.float32)


def encode(model, audio: np.ndarray) -> np.ndarray:
    """Codes [B, Q, T] of [B, N]."""
    with torch.no_grad():
        codes = model.encode(torch.from_numpy(audio)[:, None]).audio_codes
    return codes[0].numpy().astype(np.int32)


def decode(model, codes: np.ndarray) -> np.ndarray:
    """Audio [B, T * hop] of codes [B, Q, T]."""
    with torch.no_grad():
        audio = model.decode(torch.from_numpy(codes).long()[None], [None]).audio_values
    return audio[:, 0].numpy()
