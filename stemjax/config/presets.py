"""Training presets: one value per documented run, with the evidence it carries."""

import dataclasses

from stemjax.config.codec import CodecConfig, CodecObjective
from stemjax.config.model import StemGenConfig, StemGenObjective, TransformerConfig
from stemjax.config.runs import CodecRun, Run, StemGenRun
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

# The bundled model; commands and figures in stemjax/pretrained/stemgen-mini/README.md.
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

# The bundled codec; figures in stemjax/pretrained/codec-mini/README.md.
CODEC_MINI = CodecRun(
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
    "stemgen-finetune": STEMGEN_FINETUNE,
    "stemgen-tiny": STEMGEN_TINY,
    "codec-mini": CODEC_MINI,
    "codec-tiny": CODEC_TINY,
}
