"""Sessions of the page: at most a few at once, each with its recording and its files."""

import collections
import contextlib
import dataclasses
import pathlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

from stemjax.demo import texts
from stemjax.demo.uploads import SESSION_PREFIX
from stemjax.demo.workspace import Workspace
from stemjax.io.errors import UserError

MAX_SESSIONS = 8
"""Recordings that are open at once; five minutes of stereo take 100 MB."""
IDLE_SECONDS = 30 * 60
"""A session without an event for so long gives its place to another."""
IDLE_SECONDS_WITHOUT_PAGE = 2 * 60
"""The same, where no browser or client holds the page open."""


@dataclasses.dataclass
class PageSession:
    """The open recording of one page and the files that its players load."""

    folder: pathlib.Path
    workspace: Workspace | None = None
    """None until the recording is open."""
    uploads: set[pathlib.Path] = dataclasses.field(default_factory=set)
    last_used: float = 0.0
    """Seconds of the monotonic clock."""
    events: int = 0
    """Events that run or wait in the queue."""
    files_written: int = 0

    def new_file(self, role: str, suffix: str) -> pathlib.Path:
        """Path for a file; the earlier file of that role is removed.

        Its name is new, so that a browser does not show an earlier file.

        Raises:
          UserError: the session has ended.
        """
        if not self.folder.is_dir():
            raise UserError(texts.ENDED)
        for old in self.folder.glob(f"{role}-*{suffix}"):
            old.unlink(missing_ok=True)
        self.files_written += 1
        return self.folder / f"{role}-{self.files_written}{suffix}"


class Sessions:
    """The sessions of one server, by the id that Gradio gives to each page."""

    def __init__(self, root: pathlib.Path, on_end: Callable[[str], object]):
        """Args:
        root: folder in which each session has its own.
        on_end: called with the user whose session ends; cancels what still runs.
        """
        self.root, self.on_end = root, on_end
        self.by_user: dict[str, PageSession] = {}
        self.open_pages: collections.Counter[str] = collections.Counter()
        self.lock = threading.RLock()

    @contextlib.contextmanager
    def opening(self, user: str) -> Iterator[PageSession]:
        """The session of a user who opens a recording; a new one takes a place, which is
        free again if the recording is not opened.

        Raises:
          UserError: all places are taken.
        """
        with self.lock:
            session = self.by_user.get(user)
            if session is None:
                self._make_room()
                folder = tempfile.mkdtemp(prefix=SESSION_PREFIX, dir=self.root)
                session = self.by_user[user] = PageSession(pathlib.Path(folder))
        try:
            with self._busy(session):
                yield session
        finally:
            if session.workspace is None:
                self.end(user)

    @contextlib.contextmanager
    def using(self, user: str) -> Iterator[PageSession]:
        """The session of a user.

        Raises:
          UserError: the user has no open recording.
        """
        with self.lock:
            session = self.by_user.get(user)
        if session is None or session.workspace is None:
            raise UserError(texts.NOTHING_OPEN)
        with self._busy(session):
            yield session

    @contextlib.contextmanager
    def _busy(self, session: PageSession) -> Iterator[None]:
        """The session is not idle meanwhile."""
        with self.lock:
            session.events += 1
        try:
            yield
        finally:
            with self.lock:
                session.events -= 1
                session.last_used = time.monotonic()

    def _make_room(self) -> None:
        """End a session that is idle for too long, if all places are taken.

        Raises:
          UserError: none is.
        """
        if len(self.by_user) < MAX_SESSIONS:
            return
        now = time.monotonic()
        for user, session in list(self.by_user.items()):
            has_page = self.open_pages[user] > 0
            limit = IDLE_SECONDS if has_page else IDLE_SECONDS_WITHOUT_PAGE
            if not session.events and now - session.last_used > limit:
                return self.end(user)
        raise UserError(texts.FULL.format(MAX_SESSIONS, round(IDLE_SECONDS / 60)))

    def end(self, user: str) -> None:
        """End the session of a user, if there is one, and remove its files."""
        with self.lock:
            session = self.by_user.pop(user, None)
            if session is None:
                return
            shutil.rmtree(session.folder, ignore_errors=True)
            self.on_end(user)
            shared = set().union(*(other.uploads for other in self.by_user.values()))
        for upload in session.uploads - shared:
            upload.unlink(missing_ok=True)

    def page_opened(self, user: str) -> None:
        """A browser or client holds the page open."""
        with self.lock:
            self.open_pages[user] += 1

    def page_closed(self, user: str) -> None:
        """A browser or client closed the page; with the last one the session ends."""
        with self.lock:
            self.open_pages[user] -= 1
            if self.open_pages[user] <= 0:
                del self.open_pages[user]
                self.end(user)
