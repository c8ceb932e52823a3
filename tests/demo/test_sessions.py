"""Places of the page: who has one, who is refused, when it is free again."""

import numpy as np
import pytest

from stemjax.demo import sessions
from stemjax.demo.sessions import MAX_SESSIONS, Sessions
from stemjax.io.errors import UserError


@pytest.fixture
def clock(monkeypatch):
    """Seconds of the monotonic clock, in a list of one."""
    now = [1000.0]
    monkeypatch.setattr(sessions.time, "monotonic", lambda: now[0])
    return now


def opened(places, user):
    with places.opening(user) as session:
        session.workspace = f"recording of {user}"
    return session


def full(tmp_path, ended=None):
    places = Sessions(tmp_path, ([] if ended is None else ended).append)
    for k in range(MAX_SESSIONS):
        opened(places, f"user {k}")
    return places


def test_the_ninth_is_refused_and_the_others_go_on(tmp_path, clock):
    places = full(tmp_path)
    for late in ("late 1", "late 2"):
        with pytest.raises(UserError, match="8 recordings are open"):
            opened(places, late)
    opened(places, "user 3")  # another recording needs no further place
    for k in range(MAX_SESSIONS):
        with places.using(f"user {k}") as session:
            assert session.workspace == f"recording of user {k}"
    with pytest.raises(UserError, match="Upload a recording"), places.using("late 1"):
        pass
    assert len(list(tmp_path.iterdir())) == MAX_SESSIONS


def test_a_closed_page_frees_its_place_and_its_files(tmp_path, clock):
    places = full(tmp_path, ended := [])
    places.page_opened("user 0")
    places.page_opened("user 0")  # the same page again, before the first is noticed
    places.page_closed("user 0")
    session = places.by_user["user 0"]
    first = session.new_file("mix", ".wav")
    first.touch()
    second = session.new_file("mix", ".wav")
    second.touch()
    assert not first.exists() and second.exists()  # one file for each role
    places.page_closed("user 0")
    assert not session.folder.exists() and ended == ["user 0"]
    with pytest.raises(UserError, match="This session has ended"):
        session.new_file("mix", ".wav")
    opened(places, "late")
    assert places.open_pages == {}


@pytest.mark.parametrize(
    ("has_page", "limit"),
    [(True, sessions.IDLE_SECONDS), (False, sessions.IDLE_SECONDS_WITHOUT_PAGE)],
)
def test_an_idle_session_gives_its_place_when_another_needs_it(
    tmp_path, clock, has_page, limit
):
    places = full(tmp_path)
    if has_page:
        for user in places.by_user:
            places.page_opened(user)
    clock[0] += limit
    with pytest.raises(UserError, match="8 recordings"):
        opened(places, "late")
    with places.using("user 0"):  # an event runs: not idle
        clock[0] += 1
        opened(places, "late")
    assert "user 0" in places.by_user and "user 1" not in places.by_user
    assert len(places.by_user) == MAX_SESSIONS


def test_a_recording_that_does_not_open_takes_no_place(tmp_path, clock):
    places = Sessions(tmp_path, [].append)
    with pytest.raises(UserError, match="damaged"), places.opening("me"):
        raise UserError("damaged")
    assert not places.by_user and not list(tmp_path.iterdir())
    opened(places, "me")
    with pytest.raises(UserError, match="damaged"), places.opening("me"):
        raise UserError("damaged")
    with places.using("me") as session:  # the earlier recording stays
        assert session.workspace == "recording of me"


def test_an_upload_of_two_sessions_stays_until_both_end(tmp_path, clock):
    upload = tmp_path / "loop.wav"
    np.zeros(3).tofile(upload)
    places = Sessions(tmp_path, [].append)
    for user in ("a", "b"):
        opened(places, user).uploads.add(upload)
    places.end("a")
    assert upload.exists()
    places.end("b")
    assert not upload.exists()
