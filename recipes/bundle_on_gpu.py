"""`python -m recipes.bundle_on_gpu`: from MIDI to a codec and a model, in short calls.

Renders songs on all cores, trains the codec, encodes a token store and trains the model,
each with this repository's own commands as processes.  One call stays within `--minutes`;
the next one goes on from `--work`, or, on another machine, from the parcel that the last
one left in `--out` (`--start-from`).  One JSON line per phase.  recipes/README.md.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import tyro

from recipes import commands, ledger, parcel
from recipes.arguments import BundleArgs, codec_stages, model_stages
from recipes.running import Clock, CommandFailed, run
from recipes.stages import (
    RESERVE_SECONDS,
    Inputs,
    Stage,
    release_of,
    seconds_for,
    train_stage,
)
from stemjax.io.errors import exit_on_bad_input

SONGS, TOKENS = "songs", "tokens"  # phases beside the stages


class Call:
    """One call of the recipe: its folders, its clock, what was done before."""

    def __init__(self, args: BundleArgs):
        self.args = args
        self.work = args.work.absolute()
        self.clock = Clock(args.minutes)
        self.bundle = self.work / "bundle"
        self.data = self.work / "data"
        self.codec = self.bundle / args.codec_name
        # what one process compiles the next one reads
        self.environment = {"XDG_CACHE_HOME": str(self.work / "cache")}
        self.stages = codec_stages(args) + model_stages(args)
        self.ledger = ledger.Ledger(self.work / ledger.NAME, {"share": args.share})
        if self.ledger.is_new and args.start_from:
            self._adopt(args.start_from)

    def _adopt(self, source: Path) -> None:
        """Take over the parameters and the record of an earlier call."""
        self.work.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.bundle, ignore_errors=True)
        parcel.unpack(source, self.bundle)
        brought = ledger.Ledger(self.bundle / ledger.NAME, {"share": self.args.share})
        for stage in self.stages:
            facts = brought.facts(stage.name)
            if not facts.get("done"):
                continue
            release = self.bundle / stage.product.name
            here = release_of(self.work, "brought") / stage.product.name
            shutil.copytree(release, here, dirs_exist_ok=True)
            if facts["is_whole"]:
                own = release_of(self.work, stage.name)
                shutil.copytree(here, own, dirs_exist_ok=True)
            self.ledger.note(stage.name, **facts | {"start": facts["done"]})

    def go_on(self) -> bool:
        """Do what fits; whether all is done.  The parcel is made whatever happens."""
        try:
            return self._go_on()
        finally:
            self._pack()

    def _go_on(self) -> bool:
        codec, model = codec_stages(self.args), model_stages(self.args)
        if all(self.ledger.is_whole(stage.name) for stage in codec + model):
            return True
        if not self._songs():
            return False
        for stages in (codec, model):
            if stages is model and not self._tokens():
                return False
            for number, stage in enumerate(stages):
                if not self.ledger.is_whole(stage.name) and not self._train(
                    stages[number:]
                ):
                    return False
        return True

    def _songs(self) -> bool:
        """Render and prepare; songs that are late are left out."""
        if self.ledger.is_whole(SONGS):
            return True
        args, share = self.args, self.args.share
        midi = self._some_midi() if args.midi and share < 1 else args.midi
        songs = commands.Songs(
            midi=midi and midi.absolute(),
            splits=args.splits and args.splits.absolute(),
            sf2=[path.absolute() for path in args.sf2],
            versions=args.versions if share == 1 else 1,
            composed=max(3, round(args.composed * share)),
            composed_seconds=60.0,
            max_seconds=args.max_seconds,
        )
        log, seconds = self.work / "logs" / "songs.log", args.minutes_of.songs * 60
        left = self.clock.left()
        command = commands.render(songs, self.data)
        done = run(command, log, min(seconds, left), environment=self.environment)
        spent, is_whole = done.seconds, not done.is_stopped
        if done.is_stopped and left > seconds:
            done = run(
                commands.prepare(self.data),
                log,
                self.clock.left(),
                environment=self.environment,
            )
            spent, is_whole = spent + done.seconds, not done.is_stopped
        self.ledger.note(SONGS, is_whole=is_whole)
        there = len(list((self.data / "songs").glob("Track*")))
        self._say(SONGS, seconds=spent, songs=there, is_whole=is_whole)
        return is_whole

    def _some_midi(self) -> Path:
        """A folder with the rehearsal's share of the MIDI files."""
        some = self.work / "midi"
        some.mkdir(parents=True, exist_ok=True)
        paths = sorted(p for p in self.args.midi.iterdir() if p.suffix == ".mid")
        for path in paths[: max(2, round(len(paths) * self.args.share))]:
            shutil.copyfile(path, some / path.name)
        return some

    def _tokens(self) -> bool:
        if self.ledger.is_whole(TOKENS):
            return True
        command = commands.tokens(
            self.data / "prepared",
            self.codec,
            self.work / "tokens",
            self.args.draws,
            self.args.batch_of.tokens,
        )
        log, left = self.work / "logs" / "tokens.log", self.clock.left()
        done = run(command, log, left - RESERVE_SECONDS, environment=self.environment)
        self.ledger.note(TOKENS, is_whole=not done.is_stopped)
        self._say(TOKENS, seconds=done.seconds, is_whole=not done.is_stopped)
        return not done.is_stopped

    def _train(self, stages: list[Stage]) -> bool:
        """Train the first of the stages that are left; whether it is whole."""
        stage = stages[0]
        waiting = sum(stage.minutes for stage in stages)
        left = self.clock.left()
        seconds = seconds_for(stage, waiting, left, len(stages))
        if "steps" in self.ledger.facts(stage.name):
            seconds = left - RESERVE_SECONDS  # planned before: go on
        if seconds <= 0:
            self._say(stage.name, is_whole=False, waits_for="the next call")
            return False
        is_model = stage.product.name == self.args.model_name
        inputs = Inputs(
            work=self.work,
            data=self.work / "tokens" if is_model else self.data / "prepared",
            codec=self.codec if is_model else None,
            environment=self.environment,
        )
        facts = train_stage(stage, inputs, self.ledger, self.clock, seconds)
        self._say(stage.name, **facts)
        return facts["is_whole"]

    def _pack(self) -> None:
        if not self.bundle.is_dir():
            return
        shutil.copyfile(self.ledger.path, self.bundle / ledger.NAME)
        parts = parcel.pack(self.bundle, self.args.out.absolute())
        size = sum(part.stat().st_size for part in parts)
        self._say("parcel", parts=len(parts), megabytes=size / 1e6)

    def _say(self, phase: str, **facts: Any) -> None:
        rounded = {
            name: float(f"{value:.4g}") if isinstance(value, float) else value
            for name, value in facts.items()
        }
        left = round(self.clock.left())
        print(json.dumps({"phase": phase} | rounded | {"left": left}), flush=True)


def main(argv: list[str] | None = None) -> None:
    """Parse, do what fits, and turn bad input into one line and exit 2."""
    args = tyro.cli(
        Annotated[BundleArgs, tyro.conf.UseAppendAction],
        prog="python -m recipes.bundle_on_gpu",
        args=argv,
    )
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    with exit_on_bad_input():
        args.check()
        call = Call(args)
        try:
            is_whole = call.go_on()
        except CommandFailed as error:
            print(error, file=sys.stderr)
            sys.exit(1)
        end = {"phase": "end", "is_whole": is_whole, "workers": os.cpu_count()}
        print(json.dumps(end), flush=True)


if __name__ == "__main__":
    main()
