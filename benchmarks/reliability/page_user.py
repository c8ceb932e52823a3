"""A user of the page who sends abusive requests, and what each must be answered."""

import contextlib
import http.client
import io
import json
import socket
import threading
import time

import numpy as np
import soundfile

ANSWER_SECONDS = 300.0
"""A request without an answer for so long hangs; the machine may be busy."""
CONTROLS = ["bass", 3, 3, 0.1, "fast (16 steps)", 1, 0]
BOUNDARY = "page-abuse"


class BarMissed(Exception):
    """A request was not answered as it must be."""


class Client:
    """Requests to the page."""

    def __init__(self, port: int):
        self.port = port

    def request(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes]:
        """Status and body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, ANSWER_SECONDS)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host="Host" in headers)
            if body is not None and "Content_Length" not in headers:
                headers["Content_Length"] = str(len(body))
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders(body)
            answered = connection.getresponse()
            return answered.status, answered.read()

    def event(self, name: str, data: list, user: str) -> tuple[str, str]:
        """Kind and data of the last message of an event: complete or error."""
        body = json.dumps({"data": data, "session_hash": user}).encode()
        path = f"/gradio_api/call/{name}"
        status, text = self.request("POST", path, body, Content_Type="application/json")
        if status != 200:
            return "refused", text.decode()
        path += "/" + json.loads(text)["event_id"]
        lines = self.request("GET", path)[1].decode().strip().splitlines()
        return lines[-2].removeprefix("event: "), lines[-1].removeprefix("data: ")

    def upload(self, name: str, content: bytes) -> tuple[int, bytes]:
        """Upload a file."""
        head = (
            f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=files;"
            f' filename="{name}"\r\n\r\n'
        )
        body = head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        return self.request("POST", "/gradio_api/upload", body, Content_Type=kind)

    def hold_page(self, user: str) -> socket.socket:
        """Keep the page open, as a browser does."""
        held = socket.create_connection(("127.0.0.1", self.port), 30)
        path = f"/gradio_api/heartbeat/{user}"
        held.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return held


def require(is_good: bool, what: object) -> None:
    """Raise BarMissed with what was found."""
    if not is_good:
        raise BarMissed(str(what)[-300:])


def require_words(found: tuple[str, str]) -> None:
    """An event ended well, or with a reason."""
    kind, text = found
    if kind == "error":
        message = json.loads(text)
        require(bool(message and message.get("error")), f"no words: {text}")
        require("fault of the program" not in text, text)
    else:
        require(kind == "complete" or bool(text.strip()), found)


class User:
    """One of the users; each method is a kind of request."""

    def __init__(self, client: Client, number: int, seed: int):
        self.client, self.number = client, number
        self.rng = np.random.default_rng((seed, number))
        self.half_open: list[tuple[float, socket.socket]] = []
        self.name, self.page = "", None
        self.pages = 0
        self.new_page()

    def new_page(self) -> None:
        """Close the page and open another."""
        if self.page:
            self.page.close()
        self.pages += 1
        self.name = f"user-{self.number}-{self.pages}"
        self.page = self.client.hold_page(self.name)

    def wrong_host(self) -> None:
        name = str(self.rng.choice(["Host", "Origin"]))
        value = str(
            self.rng.choice(["evil.example", "127.0.0.1.evil.example:80", "é@"])
        )
        if name == "Origin":
            value = "http://" + value
        status, text = self.client.request("GET", "/config", **{name: value})
        require(status == 403 and b"answers to" in text, (status, text))

    def damaged_upload(self) -> None:
        content = self.rng.bytes(int(self.rng.integers(0, 20_000)))
        if self.rng.integers(2):
            file = bytearray(tone(self.rng, 3.0))
            for place in self.rng.integers(60, size=8):
                file[place] = self.rng.integers(256)
            content = bytes(file)
        suffix = self.rng.choice(["wav", "raw", "mp3", "flac", "ogg", "txt", "m4a", ""])
        self._open(f"damaged.{suffix}", content)

    def large_upload(self) -> None:
        if self.rng.integers(4):
            status, text = self.client.request(
                "POST", "/gradio_api/upload", b"", Content_Length="99000000000"
            )
        else:
            with contextlib.suppress(ConnectionError):  # refused while it was sent
                status, text = self.client.upload("large.wav", bytes(50_500_000))
        require(status == 413 and len(text) > 10, (status, text))

    def large_body(self) -> None:
        with contextlib.suppress(ConnectionError):
            body = b'{"data": "' + bytes(2_000_000)
            status, _ = self.client.request("POST", "/gradio_api/queue/join", body)
            require(status == 413, status)

    def good_upload(self) -> None:
        self._open("loop.wav", tone(self.rng, self.rng.uniform(2.5, 6.0)))

    def _open(self, name: str, content: bytes) -> None:
        status, text = self.client.upload(name, content)
        require(status == 200, (status, text))
        file = {"path": json.loads(text)[0], "meta": {"_type": "gradio.FileData"}}
        require_words(self.client.event("open", [file, 0, False, *CONTROLS], self.name))

    def silence(self) -> None:
        require_words(self.client.event("silence", [0, False, *CONTROLS], self.name))

    def answer(self) -> None:
        require_words(self.client.event("answer", CONTROLS, self.name))

    def cancelled_answer(self) -> None:
        stop = threading.Timer(0.3, self.stop)
        stop.start()
        self.answer()
        stop.join()

    def stop(self) -> None:
        """Not as an event: two streams of one session take each other's messages."""
        body = json.dumps({"data": [], "session_hash": self.name}).encode()
        for _ in range(5):
            status, text = self.client.request(
                "POST", "/gradio_api/run/stop", body, Content_Type="application/json"
            )
            require(status == 200, (status, text))

    def layers(self) -> None:
        end_point = self.rng.choice(["keep_1", "keep_3", "undo", "mix", "pack"])
        data = {"mix": [["context"], ["x"]], "pack": []}.get(end_point, CONTROLS)
        require_words(self.client.event(str(end_point), data, self.name))

    def codec(self) -> None:
        require_words(self.client.event("round_trip", [], self.name))

    def wrong_types(self) -> None:
        values = [None, "x", -1, 1e300, float("nan"), [], {}, 2**40, True, "x" * 5000]
        controls = list(CONTROLS)
        controls[self.rng.integers(len(controls))] = values[self.rng.integers(10)]
        if self.rng.integers(2):
            found = self.client.event("answer", controls, self.name)
        else:
            bpm = values[self.rng.integers(10)]
            found = self.client.event("silence", [bpm, False, *CONTROLS], self.name)
        require_words(found)

    def unknown_end_point(self) -> None:
        kind, text = self.client.event(f"none_{self.number}", [], self.name)
        require(kind == "refused" and "Internal" not in text, (kind, text))

    def stranger(self) -> None:
        """A session that no page holds and that never comes again."""
        user = f"stranger-{self.rng.integers(2**40)}"
        require_words(self.client.event("mix", [[], []], user))

    def outside_file(self) -> None:
        path = self.rng.choice(
            ["/etc/passwd", "../../etc/passwd", "http://127.0.0.1:1/"]
        )
        status, _ = self.client.request("GET", f"/gradio_api/file={path}")
        require(status == 403, status)

    def half_open_socket(self) -> None:
        opened = socket.create_connection(("127.0.0.1", self.client.port), 30)
        halves = [
            b"",
            b"GET / HT",
            b"GET / HTTP/1.1\r\nHost: localhost\r\n",
            b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 100\r\n\r\nhalf",
        ]
        opened.sendall(halves[self.rng.integers(len(halves))])
        self.half_open.append((time.monotonic(), opened))


def tone(rng: np.random.Generator, seconds: float) -> bytes:
    """A WAV file with a tone in pulses."""
    steps = np.arange(round(seconds * 44_100)) / 44_100
    wave = 0.3 * np.sin(2 * np.pi * rng.uniform(80, 800) * steps) * (steps % 0.5 < 0.2)
    file = io.BytesIO()
    soundfile.write(file, wave, 44_100, format="WAV")
    return file.getvalue()
