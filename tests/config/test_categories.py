"""The category table: names, aliases, MIDI programs."""

import pytest

from stemjax.config.categories import CATEGORIES, category_of, category_of_program


def test_the_table_is_the_contract():
    assert CATEGORIES == tuple(
        "piano chromatic-percussion organ guitar bass strings ensemble brass reed pipe"
        " synth-lead synth-pad synth-effects ethnic percussive sound-effects drums"
        " voice".split()
    )


@pytest.mark.parametrize(
    "typed, index",
    [
        ("Piano", 0),
        ("synth_lead", 10),
        ("Chromatic Percussion", 1),
        ("  BASS ", 4),
        ("vocals", 17),
        ("percussion", 14),
        ("keys", 0),
        ("Synth", 10),
        ("woodwind", 8),
        ("sound effects", 15),
    ],
)
def test_names_as_people_type_them(typed, index):
    assert category_of(typed) == index


def test_an_unknown_name_lists_all():
    with pytest.raises(ValueError, match="kazoo") as error:
        category_of("kazoo")
    assert all(name in str(error.value) for name in CATEGORIES)


@pytest.mark.parametrize(
    "program, index",
    [(0, 0), (7, 0), (22, 2), (34, 4), (52, 6), (96, 12), (118, 14), (119, 14)]
    + [(120, 15), (127, 15), (128, 16)],
)
def test_programs_follow_general_midi(program, index):
    assert category_of_program(program) == index


def test_a_drum_stem_is_drums_whatever_its_program():
    assert category_of_program(0, is_drum=True) == 16
