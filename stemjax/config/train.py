"""Settings of a training run that every task shares."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """AdamW with a tri-stage schedule in absolute steps (paper, sec. 3; A9, A22)."""

    peak_lr: float = 5e-4
    warmup_steps: int = 10_000  # linear from 0
    hold_steps: int = 50_000
    decay_steps: int = 300_000  # exponential down to floor * peak_lr, then constant
    floor: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.95
    weight_decay: float = 0.01  # none on norms, biases, embeddings
    clip_norm: float = 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshConfig:
    """Devices per axis; -1 takes what is left."""

    data: int = -1
    fsdp: int = 1
    tensor: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairConfig:
    """Random (context, target) pairs (paper, sec. 2 and 3; A18, A19)."""

    crop_seconds: float = 20.0
    silence_db: float = -60.0  # a frame of 0.1 s is active above this RMS
    active_fraction: float = 0.5  # of frames, in context and in target
    tries: int = 16  # redraws before the loudest valid crop is taken


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """Cadences and bookkeeping; none of these changes what is learned."""

    log_every: int = 50
    eval_every: int = 1_000
    eval_batches: int = 8
    checkpoint_every: int = 1_000
    checkpoint_keep: int = 3  # newest k, beside the best
    clips_every: int = 0  # decoded audio clips and pictures; 0 = never
    accumulate: int = 1  # micro-batches per optimiser step


@dataclasses.dataclass(frozen=True, kw_only=True)
class StopConfig:
    """Early stop on validation (paper, sec. 3: 20k steps without improvement)."""

    patience_steps: int = 20_000  # 0 = never stop early


def traced_steps(text: str) -> tuple[int, int]:
    """The steps A and B of `--profile-steps A:B`.

    Raises:
      ValueError: not two rising step numbers.
    """
    first, _, last = text.partition(":")
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) < int(last)):
        raise ValueError(f"--profile-steps {text}: give A:B, e.g. 100:105")
    return int(first), int(last)
