"""Arguments of `stemjax sample|layer|edit|batch`.  Imports no jax."""

import dataclasses
from typing import Annotated, Any, Literal

import tyro

from stemjax.config.decode import Guidance
from stemjax.config.numbers import (
    Amount,
    BeatsPerBar,
    Bpm,
    ClipSeconds,
    Finite,
    Fraction,
    NonNegative,
    Portion,
    Positive,
    Seconds,
    Seed,
    Steps,
    Variations,
)
from stemjax.io.audio_files.formats import AudioFormat
from stemjax.io.process.places import OutFolder


def _unset(metavar: str, default: str) -> Any:
    """Help of a flag whose default None stands for another value."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=f"(default: {default})")


PRESET_FLOAT = _unset("FLOAT", "from the preset")
ESTIMATED = "estimated for loops and layers"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecodeOptions:
    """Model and decoding settings."""

    checkpoint: str = "stemgen-mini"
    """Bundled name, release folder or training workdir."""
    codec: Annotated[str, _unset("STR", "from the checkpoint")] = ""
    """Codec folder; needed if the codec of the checkpoint is not bundled."""
    preset: Annotated[str, _unset("STR", "from the checkpoint")] = ""
    """Decoding preset: best, naive, fast, vampnet or soundstorm."""
    seed: Seed = 0
    """Random seed; the same seed gives the same stem on the same machine."""
    variations: Variations = 1
    """Number of different stems to generate."""
    allow_silent_context: bool = False
    """Accept a context below -60 dB RMS."""
    steps: Annotated[
        tuple[Steps, ...] | None, _unset("[INT [INT ...]]", "from the preset")
    ] = None
    """Decoding steps per codec level, coarse first; the last number repeats."""
    guidance: Annotated[
        Literal["", "none", "single", "multi"],
        _unset("{none,single,multi}", "from the preset"),
    ] = ""
    """Guidance: none, single (one scale for all) or multi (one scale per source)."""
    scales: Annotated[
        tuple[Finite, ...] | None, _unset("[FLOAT [FLOAT ...]]", "from the preset")
    ] = None
    """Guidance scales: context, instrument; the paper uses 3 3."""
    w_conf: Annotated[Finite | None, PRESET_FLOAT] = None
    """Weight of the confidence in the ranking of tokens (w_c of eq. 1)."""
    w_causal: Annotated[Finite | None, PRESET_FLOAT] = None
    """Causal bias: weight of early positions in the ranking (w_s of eq. 1)."""
    w_rand: Annotated[Finite | None, PRESET_FLOAT] = None
    """Weight of random noise in the ranking (w_r of eq. 1)."""
    w_rand_final: Annotated[Finite | None, PRESET_FLOAT] = None
    """Factor on w-rand at the last step of a level; linear in between."""
    temperature: Annotated[Positive | None, PRESET_FLOAT] = None
    """Sampling temperature at the first step of a level."""
    temperature_final: Annotated[Positive | None, PRESET_FLOAT] = None
    """Sampling temperature at the last step of a level; linear in between."""
    top_p: Annotated[Portion | None, PRESET_FLOAT] = None
    """Nucleus sampling: probability mass of the tokens that may be drawn; 1 is all."""

    def settings(self) -> dict[str, Any]:
        """The fields of `DecodeConfig` that the user set."""
        names = (
            "steps guidance scales w_conf w_causal w_rand w_rand_final"
            " temperature temperature_final top_p"
        ).split()
        values = {name: getattr(self, name) for name in names}
        values["guidance"] = Guidance(self.guidance) if self.guidance else None
        return {name: value for name, value in values.items() if value is not None}


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Audio formats."""

    format: AudioFormat = AudioFormat.WAV
    """File format: wav (32-bit float), flac (24 bit), ogg (Vorbis) or mp3."""
    like_context: bool = False
    """Write at the sample rate and in the file format of the context."""
    midi: bool = False
    """Also transcribe each stem to a MIDI file."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MusicOptions:
    """Tempo, metre and key of the context."""

    bpm: Annotated[Bpm | None, _unset("FLOAT", ESTIMATED)] = None
    """Tempo, beats per minute."""
    beats_per_bar: Annotated[BeatsPerBar | None, _unset("INT", ESTIMATED)] = None
    """Metre, beats per bar, 1 to 16."""
    key: Annotated[str | None, _unset("STR", ESTIMATED)] = None
    """Key, such as C:maj or A:min."""
    loop: bool = False
    """Treat the context as a loop: cut it to whole bars, make a stem without a seam."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SampleArguments(OutputOptions, MusicOptions, DecodeOptions):
    """Generate a stem for a context mix (StemGen).

    Writes stem, mix, tokens, sample.json and sample.png into --out. Related commands:
    layer, edit, batch."""

    context: Annotated[str, _unset("FILE", "the bundled example")] = ""
    """Context mix: wav, flac, ogg or mp3, any rate, 1 s or longer."""
    instrument: str = "bass"
    """One of the 18 categories: piano, bass, drums, guitar, strings, voice, ..."""
    out: OutFolder
    """Folder to write."""
    joint_seconds: Annotated[ClipSeconds | None, _unset("FLOAT", "off")] = None
    """Joint models: generate the context too, of this length, s; --context, if given, is
    its beginning."""
    show_decoding: bool = False
    """Draw the order in which tokens were revealed (the paper's fig. 5)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerArguments(OutputOptions, MusicOptions, DecodeOptions):
    """Generate several stems, each for the mix of the context and the stems before it.

    Writes tracks that sum to the mix, tokens and session.json into --out. To add layers,
    run it again with the same --out and more --instruments."""

    out: OutFolder
    """Folder of the session, new or existing."""
    context: Annotated[str, _unset("FILE", "none")] = ""
    """Context mix: wav, flac, ogg or mp3, any rate, 1 s or longer."""
    silence: Seconds = 0.0
    """Start from silence of this length, s, instead of a context."""
    instruments: Annotated[str, _unset("STR", "those of the session")] = ""
    """Categories of all layers in order, such as bass,piano,drums."""
    keep: str = "best"
    """Variation to keep: a number from 1, or best (the highest context gain)."""
    replace: Amount = 0
    """Number, from 1, of a layer to generate again; later layers keep their settings."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EditArguments(OutputOptions, DecodeOptions):
    """Regenerate part of a stem and keep the rest token by token.

    Writes stem, mix, tokens, edit.json and edit.png into --out."""

    seed: Seed = 1
    """Random seed; the seed of the stem itself would repeat many of its tokens."""
    context: str
    """Context mix of the stem."""
    stem: Annotated[str, _unset("FILE", "decoded from --tokens")] = ""
    """Recording of the stem; if shorter than the context, it is continued."""
    tokens: Annotated[str, _unset("FILE", "encoded from --stem")] = ""
    """Tokens of the stem: tokens.npz or layer_NN.npz."""
    instrument: str
    """One of the 18 categories: piano, bass, drums, guitar, strings, voice, ..."""
    out: OutFolder
    """Folder to write."""
    start: Annotated[NonNegative, tyro.conf.arg(name="from")] = 0.0
    """Start of the part to regenerate, s."""
    stop: Annotated[
        NonNegative | None,
        tyro.conf.arg(name="to"),
        _unset("FLOAT", "the end of the context"),
    ] = None
    """End of the part to regenerate, s."""
    keep_fraction: Fraction = 0.0
    """Fraction of the frames in the part to keep, spread evenly, 0 to 1."""
    keep_onsets: bool = False
    """Keep the frames at onsets of the stem, and with them its rhythm."""
    keep_levels: Amount = 0
    """Number of coarse codec levels to keep."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchArguments(OutputOptions, MusicOptions, DecodeOptions):
    """Generate stems for every recording of a folder.

    Writes the files of the command sample into OUT/<name>/<instrument>/. Run it again to
    resume."""

    contexts: str
    """Folder of context mixes: wav, flac, ogg or mp3."""
    instruments: str = "bass"
    """Categories, such as bass,piano,drums."""
    out: OutFolder
    """Folder to write."""
