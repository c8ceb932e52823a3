"""`python evaluate.py gallery`: recordings answered with stems, for a web page."""

import functools
import hashlib
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stemjax.config.categories import CATEGORIES, category_of
from stemjax.config.decode import DecodeConfig
from stemjax.config.runs import to_json
from stemjax.config.sweeps import Row
from stemjax.eval import alignment, clips, gallery
from stemjax.eval.clips import Example, Triple
from stemjax.eval.commands.decoding import decode
from stemjax.eval.commands.listening_arguments import Gallery
from stemjax.eval.gallery import Recording
from stemjax.eval.generate import ExampleSet, Job, System, describe
from stemjax.eval.instrument_classifier import Loaded
from stemjax.eval.listening import UNPITCHED
from stemjax.eval.populations import Bench, context_path
from stemjax.eval.rows import row_jobs
from stemjax.eval.score import FORMAT
from stemjax.io.atomic import write_text
from stemjax.io.audio import read_audio
from stemjax.io.audio_formats import write_vorbis
from stemjax.io.errors import UserError

NOTHING, NOT_ASKED = "nothing", "not asked"


class Asked(NamedTuple):
    """A context and an instrument, as an example without a real stem."""

    id: str
    song: str
    category: str
    seed: int


def instruments_of(text: str) -> list[str]:
    """Names of categories from "bass,drums,...".

    Raises:
      UserError: an unknown one.
    """
    try:
        found = [CATEGORIES[category_of(name)] for name in text.split(",")]
    except ValueError as error:
        raise UserError(f"--instruments: {error}") from None
    return list(dict.fromkeys(found))


def examples_of(
    recordings: Sequence[Recording], instruments: Sequence[str], seed: int
) -> ExampleSet:
    """Each instrument for each recording; the manifest tells the recordings' samples."""
    audio = {recording.name: recording.audio for recording in recordings}
    pairs = [
        Asked(f"{name}_{instrument}", name, instrument, seed)
        for name in audio
        for instrument in instruments
    ]
    rows = [
        pair._asdict()
        | {"sha256": hashlib.sha256(audio[pair.song].tobytes()).hexdigest()}
        for pair in pairs
    ]

    def read(pair: Asked) -> tuple[np.ndarray, np.ndarray]:
        return audio[pair.song], np.zeros_like(audio[pair.song])

    lines = [json.dumps(row, sort_keys=True) + "\n" for row in rows]
    return ExampleSet(pairs, "".join(lines), read)


def run_gallery(
    command: Gallery, system: System, config: DecodeConfig, instruments: Loaded | None
) -> None:
    """Decode what is not there, measure, write OUT/index.md, ogg, png, gallery.json.

    instruments: None: nobody is asked which instrument plays.

    Raises:
      UserError: bad recordings or instruments.
    """
    names = instruments_of(command.instruments)
    rate = system.sample_rate
    recordings = gallery.read_contexts(command.contexts, rate, command.seconds)
    examples = examples_of(recordings, names, command.seed)
    bench = Bench(system, examples, pathlib.Path(command.work))
    row = Row(name="gallery", points=(config,))
    jobs = row_jobs(row, bench, len(examples.pairs), seeds=1, deal_seed=command.seed)
    decode(bench, jobs, batch_size=command.batch_size, shard="0/1")
    out = pathlib.Path(command.out)
    for recording in recordings:
        write_vorbis(out / _context(recording.name), recording.audio, rate)
    audio = {recording.name: recording.audio for recording in recordings}
    measured = measure(jobs, bench, command.cache, instruments)
    items = [
        _write_item(out, job, audio[job.pair.song], rate) | found
        for job, found in zip(jobs, measured, strict=True)
    ]
    _write_index(out, system, config, command, items)


