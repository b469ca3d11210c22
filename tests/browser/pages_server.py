"""A small server that keeps the upload API's promises in memory, for the tests of the pages' scripts.

Every part is checked against the digest that was signed; a URL that was refused once stays refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace as View
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.web.filters import when

ROOT = Path(__file__).parents[2]
PART = 64 * 1024
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".jpg": "image/jpeg"}
CSP = "default-src 'self'; script-src 'self'; style-src 'self'"
MADE = datetime(2026, 1, 1, tzinfo=UTC)
WORKER_CSP = "script-src 'self' 'wasm-unsafe-eval'"


class Storage:
    """What the server holds, and what it is told to do wrong."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.parts: dict[int, bytes] = {}
        self.signed: dict[str, tuple[int, int, str]] = {}
        self.times_signed: Counter[int] = Counter()
        self.times_put: Counter[int] = Counter()
        self.faults: dict[int, list[int]] = {}
        self.presign_fault: dict[str, Any] | None = None
        self.asked: dict[str, Any] = {}
        self.claim: str | None = None
        self.delay = 0.0
        self.flying = self.peak = self.puts = self.opened = self.sheets = 0
        self.largest_batch = 0
        self.sheet_faults: list[int] = []
        self.deleted = self.completed = False
        self.wasm = True

    def open(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked, self.opened = asked, self.opened + 1
        if self.presign_fault:
            return self.presign_fault["status"], self.presign_fault
        return 201, {"uploadId": "u1", "stagingKey": "a" * 32, "partSize": PART, "parts": []}

    def sign(self, parts: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        self.largest_batch = max(self.largest_batch, len(parts))
        return 200, {"parts": [self._sign(**part) for part in parts]}

    def _sign(self, number: int, size: int, sha256: str) -> dict[str, Any]:
        self.times_signed[number] += 1
        signature = f"{number}-{self.times_signed[number]}"
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        self.signed[signature] = (number, size, checksum)
        url = f"/staging/{'a' * 32}?uploadId=s3&partNumber={number}&X-Amz-Signature={signature}"
        return {"number": number, "url": url, "headers": {"x-amz-checksum-sha256": checksum}}

    def put(self, signature: str, header: str | None, body: bytes) -> int:
        with self.lock:
            self.puts += 1
            self.flying += 1
            self.peak = max(self.peak, self.flying)
        time.sleep(self.delay)
        with self.lock:
            self.flying -= 1
            if signature not in self.signed or header != self.signed[signature][2]:
                return 403
            number, size, checksum = self.signed[signature]
            self.times_put[number] += 1
            if faults := self.faults.get(number):
                status = faults.pop(0)
                if status == 403:
                    del self.signed[signature]
                return status
            if len(body) != size or base64.b64encode(hashlib.sha256(body).digest()).decode() != checksum:
                return 400
            self.parts[number] = body
            return 200

    def complete(self, claim: str | None) -> tuple[int, dict[str, Any]]:
        self.claim, self.completed = claim, True
        return 200, {
            "stagingKey": "a" * 32,
            "size": len(self.whole),
            "etag": "e",
            "assetId": "a1",
            "versionId": "v1",
        }

    @property
    def whole(self) -> bytes:
        return b"".join(self.parts[number] for number in sorted(self.parts))


class Pages:
    """The project page from its real template, with made-up view data."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.env = Environment(loader=FileSystemLoader(ROOT / "templates"), autoescape=True, undefined=StrictUndefined)
        self.env.filters["when"] = when
        user = View(is_admin=False, is_authenticated=True, name="Ada Lang", email="ada@example.org", initials="AL")
        self.env.globals.update(
            url_for=lambda _endpoint, **_: "/",
            csrf_token=lambda: "token", asset_url=lambda path: f"/static/{path}", current_user=user,
            get_flashed_messages=lambda **_: [], request=View(query_string=b"", args={}),
        )  # fmt: skip

    def project(self) -> str:
        return self.env.get_template("projects/show.html").render(self._context(settled=True))

    def sheet(self) -> str:
        """Checking at first, then ready: that answer ends the polling."""
        self.storage.sheets += 1
        template = self.env.get_template("projects/show.html")
        context = template.new_context(self._context(settled=self.storage.sheets > 1))
        return "".join(template.blocks["asset_sheet"](context))

    def _context(self, *, settled: bool) -> dict[str, Any]:
        code, word = ("ready", "Ready") if settled else ("checking", "Checking")
        status = View(code=code, word=word, kind="", icon="ring", detail="", progress=None, retry=False)
        status.settled = settled
        tile = View(id="a1", title="Film", href="/a", review_href="/r", status=status, version_number=1)
        tile.__dict__.update(duration="", poster=None, comment_count=0, vertical=False, created=MADE)
        project = View(id="p1", name="Northbound", client=None, asset_count=1, href="/p", can_upload=True)
        project.locked_size = "0 bytes"
        return {
            "project": project,
            "tiles": [tile] if self.storage.completed else [],
            "next_href": None,
            "settled": settled,
            "presign_href": "/api/presign",
            "sheet_href": "/sheet",
            "upload_max_human": "2 MB",
            "upload_max_bytes": 2_000_000,
            "collection_id": None,
            "collection": None,
            "chosen": "everything",
            "filtered": False,
            "bin_count": 0,
            "can_change": False,
            "arrange_href": "/",
            "fault": None,
            "nav": View(collections=[], pages=[], create_href=None, here="Everything"),
        }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    storage: Storage
    pages: Pages

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/sheet" and self.storage.sheets and self.storage.sheet_faults:
            return self._send(self.storage.sheet_faults.pop(), b"<p>broken</p>", "text/html")
        if path.startswith("/static/"):
            return self._static(ROOT / path[1:])
        html = {"/": self.pages.project, "/sheet": self.pages.sheet}.get(path)
        return self._send(200, html().encode(), "text/html") if html else self._send(404, b"", "text/plain")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signature = parse_qs(urlsplit(self.path).query)["X-Amz-Signature"][0]
        self._send(self.storage.put(signature, self.headers["x-amz-checksum-sha256"], body), b"", "text/plain")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["X-CSRFToken"] == "token"
        if self.path == "/api/presign":
            status, answer = self.storage.open(body)
        elif self.path == "/api/uploads/u1/parts":
            status, answer = self.storage.sign(body["parts"])
        else:
            status, answer = self.storage.complete(body.get("sha256"))
        self._send(
            status,
            json.dumps(answer).encode(),
            "application/problem+json" if status >= 400 else "application/json",
        )

    def do_DELETE(self) -> None:
        self.storage.deleted = True
        self._send(204, b"", "text/plain")

    def _static(self, file: Path) -> None:
        if not file.is_file():
            return self._send(404, b"", "text/plain")
        worker = file.name == "hash-worker.js" and self.storage.wasm
        return self._send(
            200,
            file.read_bytes(),
            TYPES[file.suffix],
            WORKER_CSP if worker else CSP,
        )

    def _send(self, status: int, body: bytes, kind: str, csp: str = CSP) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Security-Policy", csp),
            ("Content-Length", str(len(body))),
        ):
            self.send_header(name, value)
        with suppress(BrokenPipeError, ConnectionResetError):  # a cancelled part hangs up
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def serving(storage: Storage) -> Iterator[str]:
    """The origin at which `storage` and its pages are served."""
    handler = type("BoundHandler", (Handler,), {"storage": storage, "pages": Pages(storage)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
