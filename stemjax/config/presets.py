"""Training presets: each a run, a sentence about it, and what it trains on."""

import dataclasses

from stemjax.config.codec import (
    AdversarialObjective,
    AnyCodecConfig,
    CodecConfig,
    CodecObjective,
    DiscriminatorConfig,
    OscillatorCodecConfig,
    Spectrum,
)
from stemjax.config.model import StemGenConfig, StemGenObjective, TransformerConfig
from stemjax.config.runs import CodecRun, OscillatorCodecRun, Run, StemGenRun
from stemjax.config.train import LoopConfig, OptimConfig, PairConfig, StopConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preset:
    """A run that `train.py` knows by name."""

    run: Run
    about: str
    """The model, its size, and where and how long it trains."""
    is_self_contained: bool = False
    """Without --data the run trains on a synthetic set made in memory, and a StemGen
    run without --codec on a random codec."""


def fit_to_codec(model: StemGenConfig, codec: AnyCodecConfig) -> StemGenConfig:
    """The model with the codec's number of codebooks, codes and frame rate."""
    return dataclasses.replace(
        model,
        num_codebooks=codec.num_codebooks,
        codebook_size=codec.codebook_size,
        frame_rate=codec.frame_rate,
    )


STEMGEN_SLAKH = StemGenRun(
    steps=360_000,
    batch_size=40,
    paper_size=True,
)

# The flags of the bundled model's three runs are in its card
# (stemjax/pretrained/stemgen-mini/README.md).
# Short crops: 32 of 2.5 s need half of the steps of 8 of 10 s, at the same cost per step
# (docs/performance.md).
STEMGEN_MINI = StemGenRun(
    steps=3_300,
    batch_size=32,
    model=StemGenConfig(
        transformer=TransformerConfig(
            width=192, layers=6, heads=3, mlp_hidden=512, rope_theta=100.0
        ),
    ),
    objective=StemGenObjective(level_decay=0.5, codebook_init=True),
    pairs=PairConfig(crop_seconds=2.5),
    optim=OptimConfig(
        peak_lr=2e-3, warmup_steps=100, hold_steps=2_000, decay_steps=1_200, floor=0.1
    ),
    loop=LoopConfig(log_every=10, eval_every=500, eval_batches=8, checkpoint_every=250),
    ema_decay=0.998,
)

STEMGEN_SMALL = dataclasses.replace(
    STEMGEN_MINI,
    steps=20_000,
    batch_size=64,
    model=StemGenConfig(
        transformer=TransformerConfig(
            width=256, layers=10, heads=4, mlp_hidden=704, rope_theta=100.0
        ),
    ),
    optim=OptimConfig(
        peak_lr=1.5e-3,
        warmup_steps=500,
        hold_steps=12_000,
        decay_steps=7_500,
        floor=0.1,
    ),
    loop=LoopConfig(log_every=100, eval_every=2_500, checkpoint_every=2_500),
)

STEMGEN_FINETUNE = dataclasses.replace(
    STEMGEN_MINI,
    steps=2_000,
    batch_size=8,
    pairs=PairConfig(crop_seconds=10.0),
    optim=OptimConfig(
        peak_lr=1e-4, warmup_steps=100, hold_steps=500, decay_steps=2_000, floor=0.05
    ),
    stop=StopConfig(patience_steps=500),
    loop=LoopConfig(log_every=10, eval_every=100, checkpoint_every=100),
)

STEMGEN_TINY = StemGenRun(
    steps=20,
    batch_size=4,
    model=StemGenConfig(
        transformer=TransformerConfig(width=64, layers=2, heads=2, mlp_hidden=128),
    ),
    pairs=PairConfig(crop_seconds=1.0),
    optim=OptimConfig(peak_lr=3e-3, warmup_steps=5, hold_steps=1_000),
    loop=LoopConfig(
        log_every=1,
        eval_every=10,
        eval_batches=2,
        checkpoint_every=5,
        checkpoint_keep=2,
    ),
)

# codec-mini 1; the card of codec-mini says why it was replaced.
CODEC_SEANET = CodecRun(
    steps=3_200,
    batch_size=8,
    model=CodecConfig(
        num_filters=16, upsampling_ratios=(4, 4, 5, 8), num_lstm_layers=1
    ),
    objective=CodecObjective(wave_weight=1.0, sisdr_weight=0.3),
    optim=OptimConfig(
        peak_lr=2e-3,
        warmup_steps=100,
        hold_steps=1_100,
        decay_steps=2_000,
        floor=0.03,
        beta2=0.99,
        weight_decay=0.0,
    ),
    loop=LoopConfig(log_every=10, eval_every=200, checkpoint_every=100),
    ema_decay=0.998,
)

