"""A stand-in for Google Cloud Storage on this machine: as much of its JSON API as
tensorstore's `gcs` driver, gcsfs and google-cloud-storage's `get_bucket` ask for.

    with FakeStorage("bucket") as storage, pytest.MonkeyPatch.context() as patch:
        storage.serve(patch)

Objects live in memory with a generation each, so conditional writes and reads behave as
documented (https://cloud.google.com/storage/docs/json_api/v1/objects).  Left out: access
rights, folders of hierarchical namespaces, versions, checksums other than MD5.
"""

import base64
import bisect
import hashlib
import http.server
import itertools
import json
import re
import sys
import threading
import time
import urllib.parse
from typing import NamedTuple

PAGE = 1000  # objects of one listing; the service's own maximum


class Stored(NamedTuple):
    """One object: its bytes, when it came, and which write of the server it was."""

    data: bytes
    generation: int
    updated: str


class Failed(Exception):
    """A reply other than 2xx."""

    def __init__(self, status: int, message: str = ""):
        super().__init__(message)
        self.status = status


class FakeStorage:
    """The server, with its buckets in `objects`: (bucket, name) -> Stored."""

    def __init__(self, *buckets: str):
        self.buckets = set(buckets)
        self.objects: dict[tuple[str, str], Stored] = {}
        self.refusal = 0  # a status that every request gets instead of an answer
        self.cut: int | None = None  # a download ends after as many bytes
        self.requests: list[tuple[str, str]] = []  # (method, path), oldest first
        self.lock = threading.RLock()
        self.uploads: dict[str, tuple[str, str, bytearray, dict]] = {}
        self._numbers = itertools.count(1)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.storage = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    def __enter__(self) -> "FakeStorage":
        self._thread.start()
        return self

    def __exit__(self, *error) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def environment(self) -> dict[str, str]:
        """Variables that send the clients here, without credentials."""
        return {
            "STORAGE_EMULATOR_HOST": self.url,
            "TENSORSTORE_GCS_HTTP_URL": self.url,
            "GOOGLE_AUTH_TOKEN_FOR_TESTING": "none",
            "FSSPEC_GCS": json.dumps({"token": "anon"}),
            "NO_GCE_CHECK": "true",  # no metadata server to ask
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # asks over gRPC
        }

    def serve(self, patch) -> None:
        """Send the clients of this process here, as long as `patch` (pytest's) lives."""
        import fsspec
        import gcsfs.core

        for name, value in self.environment().items():
            patch.setenv(name, value)
        # what the variables say is read once, and others may have imported it before
        patch.setitem(fsspec.config.conf, "gcs", {"token": "anon"})
        for scheme in gcsfs.core.GCSFileSystem.protocol:
            fsspec.register_implementation(
                scheme, gcsfs.core.GCSFileSystem, clobber=True
            )

    def names(self, bucket: str, prefix: str = "") -> list[str]:
        """Object names in order."""
        with self.lock:
            return sorted(
                n for b, n in self.objects if b == bucket and n[: len(prefix)] == prefix
            )

    def put(self, bucket: str, name: str, data: bytes, query: dict = {}) -> dict:  # noqa: B006
        """Store bytes where the conditions of `query` hold; returns the resource."""
        with self.lock:
            self._bucket(bucket)
            self._check(bucket, name, query)
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
            stored = Stored(
                bytes(data), time.time_ns() // 1000 + next(self._numbers), stamp
            )
            self.objects[bucket, name] = stored
            return self.resource(bucket, name)

    def get(self, bucket: str, name: str, query: dict = {}) -> Stored:  # noqa: B006
        with self.lock:
            self._bucket(bucket)
            self._check(bucket, name, query)
            if (bucket, name) not in self.objects:
                raise Failed(404, f"No such object: {bucket}/{name}")
            return self.objects[bucket, name]

    def delete(self, bucket: str, name: str, query: dict) -> None:
        with self.lock:
            self.get(bucket, name, query)
            del self.objects[bucket, name]

    def resource(self, bucket: str, name: str) -> dict:
        """What the API calls the object resource."""
        stored = self.get(bucket, name)
        digest = base64.b64encode(hashlib.md5(stored.data).digest()).decode()
        return {
            "kind": "storage#object",
            "id": f"{bucket}/{name}/{stored.generation}",
            "name": name,
            "bucket": bucket,
            "generation": str(stored.generation),
            "metageneration": "1",
            "contentType": "application/octet-stream",
            "storageClass": "STANDARD",
            "size": str(len(stored.data)),
            "md5Hash": digest,
            "timeCreated": stored.updated,
            "updated": stored.updated,
        }

    def listing(self, bucket: str, query: dict) -> dict:
        """One page of names, those past a `delimiter` folded into prefixes."""
        with self.lock:
            self._bucket(bucket)
            prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
            names = self.names(bucket, prefix)
            names = names[bisect.bisect_left(names, query.get("startOffset", "")) :]
            if end := query.get("endOffset"):
                names = names[: bisect.bisect_left(names, end)]
            entries: dict[str, bool] = {}  # name or prefix -> is it a prefix
            for name in names:
                head, found, _ = name[len(prefix) :].partition(delimiter or "\0")
                entries[prefix + head + found if found else name] = bool(found)
            page = [e for e in entries if e > query.get("pageToken", "")]
            limit = min(int(query.get("maxResults", PAGE)), PAGE)
            reply = {
                "kind": "storage#objects",
                "items": [
                    self.resource(bucket, e) for e in page[:limit] if not entries[e]
                ],
                "prefixes": [e for e in page[:limit] if entries[e]],
            }
            if len(page) > limit:
                reply["nextPageToken"] = page[limit - 1]
            return reply

    def _bucket(self, bucket: str) -> None:
        if bucket not in self.buckets:
            raise Failed(404, f"The specified bucket does not exist: {bucket}")

    def _check(self, bucket: str, name: str, query: dict) -> None:
        """The generation preconditions; 0 stands for "no such object"."""
        stored = self.objects.get((bucket, name))
        now = stored.generation if stored else 0
        if "generation" in query and int(query["generation"]) != now:
            raise Failed(404, "No such object of that generation")
        if "ifGenerationMatch" in query and int(query["ifGenerationMatch"]) != now:
            raise Failed(412, "Precondition Failed")
        if "ifGenerationNotMatch" in query:
            if int(query["ifGenerationNotMatch"]) == now:
                raise Failed(304)


