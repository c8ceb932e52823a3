"""The picture of the floors shows the floors that the test enforces."""

from docs.draw_floors import PICTURE, ROOMS, draw, floors
from tests.test_floors import FLOORS, ROOT


def test_the_picture_is_up_to_date():
    assert PICTURE.read_text() == draw(), "run: python -m docs.draw_floors"


def test_the_picture_has_every_room():
    drawn = {room for row in floors() for room in row}
    folders = {path.parent.name for path in (ROOT / "stemjax").glob("*/*.py")}
    assert drawn == (folders & set().union(*FLOORS)) <= ROOMS.keys()
    assert floors() == [row for row in map(sorted, map(drawn.__and__, FLOORS)) if row]
    for room in drawn | {"data"}:
        assert f">{room}</text>" in draw()
