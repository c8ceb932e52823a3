"""Settings that every training run has: optimiser, mesh, pairs, loop, early stop."""

import dataclasses

from stemjax.config.numbers import (
    Amount,
    CheckedNumbers,
    Count,
    CropSeconds,
    Decay,
    Devices,
    Finite,
    Fraction,
    NonNegative,
    Portion,
    Positive,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimConfig(CheckedNumbers):
    """AdamW with a three-stage learning rate in absolute steps (paper, sec. 3; A9, A22)."""

    peak_lr: Positive = 5e-4
    """Learning rate between warm-up and decay."""
    warmup_steps: Amount = 10_000
    """Steps of linear rise from 0 to the peak."""
    hold_steps: Amount = 50_000
    """Steps at the peak."""
    decay_steps: Amount = 300_000
    """Steps of exponential decay to the floor; the rate is constant after them."""
    floor: Portion = 0.01
    """Last learning rate, as a share of the peak."""
    beta1: Decay = 0.9
    """Adam's decay of the gradient's mean."""
    beta2: Decay = 0.95
    """Adam's decay of the gradient's mean square."""
    weight_decay: NonNegative = 0.01
    """Decoupled weight decay; norms, biases and embeddings have none (A9)."""
    clip_norm: Positive = 1.0
    """Largest global norm of the gradient; a larger gradient is scaled down."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshConfig(CheckedNumbers):
    """Devices on each axis of the mesh; -1 takes the devices that are left."""

    data: Devices = -1
    """Devices that share the batch, each with a copy of the parameters."""
    fsdp: Devices = 1
    """Devices that share both the batch and the parameters."""
    tensor: Devices = 1
    """Devices that share each layer's matrices."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairConfig(CheckedNumbers):
    """Random pairs of context and target (paper, sec. 2 and 3; A18, A19)."""

    crop_seconds: CropSeconds = 20.0
    """Length of context and target in seconds."""
    silence_db: Finite = -60.0
    """RMS in dBFS above which a frame of 0.1 s is active."""
    active_fraction: Fraction = 0.5
    """Least share of active frames, in context and in target."""
    tries: Amount = 16
    """Draws of a crop; after the last, the loudest valid one is taken."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoopConfig(CheckedNumbers):
    """Intervals of logging, evaluation and checkpoints; may change between starts."""

    log_every: Count = 50
    """Steps between lines of metrics.jsonl."""
    eval_every: Amount = 1_000
    """Steps between evaluations on the validation split; 0: never."""
    eval_batches: Count = 8
    """Batches of one evaluation."""
    checkpoint_every: Amount = 1_000
    """Steps between checkpoints; 0: only at the end."""
    checkpoint_keep: Count = 3
    """Newest checkpoints that are kept, beside the best one."""
    clips_every: Amount = 0
    """Steps between audio clips and spectrograms of validation examples; 0: never."""
    accumulate: Count = 1
    """Micro-batches per optimiser step; more need less memory."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StopConfig(CheckedNumbers):
    """Early stop on the validation metric (paper, sec. 3)."""

    patience_steps: Amount = 20_000
    """Steps without a better value after which the run ends; 0: never."""


def traced_steps(text: str) -> tuple[int, int]:
    """The steps A and B of `--profile-steps A:B`.

    Raises:
      ValueError: not two rising step numbers.
    """
    first, _, last = text.partition(":")
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) < int(last)):
        raise ValueError(f"--profile-steps {text}: give A:B, e.g. 100:105")
    return int(first), int(last)
