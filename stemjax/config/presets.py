"""Training presets: one value per documented run, with the evidence it carries."""

import dataclasses

from stemjax.config.codec import (
    AdversarialObjective,
    CodecConfig,
    CodecObjective,
    DiscriminatorConfig,
    OscillatorCodecConfig,
    Spectrum,
)
from stemjax.config.model import StemGenConfig, StemGenObjective, TransformerConfig
from stemjax.config.runs import CodecRun, OscillatorCodecRun, Run, StemGenRun
from stemjax.config.train import LoopConfig, OptimConfig, PairConfig, StopConfig


def fit_to_codec(model: StemGenConfig, codec: CodecConfig) -> StemGenConfig:
    """The model with the codec's number of codebooks, codes and frame rate."""
    return dataclasses.replace(
        model,
        num_codebooks=codec.num_codebooks,
        codebook_size=codec.codebook_size,
        frame_rate=codec.frame_rate,
    )


# The paper's model and training (sec. 3): 1024/16/20, batch 40 x 20 s, one A100-80GB,
# about 4 days for 150k steps; not reproduced by us yet.
STEMGEN_SLAKH = StemGenRun(
    steps=360_000,
    batch_size=40,
    paper_size=True,
)

# The bundled model's size; stemjax/pretrained/stemgen-mini/README.md has the flags of its
# three longer runs, and figures.
# Many short crops: 32 of 2.5 s learn to read their neighbours in half of the steps that
# 8 of 10 s take, in the same time (docs/performance.md).
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

# For an accelerator of which minutes are to be had (recipes/): 12.2M parameters, in
# bfloat16 what a bundle of 40 MB holds beside a codec.
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

# Fine-tuning: `--init-from DIR`; the model's shape comes from DIR.
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

# Seconds on a CPU; what the tests run.
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

# EnCodec's architecture at a quarter of its width: codec-mini 1, of which
# stemjax/pretrained/codec-mini/README.md says why it was replaced.
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

# The bundled codec, without phase (A27); figures in its card.
# Its spectra are correlated, and a larger learning rate moves all of them at once.
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
        made_share=0.125,
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

# The decoder alone, from the bundled codec's first stage (`--init-from`): codes stay, and
# with them token stores.  The discriminator hears magnitudes, as the codec codes no phase.
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

PRESETS: dict[str, Run] = {
    "stemgen-slakh": STEMGEN_SLAKH,
    "stemgen-mini": STEMGEN_MINI,
    "stemgen-small": STEMGEN_SMALL,
    "stemgen-finetune": STEMGEN_FINETUNE,
    "stemgen-tiny": STEMGEN_TINY,
    "codec-mini": CODEC_MINI,
    "codec-mini-adversarial": CODEC_MINI_ADVERSARIAL,
    "codec-seanet": CODEC_SEANET,
    "codec-tiny": CODEC_TINY,
}