def measure(
    jobs: Sequence[Job], bench: Bench, cache: str, instruments: Loaded | None
) -> list[dict[str, Any]]:
    """Beats, chroma and instrument of each stem, JSON values."""
    facts = functools.cache(clips.read_facts)
    examples = []
    for job in jobs:
        context = context_path(bench.folder, job.pair)
        triple = Triple(job.pair.id, job.stem, job.stem, context)
        examples.append(clips.probe(triple, facts))
    chosen = [(e, role) for role in ("context", "generated") for e in examples]
    heard = alignment.listen(chosen, pathlib.Path(cache).expanduser())
    pairs = zip(heard[: len(jobs)], heard[len(jobs) :], strict=True)

    def figures(example: Example, category: str, context, stem) -> dict[str, Any]:
        has_beats = len(context.beats) >= alignment.FEWEST_BEATS
        is_voiced = alignment.are_voiced(context, stem)
        is_voiced &= category not in UNPITCHED
        return {
            "beat_f": alignment.beat_f(context, stem) if has_beats else None,
            "beat_f_any_level": alignment.beat_f_any_level(context, stem)
            if has_beats
            else None,
            "chroma_cosine": alignment.chroma_cosine(context, stem)
            if is_voiced
            else None,
            "heard_as": _heard_as(example, instruments),
        }

    categories = [job.pair.category for job in jobs]
    return [
        figures(e, category, *pair)
        for e, category, pair in zip(examples, categories, pairs, strict=True)
    ]


def _heard_as(example: Example, instruments: Loaded | None) -> str:
    if instruments is None:
        return NOT_ASKED
    found = instruments.answer(clips.load(example, "generated"))
    return NOTHING if found is None else CATEGORIES[found]


def _context(name: str) -> str:
    return f"{name}.ogg"


def _write_item(
    out: pathlib.Path, job: Job, context: np.ndarray, rate: int
) -> dict[str, Any]:
    """Write a stem, its mix and their picture; which files these are."""
    stem = read_audio(job.stem)[0][:, 0]
    mix = clips.mix(context, stem)
    pair = job.pair
    files = {
        "context": _context(pair.song),
        "stem": f"{pair.id}_stem.ogg",
        "mix": f"{pair.id}_mix.ogg",
        "picture": f"{pair.id}.png",
    }
    write_vorbis(out / files["stem"], stem, rate)
    write_vorbis(out / files["mix"], mix, rate)
    rows = [("context", context), (pair.category, stem), ("mix", mix)]
    gallery.save_picture(out / files["picture"], rows, rate)
    return {"context": pair.song, "instrument": pair.category, "files": files}


def _write_licences(out: pathlib.Path, places: Sequence[str]) -> list[str]:
    """Copy the contexts' licences; lines that name them."""
    found = gallery.licences(places)
    for name, text in found.items():
        write_text(out / name, text)
    return [f"contexts, and mixes with them, under [{name}]({name})" for name in found]


def _write_index(
    out: pathlib.Path,
    system: System,
    config: DecodeConfig,
    command: Gallery,
    items: Sequence[Mapping[str, Any]],
) -> None:
    about = describe(system)
    checkpoint = about["checkpoint"]
    title = f"Gallery of {checkpoint['name']} {checkpoint['version']}"
    scales = ", ".join(f"{scale:g}" for scale in config.scales)
    lines = [
        f"model sha256 {about['sha256'][:12]}, codec {about['codec']['name']}"
        f" ({about['codec']['sha256'][:12]})",
        f"first answers of seed {command.seed}, none chosen by ear: steps"
        f" {'/'.join(map(str, config.steps))}, guidance {config.guidance.value} {scales},"
        f" w_s {config.w_causal:g}",
        *_write_licences(out, command.contexts),
        "Ogg Vorbis, mono; a stem or mix whose peak passes full scale is turned down",
    ]
    whole = {
        "format": FORMAT,
        "system": about,
        "seed": command.seed,
        "settings": to_json(config),
        "items": list(items),
    }
    text = json.dumps(whole, indent=1, sort_keys=True) + "\n"
    write_text(out / "gallery.json", text)
    write_text(out / "index.md", gallery.index(title, lines, items))
    files = {name for item in items for name in item["files"].values()}
    total = sum((out / name).stat().st_size for name in files)
    largest = max((out / name).stat().st_size for name in files)
    print(
        f"{out}: index.md, gallery.json, {len(files)} files of {total / 1e6:.1f} MB,"
        f" the largest {largest / 1e3:.0f} kB"
    )