# Neighbouring spectra are correlated: a larger learning rate moves all of them at once.
CODEC_MINI = OscillatorCodecRun(
    steps=4_000,
    batch_size=16,
    model=OscillatorCodecConfig(level_units=20.0, level_priority=(0.5, 1.0, 2.0, 6.0)),
    objective=CodecObjective(
        wave_weight=0.0,
        tone_weight=1.0,
        spectrum_weight=1.0,
        continuous_steps=1_000,
        mel_windows=(256, 512, 1024, 2048),
        level_dropout=0.3,
        crop_seconds=1.5,
        crop_levels=(-46.0, -3.0),
        synthetic_share=0.125,
    ),
    optim=OptimConfig(
        peak_lr=5e-4,
        warmup_steps=100,
        hold_steps=2_500,
        decay_steps=1_500,
        floor=0.03,
        beta2=0.99,
        weight_decay=0.0,
    ),
    loop=LoopConfig(log_every=10, eval_every=250, checkpoint_every=250),
    ema_decay=0.998,
)

# The discriminator gets magnitudes because the codec codes no phase.
CODEC_MINI_ADVERSARIAL = dataclasses.replace(
    CODEC_MINI,
    steps=1_200,
    batch_size=8,
    objective=dataclasses.replace(
        CODEC_MINI.objective, continuous_steps=0, freeze_codes=True
    ),
    adversarial=AdversarialObjective(
        weight=1.0,
        matching_weight=5.0,
        discriminator=DiscriminatorConfig(spectrum=Spectrum.LOG_MAGNITUDE),
    ),
    optim=dataclasses.replace(
        CODEC_MINI.optim,
        peak_lr=3e-4,
        warmup_steps=200,
        hold_steps=500,
        decay_steps=500,
    ),
)

CODEC_TINY = CodecRun(
    steps=20,
    batch_size=2,
    model=CodecConfig(
        num_filters=4,
        upsampling_ratios=(4, 4, 5, 8),
        num_lstm_layers=1,
        hidden_size=16,
        num_codebooks=2,
        codebook_size=512,
    ),
    objective=CodecObjective(crop_seconds=0.5, mel_windows=(256, 1024)),
    optim=OptimConfig(peak_lr=3e-3, warmup_steps=5, hold_steps=1_000, weight_decay=0.0),
    loop=LoopConfig(
        log_every=1,
        eval_every=10,
        eval_batches=2,
        checkpoint_every=5,
        checkpoint_keep=2,
    ),
)

PRESETS: dict[str, Preset] = {
    "stemgen-slakh": Preset(
        run=STEMGEN_SLAKH,
        about="The paper's model (sec. 3): 269M parameters, batches of 40 x 20 s. One"
        " A100 with 80 GB or more; the paper trained about 4 days for 150k steps.",
    ),
    "stemgen-mini": Preset(
        run=STEMGEN_MINI,
        about="The bundled model's size: 5.8M parameters, batches of 32 x 2.5 s. A CPU"
        " with 2 cores, about an hour.",
    ),
    "stemgen-small": Preset(
        run=STEMGEN_SMALL,
        about="Twice the bundled model: 12.2M parameters, batches of 64 x 2.5 s. One GPU"
        " or TPU.",
    ),
    "stemgen-finetune": Preset(
        run=STEMGEN_FINETUNE,
        about="Fine-tuning on your songs: give --init-from, which decides the size;"
        " batches of 8 x 10 s. A CPU, minutes.",
    ),
    "stemgen-tiny": Preset(
        run=STEMGEN_TINY,
        about="A test model: 1.1M parameters, batches of 4 x 1 s. A CPU, a minute;"
        " needs neither --data nor --codec.",
        is_self_contained=True,
    ),
    "codec-mini": Preset(
        run=CODEC_MINI,
        about="A codec without phase, with a separate level (A27): 3.3M parameters,"
        " batches of 16 x 1.5 s. A CPU with 2 cores, about half an hour.",
    ),
    "codec-mini-adversarial": Preset(
        run=CODEC_MINI_ADVERSARIAL,
        about="The decoder of a codec-mini against a discriminator: give --init-from;"
        " the codes stay, so token stores stay valid. A CPU.",
    ),
    "codec-seanet": Preset(
        run=CODEC_SEANET,
        about="EnCodec's architecture at a quarter of its width: 2.3M parameters,"
        " batches of 8 x 1 s. A CPU.",
    ),
    "codec-tiny": Preset(
        run=CODEC_TINY,
        about="A test codec: 0.1M parameters, batches of 2 x 0.5 s. A CPU, a minute;"
        " needs no --data.",
        is_self_contained=True,
    ),
}
"""Presets of `train.py PRESET`, by name."""
