"""Give a recording and an instrument, get a stem: `python sample.py --help`."""

import dataclasses
import hashlib
import pathlib
import sys
import time
from typing import Annotated

import tyro

from stemjax.config.decode import Guidance


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Answer a context mix with a stem (StemGen). Writes stem.wav, mix.wav,
    sample.json and sample.png into --out."""

    context: str = ""
    """Recording to listen to: wav, flac, ogg or mp3, any rate, 1 to 60 s. Without it,
    the example that ships with stemjax."""
    instrument: str = "bass"
    """One of the 18 categories: piano, bass, drums, guitar, strings, voice, ..."""
    out: str
    """Folder to write."""
    checkpoint: str = "stemgen-mini"
    """Bundled name, release folder or training workdir."""
    codec: str = ""
    """Codec folder, for a checkpoint whose codec is not bundled."""
    preset: str = ""
    """best, naive, fast, vampnet or soundstorm; without it, the checkpoint's own."""
    seed: int = 0
    variations: int = 1
    allow_silent_context: bool = False
    show_decoding: bool = False
    """Draw the order in which tokens were revealed (the paper's fig. 5)."""
    steps: tuple[int, ...] | None = None
    """Iterations per level, coarse first. The rest: as the preset has it."""
    guidance: Guidance | None = None
    scales: tuple[float, ...] | None = None
    """Guidance scales: context, instrument."""
    w_conf: float | None = None
    w_causal: float | None = None
    w_rand: float | None = None
    w_rand_final: float | None = None
    temperature: float | None = None
    temperature_final: float | None = None
    top_p: float | None = None

    def settings(self) -> dict:
        """The decoding settings that were given."""
        names = (
            "steps guidance scales w_conf w_causal w_rand w_rand_final"
            " temperature temperature_final top_p"
        ).split()
        given = {name: getattr(self, name) for name in names}
        return {name: value for name, value in given.items() if value is not None}


LATER = ("layer", "edit", "batch")  # subcommands to come


def main(argv: Annotated[list[str] | None, tyro.conf.Suppress] = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in LATER:
        from stemjax.io.errors import fail

        fail(f"sample.py {argv[0]}: comes in a later version; give --context FILE")
    arguments = tyro.cli(Arguments, args=argv)

    from stemjax.io.allocator import keep_memory
    from stemjax.io.errors import exit_on_bad_input

    keep_memory()
    with exit_on_bad_input():
        run(arguments)


def run(arguments: Arguments) -> None:
    """Load, listen, decode, write."""
    from tqdm import tqdm

    import stemjax
    from stemjax.io.audio import read_audio
    from stemjax.io.cache import use_compilation_cache
    from stemjax.io.release import PRETRAINED
    from stemjax.io.remote import as_path

    started = time.perf_counter()
    path = pathlib.Path(arguments.context or PRETRAINED / "example" / "context.flac")
    context, rate = read_audio(path)
    use_compilation_cache()
    model = stemjax.load(arguments.checkpoint, codec=arguments.codec)
    loaded = time.perf_counter()
    bars = []  # drawn with the first step: bad input gets its one line alone

    def progress(done: int, total: int) -> None:
        if not bars:
            bars.append(
                tqdm(desc="decoding", unit="step", total=total, file=sys.stderr)
            )
        bars[0].update(done - bars[0].n)

    results = model.generate(
        context,
        rate,
        instrument=arguments.instrument,
        seed=arguments.seed,
        variations=arguments.variations,
        preset=arguments.preset or None,
        allow_silent_context=arguments.allow_silent_context,
        name=str(path),
        progress=progress,
        **arguments.settings(),
    )
    for bar in bars:
        bar.close()
    results = results if isinstance(results, list) else [results]
    out = as_path(arguments.out)
    report = write(out, results, model, path, show_decoding=arguments.show_decoding)
    report["timings"] |= {
        "load": loaded - started,
        "total": time.perf_counter() - started,
    }
    save_report(out, report)
    say(report, out)


def write(out, results, model, context_path, *, show_decoding: bool) -> dict:
    """Write audio and pictures; returns what sample.json will hold."""
    from stemjax import __version__
    from stemjax.arrays.mel import mel_power
    from stemjax.io.audio import write_wav
    from stemjax.io.picture import save_spectrograms

    def picture_of(audio):
        return mel_power(audio, sample_rate=model.sample_rate)

    entries = []
    for k, result in enumerate(results, start=1):
        tail = "" if len(results) == 1 else f"_{k:02d}"
        write_wav(out / f"stem{tail}.wav", result.stem, result.sample_rate)
        write_wav(out / f"mix{tail}.wav", result.mix, result.sample_rate)
        save_spectrograms(
            out / f"sample{tail}.png",
            [
                (f"context: {context_path.name}", picture_of(result.context)),
                (f"stem: {result.settings['instrument']}", picture_of(result.stem)),
                ("mix", picture_of(result.mix)),
            ],
            seconds=len(result.stem) / result.sample_rate,
            order=result.order if show_decoding else None,
            steps=result.settings["steps"],
        )
        entries.append(
            {
                "stem": f"stem{tail}.wav",
                "mix": f"mix{tail}.wav",
                "picture": f"sample{tail}.png",
                "gain": result.gain,
                "settings": result.settings,
                "warnings": list(result.warnings),
            }
        )
    first = results[0]
    report = {
        "format": 1,
        "stemjax": __version__,
        "checkpoint": {
            "name": model.name,
            "version": model.version,
            "sha256": model.sha256,
        },
        "codec": {"name": model.codec.name, "sha256": model.codec.sha256},
        "context": {
            "file": context_path.name,
            "sha256": hashlib.sha256(context_path.read_bytes()).hexdigest(),
        },
        "sample_rate": first.sample_rate,
        "samples": len(first.stem),
        "timings": {
            **first.seconds,
            "times_real_time": len(results)
            * first.seconds["audio"]
            / max(first.seconds["decode"] - first.seconds["compile"], 1e-9),
        },
    }
    return report | (entries[0] if len(entries) == 1 else {"variations": entries})


def save_report(out: pathlib.Path, report: dict) -> None:
    import json

    from stemjax.io.atomic import write_text

    write_text(out / "sample.json", json.dumps(report, indent=2, sort_keys=True) + "\n")


def say(report: dict, out: pathlib.Path) -> None:
    """What was made, in a few lines."""
    times = report["timings"]
    for entry in report.get("variations", [report]):
        print(f"{out / entry['stem']}  {out / entry['mix']}")
        for warning in entry["warnings"]:
            print(f"note: {warning}")
    print(
        f"{times['audio']:.1f} s of audio, decoded at {times['times_real_time']:.2f} x"
        f" real time; compiling took {times['compile']:.1f} s,"
        f" everything {times['total']:.1f} s"
    )


if __name__ == "__main__":
    main()
