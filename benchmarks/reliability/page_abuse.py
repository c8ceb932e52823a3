"""Abusive requests to a running page, from 12 sessions at once.

    python -m benchmarks.reliability.page_abuse --n 1000 --seconds 1800

Wrong hosts, large and damaged uploads, unknown end points, values of wrong types, sockets
that send half a request, more sessions than places, cancels, pages that close.  The page
serves a tiny model with random weights.  The bar: each request is answered, refusals in
words; the page is up at the end; its memory grows by less than 5 % over the last half;
it ends with status 0 and leaves no file.  The last line is one JSON object.
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable

import numpy as np

from benchmarks.reliability.page_user import CONTROLS, Client, User
from tests.entry.random_release import ROOT, write_random_release

USERS = 12
MAX_GROWTH = 0.05
HALF_OPEN_SECONDS = 90.0
"""The page states 15 s for a header and 60 s for a body."""
KINDS: list[tuple[int, Callable[[User], None]]] = [
    (8, User.wrong_host),
    (12, User.damaged_upload),
    (4, User.large_upload),
    (4, User.large_body),
    (8, User.good_upload),
    (4, User.silence),
    (4, User.answer),
    (4, User.cancelled_answer),
    (6, User.stop),
    (10, User.layers),
    (3, User.codec),
    (10, User.wrong_types),
    (6, User.unknown_end_point),
    (6, User.stranger),
    (4, User.outside_file),
    (8, User.half_open_socket),
    (3, User.new_page),
]
"""Kinds of requests and how often they come."""


def megabytes(process: subprocess.Popen) -> float:
    """Resident memory of a process."""
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


@contextlib.contextmanager
def running_page(folder: pathlib.Path):
    """A page on a free port; yields its process and port."""
    release = folder / "release"
    write_random_release(release)
    files = folder / "tmp"
    files.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "stemjax", "demo", "--checkpoint", str(release)]
            + ["--port", str(port)],
            cwd=ROOT,
            env=os.environ | {"JAX_PLATFORMS": "cpu", "TMPDIR": str(files)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        if "http://" not in process.stdout.readline():
            sys.exit(f"the page did not start: {(folder / 'log').read_text()[-2000:]}")
        yield process, port
    finally:
        if process.poll() is None:
            process.kill()
        process.stdout.close()


class Campaign:
    """Requests of all users, and what became of them."""

    def __init__(self, process: subprocess.Popen, count: int, seconds: float):
        self.process, self.count = process, count
        self.end_time = time.monotonic() + seconds
        self.lock = threading.Lock()
        self.done = 0
        self.kinds: collections.Counter[str] = collections.Counter()
        self.misses: list[str] = []
        self.memory: list[float] = []

    def run(self, user: User) -> None:
        """Send requests until there are enough, in the order of the user's generator."""
        weights = np.array([weight for weight, _ in KINDS], float)
        while True:
            with self.lock:
                if self.done >= self.count or time.monotonic() > self.end_time:
                    return
                self.done += 1
            kind = KINDS[user.rng.choice(len(KINDS), p=weights / weights.sum())][1]
            try:
                kind(user)
            except Exception as error:
                with self.lock:
                    self.misses.append(
                        f"{kind.__name__}: {type(error).__name__} {error}"
                    )
                    print(self.misses[-1], flush=True)
            with self.lock:
                self.kinds[kind.__name__] += 1
                self.memory.append(megabytes(self.process))
                if len(self.memory) % 20 == 0:
                    print(f"{len(self.memory)}: {self.memory[-1]:.0f} MB", flush=True)

    def growth(self) -> float:
        """Relative growth of the memory from the middle to the end, each the mean of a
        twentieth of the requests."""
        part = max(1, len(self.memory) // 20)
        half = len(self.memory) // 2
        middle = np.mean(self.memory[half : half + part])
        return float(np.mean(self.memory[-part:]) / middle - 1)


def check_half_open(users: list[User]) -> int:
    """How many half-open sockets the page has not closed after the stated time."""
    left = 0
    for opened_at, opened in (pair for user in users for pair in user.half_open):
        opened.settimeout(max(0.1, opened_at + HALF_OPEN_SECONDS - time.monotonic()))
        try:
            opened.recv(1)  # the end of the stream, or a reset
        except TimeoutError:
            left += 1
        except ConnectionError:
            pass
        opened.close()
    return left


def main() -> None:
    """Run the campaign and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with running_page(folder) as (process, port):
            client = Client(port)
            users = [User(client, k, arguments.seed) for k in range(USERS)]
            campaign = Campaign(process, arguments.n, arguments.seconds)
            threads = [threading.Thread(target=campaign.run, args=(u,)) for u in users]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            half_open_left = check_half_open(users)
            for user in users:
                user.page.close()
            time.sleep(2)
            is_up = client.request("GET", "/")[0] == 200
            found = client.event("silence", [0, False, *CONTROLS], "after")
            is_up = is_up and found[0] == "complete"
            process.send_signal(signal.SIGTERM)
            status = process.wait(120)
        left = [path.name for path in (folder / "tmp").iterdir()]
        tracebacks = (folder / "log").read_text().count("Traceback")
    step = max(1, len(campaign.memory) // 20)
    figures = {
        "requests": len(campaign.memory),
        "kinds": dict(sorted(campaign.kinds.items())),
        "misses": len(campaign.misses),
        "is_up": is_up,
        "half_open_left": half_open_left,
        "memory_mb": [round(m) for m in campaign.memory[::step]],
        "growth_last_half": round(campaign.growth(), 4),
        "exit_status": status,
        "files_left": left,
        "tracebacks": tracebacks,
    }
    print(json.dumps(figures))
    is_held = not campaign.misses and is_up and not half_open_left and not left
    sys.exit(0 if is_held and status == 0 and campaign.growth() < MAX_GROWTH else 1)


if __name__ == "__main__":
    main()
