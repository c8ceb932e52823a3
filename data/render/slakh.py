"""Slakh2100's names of instruments, and writing of a song in its layout.

`TrackXXXXX/{all_src.mid, metadata.yaml, mix.flac, MIDI/Sxx.mid, stems/Sxx.flac}`.
"""

import os
from pathlib import Path

import numpy as np

from stemjax.data.render.events import DRUM_PROGRAM, Event
from stemjax.data.render.levels import PEAK_DB, STEM_LUFS, Levelled
from stemjax.data.render.midi import midi_bytes
from stemjax.io.atomic import replacing_folder
from stemjax.io.errors import UserError

# slakh-utils' spelling, eight programs each: "Sound Effects" (GM's synth effects) and
# "Sound effects" differ by one letter's case.
CLASSES = (
    "Piano",
    "Chromatic Percussion",
    "Organ",
    "Guitar",
    "Bass",
    "Strings",
    "Strings (continued)",
    "Brass",
    "Reed",
    "Pipe",
    "Synth Lead",
    "Synth Pad",
    "Sound Effects",
    "Ethnic",
    "Percussive",
    "Sound effects",
)
_REVERSE_CYMBAL = 119  # Percussive in General MIDI, "Sound effects" in Slakh

PROGRAM_NAMES = tuple(
    """Acoustic Grand Piano; Bright Acoustic Piano; Electric Grand Piano;
Honky-tonk Piano; Electric Piano 1; Electric Piano 2; Harpsichord; Clavinet; Celesta;
Glockenspiel; Music Box; Vibraphone; Marimba; Xylophone; Tubular Bells; Dulcimer;
Drawbar Organ; Percussive Organ; Rock Organ; Church Organ; Reed Organ; Accordion;
Harmonica; Tango Accordion; Acoustic Guitar (nylon); Acoustic Guitar (steel);
Electric Guitar (jazz); Electric Guitar (clean); Electric Guitar (muted);
Overdriven Guitar; Distortion Guitar; Guitar Harmonics; Acoustic Bass;
Electric Bass (finger); Electric Bass (pick); Fretless Bass; Slap Bass 1; Slap Bass 2;
Synth Bass 1; Synth Bass 2; Violin; Viola; Cello; Contrabass; Tremolo Strings;
Pizzicato Strings; Orchestral Harp; Timpani; String Ensemble 1; String Ensemble 2;
Synth Strings 1; Synth Strings 2; Choir Aahs; Voice Oohs; Synth Choir; Orchestra Hit;
Trumpet; Trombone; Tuba; Muted Trumpet; French Horn; Brass Section; Synth Brass 1;
Synth Brass 2; Soprano Sax; Alto Sax; Tenor Sax; Baritone Sax; Oboe; English Horn;
Bassoon; Clarinet; Piccolo; Flute; Recorder; Pan Flute; Blown bottle; Shakuhachi;
Whistle; Ocarina; Lead 1 (square); Lead 2 (sawtooth); Lead 3 (calliope); Lead 4 chiff;
Lead 5 (charang); Lead 6 (voice); Lead 7 (fifths); Lead 8 (bass + lead);
Pad 1 (new age); Pad 2 (warm); Pad 3 (polysynth); Pad 4 (choir); Pad 5 (bowed);
Pad 6 (metallic); Pad 7 (halo); Pad 8 (sweep); FX 1 (rain); FX 2 (soundtrack);
FX 3 (crystal); FX 4 (atmosphere); FX 5 (brightness); FX 6 (goblins); FX 7 (echoes);
FX 8 (sci-fi); Sitar; Banjo; Shamisen; Koto; Kalimba; Bagpipe; Fiddle; Shanai;
Tinkle Bell; Agogo; Steel Drums; Woodblock; Taiko Drum; Melodic Tom; Synth Drum;
Reverse Cymbal; Guitar Fret Noise; Breath Noise; Seashore; Bird Tweet; Telephone Ring;
Helicopter; Applause; Gunshot""".replace("\n", " ").split("; ")
)


def class_of(stem: int) -> str:
    """Slakh's `inst_class` of a stem (a program, or 128 for drums)."""
    if stem == DRUM_PROGRAM:
        return "Drums"
    return CLASSES[15 if stem == _REVERSE_CYMBAL else stem // 8]


def name_of(stem: int) -> str:
    """General MIDI's name of a stem."""
    return "Drums" if stem == DRUM_PROGRAM else PROGRAM_NAMES[stem]


def metadata(track: str, levelled: Levelled, plugin: str, about: dict) -> dict:
    """Content of metadata.yaml: Slakh's keys, then `about` (source, split, ...).

    Stems are numbered by program with drums last.  A silent stem is listed as in Slakh:
    not rendered, plugin "None", no loudness, no file.
    """
    stems = {}
    for number, stem in enumerate(sorted([*levelled.stems, *levelled.silent])):
        is_rendered = stem in levelled.stems
        entry = {
            "audio_rendered": is_rendered,
            "inst_class": class_of(stem),
            "is_drum": stem == DRUM_PROGRAM,
            "midi_program_name": name_of(stem),
            "midi_saved": is_rendered,
            "plugin_name": plugin if is_rendered else "None",
            "program_num": stem,
        }
        if is_rendered:
            entry["integrated_loudness"] = levelled.loudness[stem]
        stems[f"S{number:02d}"] = entry
    slakh = {
        "audio_dir": f"{track}/stems",
        "lmd_midi_dir": None,
        "midi_dir": f"{track}/MIDI",
        "normalization_factor": STEM_LUFS,
        "normalized": True,
        "overall_gain": levelled.overall_gain,
        "target_peak": PEAK_DB,
    }
    return {**slakh, **about, "stems": stems}


def write_song(
    folder: Path, events: list[Event], levelled: Levelled, meta: dict, rate: int
) -> None:
    """Write one song; the folder appears only when it is whole."""
    import yaml

    with replacing_folder(folder) as part:
        for name in ("stems", "MIDI"):
            (part / name).mkdir()
        for name, entry in meta["stems"].items():
            if entry["audio_rendered"]:
                stem = entry["program_num"]
                _write_flac(part / f"stems/{name}.flac", levelled.stems[stem], rate)
                (part / f"MIDI/{name}.mid").write_bytes(midi_bytes(events, stem))
        _write_flac(part / "mix.flac", levelled.mix, rate)
        (part / "all_src.mid").write_bytes(midi_bytes(events))
        text = yaml.safe_dump(meta, sort_keys=True, allow_unicode=True)
        (part / "metadata.yaml").write_text(text, encoding="utf-8")


def _write_flac(path: Path, audio: np.ndarray, rate: int) -> None:
    import soundfile

    try:
        soundfile.write(os.fsencode(path), audio, rate, subtype="PCM_16")
    except soundfile.LibsndfileError as error:
        raise UserError(
            f"cannot write {path} ({error}): check the disk's space"
        ) from error
