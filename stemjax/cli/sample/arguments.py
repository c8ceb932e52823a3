"""What `sample.py` can be asked. Light: nothing here imports jax."""

import dataclasses
from typing import Annotated, Any

import tyro

from stemjax.config.decode import Guidance
from stemjax.io.audio_formats import AudioFormat


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decoding:
    """The model, and how it decodes."""

    checkpoint: str = "stemgen-mini"
    """Bundled name, release folder or training workdir."""
    codec: str = ""
    """Codec folder, for a checkpoint whose codec is not bundled."""
    preset: str = ""
    """best, naive, fast, vampnet or soundstorm; without it, the checkpoint's own."""
    seed: int = 0
    variations: int = 1
    allow_silent_context: bool = False
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

    def settings(self) -> dict[str, Any]:
        """The decoding settings that were given."""
        names = (
            "steps guidance scales w_conf w_causal w_rand w_rand_final"
            " temperature temperature_final top_p"
        ).split()
        given = {name: getattr(self, name) for name in names}
        return {name: value for name, value in given.items() if value is not None}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Delivered:
    """How audio is written."""

    format: Annotated[AudioFormat, tyro.conf.EnumChoicesFromValues] = AudioFormat.WAV
    """wav is 32-bit float, flac 24 bits, ogg Vorbis."""
    like_context: bool = False
    """Write at the context's own rate and in its format."""
    midi: bool = False
    """Write the stem's notes as MIDI too."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Musical:
    """What is known of the context's music; the rest is found."""

    bpm: float | None = None
    """Beats a minute."""
    beats_per_bar: int | None = None
    key: str | None = None
    """C:maj, A:min, ..."""
    loop: bool = False
    """The context repeats: keep whole bars of it, and make stems without a seam."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer(Delivered, Musical, Decoding):
    """Answer a context mix with a stem (StemGen). Writes stem, mix, tokens, sample.json
    and sample.png into --out.

    Other commands: sample.py layer, sample.py edit, sample.py batch."""

    context: str = ""
    """Recording to listen to: wav, flac, ogg or mp3, any rate, 1 s or longer. Without it,
    the example that ships with stemjax."""
    instrument: str = "bass"
    """One of the 18 categories: piano, bass, drums, guitar, strings, voice, ..."""
    out: str
    """Folder to write."""
    show_decoding: bool = False
    """Draw the order in which tokens were revealed (the paper's fig. 5)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer(Delivered, Musical, Decoding):
    """Layer stems: each answers the mix so far. Writes tracks that sum to the mix, tokens
    and session.json into --out.

    Started again with more instruments, it goes on from the layers that are there."""

    out: str
    """Folder of the session."""
    context: str = ""
    """Recording to begin with, and to go on with: wav, flac, ogg or mp3, any rate."""
    silence: float = 0.0
    """Seconds: begin from nothing, in place of a recording."""
    instruments: str = ""
    """Categories in order: bass,piano,drums."""
    keep: str = "best"
    """Which of the variations is kept: a number from 1, or best, the one whose context
    gain over hearing nothing is highest."""
    replace: int = 0
    """Make layer N of the session anew, as --instruments and --seed say, and with their
    own seeds the later ones."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Edit(Delivered, Decoding):
    """Change part of a stem; what is kept is kept to the token. Writes stem, mix, tokens,
    edit.json and edit.png into --out."""

    seed: int = 1
    """With the seed that a stem was decoded with, 0 by default, much of it comes again."""
    context: str
    """Recording that the stem plays with."""
    stem: str = ""
    """The stem: a recording no longer than the context. Longer contexts continue it."""
    tokens: str = ""
    """Its tokens (tokens.npz, layer_NN.npz); without them the stem is encoded first."""
    instrument: str
    """One of the 18 categories."""
    out: str
    """Folder to write."""
    start: Annotated[float, tyro.conf.arg(name="from")] = 0.0
    """Seconds where the change begins; what is before is kept."""
    stop: Annotated[float | None, tyro.conf.arg(name="to")] = None
    """Seconds where it ends; without it, the context's end."""
    keep_fraction: float = 0.0
    """Share of the changed part's frames that stay, spread evenly."""
    keep_onsets: bool = False
    """Keep what sounds at the stem's onsets: its rhythm."""
    keep_levels: int = 0
    """Coarse levels that stay; finer ones are made anew."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Batch(Delivered, Musical, Decoding):
    """Answer every recording of a folder with every instrument: OUT/<name>/<instrument>/
    with what sample.py writes. Started again, it goes on."""

    contexts: str
    """Folder of wav, flac, ogg or mp3."""
    instruments: str = "bass"
    """Categories: bass,piano,drums."""
    out: str
    """Folder to write."""
