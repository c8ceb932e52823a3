"""MUSDB18-HQ: `train|test/Artist - Title/{mixture,vocals,drums,bass,other}.wav`."""

from pathlib import Path

from stemjax.config.categories import DRUMS, UNKNOWN, VOICE, category_of
from stemjax.data.layouts.song import (
    Fault,
    Listing,
    Song,
    StemFile,
    folders_in,
    in_order,
)
from stemjax.data.layouts.split_table import OMIT, SplitTable
from stemjax.io.errors import UserError

STEMS = {
    "bass": category_of("bass"),
    "drums": DRUMS,
    "other": UNKNOWN,  # several instruments: context only
    "vocals": VOICE,
}

# musdb's own validation set (its configs/mus.yaml), out of the 100 of train.
VALIDATION = frozenset(
    {
        "ANiMAL - Rockshow",
        "Actions - One Minute Smile",
        "Alexander Ross - Goodbye Bolero",
        "Clara Berry And Wooldog - Waltz For My Victims",
        "Fergessen - Nos Palpitants",
        "James May - On The Line",
        "Johnny Lokke - Promises & Lies",
        "Leaf - Summerghost",
        "Meaxic - Take A Step",
        "Patrick Talbot - A Reason To Leave",
        "Skelpolu - Human Mistakes",
        "Traffic Experiment - Sirens",
        "Triviul - Angelsaint",
        "Young Griffo - Pennies",
    }
)

# Errata of sigsep/website (issues 27 and 51), by how their titles begin.
_BLEEDS = "stems bleed into each other"
KNOWN_BAD = {
    "PR - Oh No": "the left channel of the stems does not sum to the mixture",
    "Hop Along - Sister Cities": _BLEEDS,
    "Chris Durban - Celebrate": _BLEEDS,
    "Leaf - Wicked": _BLEEDS,
    "Detsky Sad": _BLEEDS,
    "BKS - Bulldozer": _BLEEDS,
}


def read_songs(root: Path, splits: SplitTable | None) -> Listing:
    """Songs of MUSDB18-HQ; a row of `splits` (by title) wins over the folder.

    `mixture.wav` is left out: the mix is the sum of the stems.

    Raises:
      UserError: the folder holds MUSDB18's .stem.mp4 files.
    """
    songs, faults, warnings, omitted = [], [], [], 0
    for folder in ("train", "test"):
        part = root / folder
        if not part.is_dir():
            continue
        if any(part.glob("*.stem.mp4")):
            raise UserError(
                f"{part} holds .stem.mp4 files (AAC, their stems do not sum to the"
                " mixture): use MUSDB18-HQ"
            )
        for song in folders_in(part):
            split = None
            if splits:
                split = splits.split_of(file=None, title=song.name, id=song.name)
            if split == OMIT:
                omitted += 1
                continue
            if not split:
                is_validation = folder == "train" and song.name in VALIDATION
                split = "validation" if is_validation else folder
            missing = [name for name in STEMS if not (song / f"{name}.wav").is_file()]
            if missing:
                faults.append(
                    Fault(
                        song.name, f"{song / missing[0]}.wav is missing: unpack again"
                    )
                )
                continue
            for title, reason in KNOWN_BAD.items():
                if song.name.startswith(title):
                    warnings.append(Fault(song.name, f"{reason} (known erratum)"))
            stems = tuple(
                StemFile(name, category, song / f"{name}.wav")
                for name, category in STEMS.items()
            )
            songs.append(Song(song.name, song.name, split, "musdb18-hq", stems))
    return Listing(in_order(songs), tuple(faults), tuple(warnings), omitted)
