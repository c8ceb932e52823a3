"""Settings of a training run (`Run`), and of one start of it (`Invocation`)."""

import dataclasses
import enum
import hashlib
import json
from typing import Any

from stemjax.config.codec import (
    AdversarialObjective,
    CodecConfig,
    CodecObjective,
    OscillatorCodecConfig,
)
from stemjax.config.model import StemGenConfig, StemGenObjective
from stemjax.config.numbers import Amount, CheckedNumbers, Count, Decay, Seed
from stemjax.config.plain_values import to_json
from stemjax.config.train import (
    LoopConfig,
    MeshConfig,
    OptimConfig,
    PairConfig,
    StopConfig,
)


class Loader(enum.Enum):
    """Library that reads and stacks the examples; the batches are the same arrays."""

    NUMPY = "numpy"
    TF = "tf"
    """A tf.data pipeline; needs the extra `train`."""


class Saving(enum.Enum):
    """Field of a run that is not compared with run.json when a run resumes."""

    MAY_CHANGE = "may change"
    """Saved, and free to differ between two starts of the run."""
    BY_DIGEST = "by digest"
    """A path.  `identity` in run.json holds the digest of the contents instead."""


def _field(saving: Saving, default: Any = dataclasses.MISSING) -> Any:
    return dataclasses.field(default=default, metadata={Saving: saving})


@dataclasses.dataclass(frozen=True, kw_only=True)
class CommonRun(CheckedNumbers):
    """Settings that every run has; they and the data decide what is learned."""

    steps: Count = _field(Saving.MAY_CHANGE)
    """Optimiser steps after which the run is finished."""
    batch_size: Count
    """Examples per optimiser step, over all devices."""
    seed: Seed = 0
    """Seed of initial weights, masks and data order."""
    ema_decay: Decay = 0.0
    """Decay per step of the averaged parameters, which are evaluated and released;
    0 keeps no average."""
    paper_size: bool = False
    """Model of the paper's size: training it on a CPU needs --allow-cpu."""
    optim: OptimConfig = OptimConfig()
    stop: StopConfig = StopConfig()
    loop: LoopConfig = _field(Saving.MAY_CHANGE, LoopConfig())
    mesh: MeshConfig = _field(Saving.MAY_CHANGE, MeshConfig())
    data: str | None = _field(Saving.BY_DIGEST, None)
    """Prepared folder or token store, local or gs://...; "A=2,B=1" mixes several by
    weight."""
    init_from: str | None = _field(Saving.BY_DIGEST, None)
    """Release folder, bundled name or workdir whose weights the run starts from, with a
    fresh optimiser."""

    @property
    def part_optims(self) -> dict[str, OptimConfig | None]:
        """Optimisers of single top-level parameters; None: the parameter stays as it is."""
        return {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class StemGenRun(CommonRun):
    """Settings of the training of a StemGen model."""

    model: StemGenConfig = StemGenConfig()
    objective: StemGenObjective = StemGenObjective()
    pairs: PairConfig = PairConfig()
    codec: str | None = _field(Saving.BY_DIGEST, None)
    """Codec that encodes the audio: a bundled name, a release folder or a workdir."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CodecRun(CommonRun):
    """Settings of the training of a codec."""

    model: CodecConfig = CodecConfig()
    objective: CodecObjective = CodecObjective()
    adversarial: AdversarialObjective = AdversarialObjective()

    @property
    def part_optims(self) -> dict[str, OptimConfig | None]:
        """The discriminator's optimiser; None for an encoder that stays as it is."""
        parts: dict[str, OptimConfig | None] = {}
        if self.adversarial.is_on:
            parts["discriminator"] = self.adversarial.optim
        if self.objective.freeze_codes:
            parts["encoder"] = None
        return parts


@dataclasses.dataclass(frozen=True, kw_only=True)
class OscillatorCodecRun(CodecRun):
    """Settings of the training of an oscillator codec."""

    model: OscillatorCodecConfig = OscillatorCodecConfig()


Run = StemGenRun | CodecRun | OscillatorCodecRun
RUN_TYPES: dict[str, Any] = {
    "stemgen": StemGenRun,
    "codec": CodecRun | OscillatorCodecRun,
}
"""Types of the runs of a kind; of other kinds, `CommonRun`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Invocation(CheckedNumbers):
    """Settings of one start of a run; none changes what is learned, none is saved."""

    workdir: str | None = None
    """Folder of the run, local or gs://...; the same command again resumes the run."""
    loader: Loader = Loader.NUMPY
    """Library that reads the data; tf needs the extra `train`."""
    dry_run: bool = False
    """Print the size and cost of the run as JSON, and train nothing."""
    compile: bool = False
    """With --dry-run: compile the programs too, and print their memory and FLOPs."""
    topology: str | None = None
    """With --compile: TPU slice or GPUs to compile for, such as v5e:8x8 or h100:8.  They
    need not be in this machine."""
    allow_cpu: bool = False
    """Train a model of the paper's size on a CPU."""
    profile_steps: str | None = None
    """A:B traces steps A + 1 to B into WORKDIR/profile, for TensorBoard."""
    sweep: str | None = None
    """Named sweep or .toml file; trains its run --index in WORKDIR/SWEEP/INDEX."""
    index: Amount | None = None
    """Number of the sweep's run, from 0; without it the sweep's runs are listed."""
    coordinator: str | None = None
    """HOST:PORT of process 0 of a run over several processes; a cluster that JAX knows
    (SLURM, Kubernetes, TPU pods, Open MPI) needs none."""
    num_processes: Count | None = None
    """Processes of the run, with --coordinator; 1 joins no cluster."""
    process_id: Amount | None = None
    """Number of this process, from 0, with --coordinator."""


def _names(saving: Saving) -> frozenset[str]:
    fields = {f for kind in (StemGenRun, CodecRun) for f in dataclasses.fields(kind)}
    return frozenset(f.name for f in fields if f.metadata.get(Saving) is saving)


MAY_CHANGE = _names(Saving.MAY_CHANGE)
BY_DIGEST = _names(Saving.BY_DIGEST)


def resolved(run: Run) -> dict[str, Any]:
    """The run as run.json holds it: every setting but the paths, as plain values."""
    return {k: v for k, v in to_json(run).items() if k not in BY_DIGEST}


def run_id(run: Run) -> str:
    """Twelve hex digits of a digest of the resolved run."""
    text = json.dumps(resolved(run), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def first_difference(saved: dict, now: dict, prefix: str = "") -> str | None:
    """Dotted name of the first field that differs, `MAY_CHANGE` apart; None: all equal."""
    for name in sorted(set(saved) | set(now)):
        if not prefix and name in MAY_CHANGE:
            continue
        a, b = saved.get(name), now.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            inner = first_difference(a, b, f"{prefix}{name}.")
            if inner:
                return inner
        elif a != b:
            return f"{prefix}{name}"
    return None