class _Server(http.server.ThreadingHTTPServer):
    """Threads that end with the test, and no traceback where a client hangs up."""

    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args) -> None:
        pass

    def _answer(self) -> None:
        storage = self.server.storage
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urllib.parse.urlsplit(self.path)
        storage.requests.append((self.command, url.path))
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        try:
            if storage.refusal:
                raise Failed(storage.refusal, "refused")
            for method, pattern, respond in _ROUTES:
                found = re.fullmatch(pattern, url.path)
                if found and method == self.command:
                    parts = [urllib.parse.unquote(g) for g in found.groups()]
                    return respond(self, storage, query, body, *parts)
            raise Failed(501, f"not in this stand-in: {self.command} {self.path}")
        except Failed as failed:
            error = {"error": {"code": failed.status, "message": str(failed)}}
            no_body = failed.status == 304
            self._send(failed.status, b"" if no_body else json.dumps(error).encode())

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def _send(self, status: int, data: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _send_json(self, value: dict) -> None:
        text = json.dumps(value).encode()
        self._send(200, text, Content_Type="application/json; charset=UTF-8")

    def _bucket(self, storage, query, body, bucket):
        if bucket not in storage.buckets:
            raise Failed(404, f"The specified bucket does not exist: {bucket}")
        self._send_json({"kind": "storage#bucket", "id": bucket, "name": bucket})

    def _list(self, storage, query, body, bucket):
        self._send_json(storage.listing(bucket, query))

    def _get(self, storage, query, body, bucket, name):
        stored = storage.get(bucket, name, query)
        if query.get("alt") != "media":
            return self._send_json(storage.resource(bucket, name))
        about = {
            "x_goog_generation": str(stored.generation),
            "x_goog_metageneration": "1",
        }
        size = len(stored.data)
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not wanted:
            return self._send(200, stored.data[: storage.cut], **about)
        first, last = wanted.groups()
        start = int(first) if first else max(size - int(last), 0)
        stop = min(int(last) + 1, size) if first and last else size
        if start >= size:
            raise Failed(416, "The requested range cannot be satisfied")
        about["Content_Range"] = f"bytes {start}-{stop - 1}/{size}"
        return self._send(206, stored.data[start:stop], **about)

    def _delete(self, storage, query, body, bucket, name):
        storage.delete(bucket, name, query)
        self._send(204)

    def _upload(self, storage, query, body, bucket):
        """Insert: `media` (the body), `multipart` (JSON and body) or `resumable`."""
        kind = query.get("uploadType")
        if kind == "media":
            return self._send_json(storage.put(bucket, query["name"], body, query))
        if kind == "multipart":
            mark = re.search(r'boundary="?([^";]+)', self.headers["Content-Type"])
            _, about, rest = body.split(b"--" + mark.group(1).encode(), 2)
            name = json.loads(re.split(rb"\r?\n\r?\n", about, maxsplit=1)[1])["name"]
            data = re.split(rb"\r?\n\r?\n", rest, maxsplit=1)[1]
            data = data[: data.rindex(b"\n--" + mark.group(1).encode() + b"--")]
            return self._send_json(storage.put(bucket, name, data, query))
        if kind != "resumable":
            raise Failed(400, f"uploadType {kind!r}")
        name = query.get("name") or json.loads(body)["name"]
        with storage.lock:
            ticket = f"upload-{next(storage._numbers)}"
            storage.uploads[ticket] = (bucket, name, bytearray(), query)
        path = f"/upload/storage/v1/b/{bucket}/o?upload_id={ticket}"
        return self._send(200, Location=storage.url + path)

    def _upload_post(self, storage, query, body, bucket):
        if "upload_id" not in query:
            return self._upload(storage, query, body, bucket)
        ticket = query["upload_id"]
        with storage.lock:
            if ticket not in storage.uploads:
                raise Failed(404, "No such upload")
            bucket, name, data, conditions = storage.uploads[ticket]
            span = self.headers.get("Content-Range", "")
            start = re.match(r"bytes (\d+)-", span)
            if body and (not start or int(start.group(1)) != len(data)):
                raise Failed(400, f"invalid range {span!r} after {len(data)} bytes")
            data += body
            total = span.rpartition("/")[2]
            if total == "*" or len(data) < int(total or 0):
                headers = {"Range": f"bytes=0-{len(data) - 1}"} if data else {}
                return self._send(308, **headers)
            del storage.uploads[ticket]
            return self._send_json(storage.put(bucket, name, data, conditions))

    def _upload_delete(self, storage, query, body, bucket):
        storage.uploads.pop(query["upload_id"], None)
        self._send(499)

    def _rewrite(self, storage, query, body, bucket, name, to_bucket, to_name):
        data = storage.get(bucket, name).data
        made = storage.put(to_bucket, to_name, data, query)
        self._send_json(
            {"kind": "storage#rewriteResponse", "done": True, "resource": made}
        )

    def _move(self, storage, query, body, bucket, name, to_name):
        with storage.lock:
            made = storage.put(bucket, to_name, storage.get(bucket, name).data, query)
            storage.delete(bucket, name, {})
        self._send_json(made)


_B, _O = "/storage/v1/b/([^/]+)", "/storage/v1/b/([^/]+)/o/([^/]+)"
_ROUTES = (
    ("GET", _B, _Handler._bucket),
    ("GET", f"{_B}/o", _Handler._list),
    ("GET", f"(?:/download)?{_O}", _Handler._get),
    ("DELETE", _O, _Handler._delete),
    ("POST", f"/upload{_B}/o", _Handler._upload_post),
    ("PUT", f"/upload{_B}/o", _Handler._upload_post),
    ("DELETE", f"/upload{_B}/o", _Handler._upload_delete),
    ("POST", f"{_O}/rewriteTo/b/([^/]+)/o/([^/]+)", _Handler._rewrite),
    ("POST", f"{_O}/moveTo/o/([^/]+)", _Handler._move),
)
