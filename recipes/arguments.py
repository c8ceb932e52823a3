"""Arguments of `python -m recipes.bundle_on_gpu`, and the stages that they ask for."""

import dataclasses
from pathlib import Path

from recipes import parcel
from recipes.stages import Product, Stage
from stemjax.config.presets import PRESETS
from stemjax.io.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Minutes:
    """Of each phase, over all calls."""

    songs: float = 2.9
    codec: float = 3.2
    sharpen: float = 1.8
    model: float = 4.5
    long: float = 1.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Steps:
    """At most, whatever the speed."""

    codec: int = 12_000
    sharpen: int = 6_000
    model: int = 20_000
    long: int = 6_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Presets:
    """Of train.py; an empty name leaves the stage out."""

    codec: str = "codec-mini"
    sharpen: str = "codec-mini-adversarial"
    model: str = "stemgen-small"
    long: str = "stemgen-finetune"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Batches:
    """Examples per step: an accelerator likes more than the presets' CPUs do."""

    codec: int = 32
    sharpen: int = 32
    model: int = 64
    long: int = 32
    tokens: int = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class BundleArgs:
    """Train a codec and a model in calls of a few minutes; each call goes on."""

    work: Path
    """Folder for all that is made; keep it between calls if you can."""
    out: Path
    """Folder for the parcel: parameters and curves, in parts of at most 15 MiB."""
    minutes: float = 9.0
    """Of this call, export and parcel included."""
    start_from: Path | None = None
    """A parcel (or what it held) of an earlier call, where --work is new."""
    midi: Path | None = None
    """Folder of MIDI files, as Freedoom's musics/; without it all songs are composed."""
    splits: Path | None = None
    """With --midi: its table of splits, as data/splits/freedoom.csv."""
    sf2: tuple[Path, ...] = ()
    """Soundfont (.sf2, .sf3); repeat for several."""
    versions: int = 3
    """Renderings of a MIDI song in train."""
    composed: int = 100
    """Songs of the composer, 60 s each."""
    max_seconds: float = 120.0
    """Cut MIDI songs after this many seconds."""
    draws: int = 4
    """Random submixes of each segment in the token store."""
    share: float = 1.0
    """Of songs and steps: 0.01 is a rehearsal."""
    minutes_of: Minutes = Minutes()
    steps_of: Steps = Steps()
    presets: Presets = Presets()
    batch_of: Batches = Batches()
    codec_name: str = "codec-mini"
    """Name of the codec's release."""
    model_name: str = "stemgen-mini"
    """Name of the model's release."""
    version: str = ""
    """Of both releases; empty: the package's."""

    def check(self) -> None:
        """Say what is out of range, before anything runs.

        Raises:
          UserError: naming the flag.
        """
        if not 0 < self.share <= 1:
            raise UserError(f"--share {self.share}: give a number above 0, at most 1")
        if self.minutes <= 0:
            raise UserError(f"--minutes {self.minutes}: give more than 0")
        for group in ("minutes_of", "steps_of", "batch_of"):
            for name, value in dataclasses.asdict(getattr(self, group)).items():
                if value <= 0:
                    flag = f"--{group}.{name}".replace("_", "-")
                    raise UserError(f"{flag} {value}: give more than 0")
        for name, preset in dataclasses.asdict(self.presets).items():
            if preset and preset not in PRESETS:
                raise UserError(
                    f"--presets.{name} {preset}: one of {', '.join(PRESETS)}"
                )
        if not (self.presets.codec and self.presets.model):
            raise UserError("--presets.codec and --presets.model must be given")
        for flag, path in (("--midi", self.midi), ("--splits", self.splits)):
            if path and not path.exists():
                raise UserError(f"{flag} {path} does not exist: check the path")
        for path in self.sf2:
            if not path.is_file():
                raise UserError(f"--sf2 {path} does not exist: check the path")
        if self.start_from and not self.start_from.is_dir():
            raise UserError(f"--start-from {self.start_from} is no folder")
        parcel.check_out(self.out)


def codec_stages(args: BundleArgs) -> list[Stage]:
    """The codec's runs in order."""
    return _stages(args, Product(args.codec_name, args.version), ("codec", "sharpen"))


def model_stages(args: BundleArgs) -> list[Stage]:
    """The model's runs in order."""
    return _stages(args, Product(args.model_name, args.version), ("model", "long"))


def _stages(args: BundleArgs, product: Product, names: tuple[str, ...]) -> list[Stage]:
    stages: list[Stage] = []
    for name in names:
        if preset := getattr(args.presets, name):
            stage = Stage(
                name=name,
                preset=preset,
                minutes=getattr(args.minutes_of, name),
                most_steps=max(1, round(getattr(args.steps_of, name) * args.share)),
                batch_size=getattr(args.batch_of, name),
                product=product,
                after=stages[-1].name if stages else "",
            )
            stages.append(stage)
    return stages
