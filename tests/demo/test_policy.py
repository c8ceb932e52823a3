"""What the server of the page answers: hosts, sizes, half requests."""

import asyncio
import time

import pytest

pytest.importorskip("uvicorn", reason="pip install 'stemjax[demo]'")

from stemjax.demo import policy, protocol  # noqa: E402
from stemjax.demo.policy import LOOPBACK, PagePolicy, is_allowed  # noqa: E402


@pytest.mark.parametrize(
    ("host", "origin", "is_good"),
    [
        ("127.0.0.1:7860", None, True),
        ("localhost", "http://localhost:7860", True),
        ("LocalHost.:1", "http://127.0.0.1:1", True),
        ("[::1]:7860", "http://[::1]:7860", True),
        ("evil.example", None, False),
        ("127.0.0.1.evil.example:7860", None, False),
        ("evil.example@127.0.0.1", None, False),
        ("127.0.0.1:x", None, False),
        ("", None, False),
        (None, None, False),
        ("127.0.0.1", "http://evil.example", False),
        ("127.0.0.1", "https://localhost.evil.example:7860", False),
        ("127.0.0.1", "http://localhost@evil.example", False),
        ("127.0.0.1", "null", False),
        ("127.0.0.1", "file://localhost", False),
        ("0.0.0.0:7860", None, False),
    ],
)
def test_only_this_machine_is_served(host, origin, is_good):
    named = {b"host": host, b"origin": origin}
    headers = [(k, v.encode()) for k, v in named.items() if v is not None]
    assert is_allowed(headers, LOOPBACK) == is_good


def test_further_names_are_served_where_they_are_given():
    headers = [(b"host", b"studio.local:7860")]
    assert is_allowed(headers, (*LOOPBACK, "studio.local"))
    forwarded = [(b"host", b"localhost"), (b"x-forwarded-host", b"evil.example")]
    assert not is_allowed(forwarded, LOOPBACK)
    twice = [(b"host", b"localhost"), (b"host", b"evil.example")]
    assert not is_allowed(twice, LOOPBACK)


class PagesSpy:
    """Pages that are open, as the policy reports them."""

    def __init__(self, root):
        self.root, self.calls = root, []

    def page_opened(self, user):
        self.calls.append(("opened", user))

    def page_closed(self, user):
        self.calls.append(("closed", user))


async def reading_app(scope, receive, send):
    """Reads the whole body and answers 200."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"fine"})


def answered(tmp_path, path, chunks=(b"",), app=reading_app, **headers):
    """Status, headers and body of the answer; the calls on the pages."""
    pages, sent, chunks = PagesSpy(tmp_path), [], list(chunks)
    headers = {"host": "localhost"} | headers
    scope = {
        "type": "http",
        "path": path,
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }

    async def receive():
        body = chunks.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(chunks)}

    async def send(message):
        sent.append(message)

    page = PagePolicy(
        app, hosts=LOOPBACK, sessions=pages, unknown_end_point=LookupError
    )
    asyncio.run(page(scope, receive, send))
    head, body = sent
    return head["status"], dict(head["headers"]), body["body"].decode(), pages.calls


def test_answers_carry_the_policy_and_refusals_a_reason(tmp_path):
    status, headers, body, _ = answered(tmp_path, "/")
    assert (status, body) == (200, "fine")
    assert headers[b"content-security-policy"].startswith(b"default-src 'self'")
    status, headers, body, _ = answered(tmp_path, "/", host="evil.example")
    assert status == 403 and "answers to 127.0.0.1, localhost, [::1] only" in body
    assert b"content-security-policy" in headers
    status, _, body, _ = answered(tmp_path, "/gradio_api/file=https://evil.example/x")
    assert status == 403 and "nothing from other hosts" in body


def test_an_unknown_end_point_is_told(tmp_path):
    async def app(scope, receive, send):
        raise LookupError("none")

    status, _, body, _ = answered(tmp_path, "/gradio_api/call/none", app=app)
    assert status == 404 and "no such end point" in body


def test_requests_are_bounded_whatever_length_they_state(tmp_path, monkeypatch):
    monkeypatch.setattr(policy, "MAX_REQUEST_BYTES", 10)
    monkeypatch.setattr(policy, "MAX_UPLOAD_BYTES", 20)
    queue, upload = "/gradio_api/queue/join", "/gradio_api/upload"
    assert answered(tmp_path, queue, [b"12345", b"67890"])[0] == 200
    assert answered(tmp_path, queue, [b"12345", b"678901"])[0] == 413
    assert answered(tmp_path, queue, **{"content-length": "11"})[0] == 413
    assert answered(tmp_path, upload, [b"12345", b"678901"])[0] == 200
    assert answered(tmp_path, upload, [b"x" * 21])[0] == 413
    status, _, body, _ = answered(tmp_path, upload, **{"content-length": "9" * 12})
    assert status == 413 and "cut it" in body


def test_a_heartbeat_is_an_open_page(tmp_path):
    calls = answered(tmp_path, "/gradio_api/heartbeat/me")[3]
    assert calls == [("opened", "me"), ("closed", "me")]


HALVES = [
    b"",
    b"GET / HT",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT",
]


@pytest.mark.slow
def test_half_a_request_does_not_keep_its_connection(monkeypatch):
    from uvicorn import Config, Server

    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.3)
    monkeypatch.setattr(protocol, "BODY_SECONDS", 0.3)

    async def run():
        config = Config(
            reading_app, port=0, http=protocol.TimedProtocol, lifespan="off"
        )
        config.log_level = "critical"
        server = Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]

        async def ended(half):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(half)
            try:
                answer = await asyncio.wait_for(reader.read(), 20)
            except ConnectionResetError:
                answer = b""
            writer.close()
            return answer

        answers = await asyncio.gather(*map(ended, HALVES))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):  # whole requests are answered, also after a pause
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200" in await reader.readline()
            await reader.readuntil(b"fine\r\n0\r\n\r\n")
            await asyncio.sleep(0.5)
        writer.close()
        server.should_exit = True
        await serving
        return answers

    start = time.monotonic()
    answers = asyncio.run(run())
    assert [b"200 OK" in answer for answer in answers] == [*[False] * 4, True]
    assert time.monotonic() - start < 15
