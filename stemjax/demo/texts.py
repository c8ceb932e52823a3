"""Texts of the page."""

from stemjax.session.music import MusicInfo

TITLE = "stemjax: stems for your recording"
INTRODUCTION = """# stemjax
Upload a recording, choose an instrument, and generate a stem that fits it. Keep one
variation and generate the next: it takes the layers that you kept into account.
Everything runs on this machine; no data leaves it."""
CONTEXT_SCALE = "Guidance: context"
CONTEXT_SCALE_INFO = (
    "How closely the stem follows your recording. 1: little; 3: the paper."
)
INSTRUMENT_SCALE = "Guidance: instrument"
INSTRUMENT_SCALE_INFO = "How closely the stem follows the instrument. 3: the paper."
CAUSAL = "Causal bias"
CAUSAL_INFO = "0: tokens in any order; 0.1: the paper; 1: from start to end."
FAST, REFINE = "fast (16 steps)", "refine (full steps)"
CODEC = "Effect of the codec"
CODEC_INFO = """Context and stem pass through this codec. No stem can sound better: it
preserves notes and envelopes, not waveforms."""
LICENCE = """### Licence
You own what you generate here and may use, publish and sell it. The bundled model was
trained on General MIDI renderings under BSD-3-Clause and MIT licences and may repeat short
phrases of them. The rights to your recording are not affected."""
NOTHING_OPEN = "Upload a recording, use the example, or start from silence."
NO_STEMS = "Generated stems appear here."
CANCELLED = "Cancelled; nothing was changed."
FAULT = "This failed by a fault of the program; the terminal says more."
ENDED = "This session has ended; open your recording again."
FULL = (
    "{} recordings are open on this page, and no more fit: close a page that is not used,"
    " or try again later (a place is free after {} minutes without use)."
)
NOT_ALLOWED_HOST = (
    "403: this page answers to {} only; see --allowed-host of stemjax demo.\n"
)
NO_OTHER_HOST = "403: this page loads nothing from other hosts.\n"
NO_END_POINT = "404: no such end point; /gradio_api/info lists them.\n"
TOO_LARGE = "413: more than {} MB; an upload has at most 50 MB: cut it.\n"


def describe_session(seconds: float, music: MusicInfo, file: str | None) -> str:
    """Name, length, tempo and key of a recording."""
    parts = [f"{seconds:.1f} s"]
    if music.bpm:
        parts.append(f"about {music.bpm:.0f} beats per minute")
    if music.key:
        parts.append(music.key.replace(":maj", " major").replace(":min", " minor"))
    return f"**{file or 'silence'}**: " + ", ".join(parts)


def describe_estimate(duration: str, *, is_compiled: bool) -> str:
    """Expected duration of a generation."""
    more = "" if is_compiled else ", and some more to compile the first time"
    return f"Generating takes {duration}{more}."
