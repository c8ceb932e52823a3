"""The page's words."""

TITLE = "stemjax: a music model that listens"
INTRODUCTION = """# stemjax listens
Give it a recording, name an instrument, hear answers that are meant to fit. Keep one, and
ask for the next: it hears what you kept. Everything happens on this machine; nothing is
sent anywhere."""
LISTENS = "How closely it follows your recording"
LISTENS_MORE = "Guidance of the context. 1: hardly; 3: the paper's; 5: slavishly."
CLEARLY = "How clearly it sounds like the instrument"
CLEARLY_MORE = "Guidance of the instrument. 3: the paper's."
CAUSAL = "How much it plays from front to back"
CAUSAL_MORE = "Causal bias. 0: everywhere at once; 0.1: the paper's; 1: strictly."
FAST, REFINE = "fast (16 steps)", "refine (full steps)"
ROUND_TRIP = "What the codec does to your sound"
ROUND_TRIP_MORE = """The model hears and speaks through this codec: what you hear here is
the best that any answer can sound like. It keeps notes and envelopes, not waveforms."""
LICENCE = """### What may be done with it
What is made here is yours: use it, publish it, sell it; nothing is asked. The bundled
model learned from rendered General MIDI under BSD-3-Clause and MIT licences and may repeat
a short phrase of it. For the recording that you upload, its own rights hold."""
NOTHING_OPEN = "Upload a recording, take the example, or begin from silence."
NO_ANSWER = "Answers appear here."


def opened(seconds: float, music, file: str | None) -> str:
    """What was found of a recording."""
    parts = [f"{seconds:.1f} s"]
    if music.bpm:
        parts.append(f"about {music.bpm:.0f} beats a minute")
    if music.key:
        parts.append(music.key.replace(":maj", " major").replace(":min", " minor"))
    return f"**{file or 'silence'}**: " + ", ".join(parts)


def expected(told: str, is_warm: bool) -> str:
    """How long the press of the button will take."""
    more = "" if is_warm else "; the first time, some seconds more to compile"
    return f"An answer will take {told}{more}."
