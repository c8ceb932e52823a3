"""What one training run is: model, objective, optimiser, data and loop."""

import dataclasses
import enum
import hashlib
import json
from typing import Any

from stemjax.config.codec import (
    AdversarialObjective,
    AnyCodecConfig,
    CodecConfig,
    CodecObjective,
    OscillatorCodecConfig,
)
from stemjax.config.model import StemGenConfig, StemGenObjective
from stemjax.config.train import (
    LoopConfig,
    MeshConfig,
    OptimConfig,
    PairConfig,
    StopConfig,
)


class Loader(enum.Enum):
    """Who reads and stacks the examples; the batches are the same arrays."""

    NUMPY = "numpy"
    TF = "tf"  # a tf.data pipeline; needs the extra `train`


@dataclasses.dataclass(frozen=True, kw_only=True)
class CommonRun:
    """Fields that every run has. Paths and switches of one invocation come last."""

    steps: int
    batch_size: int  # examples per optimiser step, over all devices
    seed: int = 0
    ema_decay: float = 0.0  # of parameters; 0 = no average is kept
    paper_size: bool = False  # refuses to train on a CPU without allow_cpu
    optim: OptimConfig = OptimConfig()
    stop: StopConfig = StopConfig()
    loop: LoopConfig = LoopConfig()
    mesh: MeshConfig = MeshConfig()
    # of one invocation: not part of the resolved config
    workdir: str = ""
    data: str = ""  # prepared folder or token store; "A=2,B=1" mixes with weights
    init_from: str = ""  # release folder or workdir: its weights, a fresh optimiser
    loader: Loader = Loader.NUMPY
    dry_run: bool = False
    compile: bool = False  # with dry_run: compile, and print memory and FLOPs
    topology: str = ""  # with compile: of a TPU pod that is not here, "v5e:8x8"
    allow_cpu: bool = False
    profile_steps: str = ""  # "A:B": a trace of steps A + 1 to B
    sweep: str = ""  # a named grid of runs; its run `index` is trained in workdir/NAME
    index: int = -1
    coordinator: str = ""  # HOST:PORT of process 0; "" asks the cluster, where one is
    num_processes: int = 0
    process_id: int = -1

    @property
    def part_optims(self) -> dict[str, OptimConfig | None]:
        """Top-level parameters with an optimiser of their own; None: they stay."""
        return {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class StemGenRun(CommonRun):
    model: StemGenConfig = StemGenConfig()
    objective: StemGenObjective = StemGenObjective()
    pairs: PairConfig = PairConfig()
    codec: str = ""  # bundled name or folder


@dataclasses.dataclass(frozen=True, kw_only=True)
class CodecRun(CommonRun):
    model: CodecConfig = CodecConfig()
    objective: CodecObjective = CodecObjective()
    adversarial: AdversarialObjective = AdversarialObjective()

    @property
    def part_optims(self) -> dict[str, OptimConfig | None]:
        parts: dict[str, OptimConfig | None] = {}
        if self.adversarial.is_on:
            parts["discriminator"] = self.adversarial.optim
        if self.objective.freeze_codes:
            parts["encoder"] = None
        return parts


@dataclasses.dataclass(frozen=True, kw_only=True)
class OscillatorCodecRun(CodecRun):
    model: OscillatorCodecConfig = OscillatorCodecConfig()


Run = StemGenRun | CodecRun | OscillatorCodecRun

INVOCATION_FIELDS = (
    "workdir",
    "data",
    "codec",
    "init_from",
    "loader",
    "dry_run",
    "compile",
    "topology",
    "allow_cpu",
    "profile_steps",
    "sweep",
    "index",
    "coordinator",
    "num_processes",
    "process_id",
)
MAY_CHANGE = ("steps", "loop", "mesh")  # between the starts of one run


def to_json(value: Any) -> Any:
    """Dataclasses, enums and tuples as plain JSON values."""
    if dataclasses.is_dataclass(value):
        return {
            f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)
        }
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (tuple, list)):
        return [to_json(v) for v in value]
    return value


def from_json(kind: Any, value: Any) -> Any:
    """Inverse of `to_json` for a dataclass type; unknown fields are an error.

    Raises:
      ValueError: a field that `kind` does not have, naming it.
    """
    import types
    import typing

    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        extra = sorted(set(value) - set(hints))
        if extra:
            raise ValueError(f"{kind.__name__} has no field {extra[0]!r}")
        return kind(**{k: from_json(hints[k], v) for k, v in value.items()})
    origin = typing.get_origin(kind)
    if origin is tuple:
        args = typing.get_args(kind)
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(from_json(args[0], v) for v in value)
        return tuple(from_json(a, v) for a, v in zip(args, value, strict=True))
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        (inner,) = [a for a in typing.get_args(kind) if a is not type(None)]
        return from_json(inner, value)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(value)
    return value


def codec_from_json(value: dict[str, Any]) -> AnyCodecConfig:
    """The config of a codec as saved; which kind it is, its fields tell.

    Raises:
      ValueError: a field that the kind does not have, naming it.
    """
    is_spectral = "bands" in value
    return from_json(OscillatorCodecConfig if is_spectral else CodecConfig, value)


def resolved(run: Run) -> dict[str, Any]:
    """The run as saved in its workdir: all that decides what is learned."""
    plain = to_json(run)
    return {k: v for k, v in plain.items() if k not in INVOCATION_FIELDS}


def run_id(run: Run) -> str:
    """Twelve hex digits that name the resolved config."""
    text = json.dumps(resolved(run), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def first_difference(saved: dict, now: dict, prefix: str = "") -> str | None:
    """Dotted name of the first field that differs (`MAY_CHANGE` apart), or None."""
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
