"""What ffmpeg may open, and how: one object behind one loopback address, read by ranges.

Neither signed URLs nor file names reach ffmpeg: a reader on 127.0.0.1 serves a single object under a random
path (RFC 9110, 14: one range a request). The protocol whitelist alone lets an HLS playlist that poses as a
film reach internal hosts; the format whitelist keeps demuxers that open further addresses from being tried.
"""

from __future__ import annotations

import contextlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from app.core.errors import Unavailable

Read = Callable[[int, int], Iterator[bytes]]
"""`read(start, end_exclusive)` yields the bytes of that range; it may raise, and is then asked again."""

FORMATS = (
    "mov,mp4,matroska,webm,mxf,mpegts,mpeg,avi,asf,flv,gxf,dv,wav,w64,aiff,caf,mp3,flac,ogg,aac,ac3,eac3,gif,"
    "png_pipe,jpeg_pipe,webp_pipe,tiff_pipe,bmp_pipe"
)
"""Demuxers that open nothing but what they are given: no hls, dash, concat, sdp, svg or image sequences."""

MAX_PIXELS = 150_000_000
TRIES = 3
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def input_options() -> dict[str, str]:
    """Options, by name, that stand before every `-i` of ffmpeg and ffprobe."""
    return {"protocol_whitelist": "http,tcp", "format_whitelist": FORMATS, "max_pixels": str(MAX_PIXELS)}


def input_arguments() -> list[str]:
    """The same as an argv list."""
    return [part for name, value in input_options().items() for part in (f"-{name}", value)]


@contextmanager
def serve(size: int, read: Read) -> Iterator[str]:
    """Serve one object of `size` bytes on loopback while the block lasts; yields its URL.

    When `read` failed for good, leaving the block raises Unavailable (source_unreadable), whatever was made
    of the bytes that came: ffmpeg takes a broken read for the end of the file, so count results only after
    the block.
    """
    server = _Server(size, read)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{server.path}"
    except Exception as error:
        if server.failure:
            raise server.failure from error
        raise
    finally:
        server.shutdown()
        server.server_close()
    if server.failure:
        raise server.failure


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, size: int, read: Read) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.size = size
        self.read = read
        self.path = "/" + secrets.token_hex(16)
        self.failure: Unavailable | None = None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in mid-answer is the normal way of seeking: nothing to print."""

    def body(self, start: int, end: int) -> Generator[bytes]:
        """The bytes of a range; a read that breaks off is taken up again where it stopped."""
        position, failed = start, 0
        while position < end:
            try:
                with contextlib.closing(_closeable(self.read(position, end))) as blocks:
                    for block in blocks:
                        yield block[: end - position]
                        position += len(block)
                if position < end:
                    raise EOFError("the reader gave fewer bytes than the object has")
            except Exception as error:
                failed += 1
                if failed >= TRIES:
                    self.failure = Unavailable("source_unreadable", "The master could not be read from storage.")
                    self.failure.__cause__ = error
                    raise
                time.sleep(0.2 * failed)


def _closeable(blocks: Iterator[bytes]) -> Generator[bytes]:
    yield from blocks


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "source"
    sys_version = ""
    timeout = 600  # a slow encode reads slowly; the run's own time limit comes first
    server: _Server

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """No log: the path is a secret."""

    def _answer(self, *, with_body: bool) -> None:
        size = self.server.size
        if not hmac.compare_digest(self.path.encode(), self.server.path.encode()):
            self._head(404, 0)
            return
        wanted = _wanted(self.headers.get("Range"), size)
        if wanted is None:
            self._head(416, 0, {"Content-Range": f"bytes */{size}"})
            return
        start, end, partial = wanted
        ranged = {"Content-Range": f"bytes {start}-{end - 1}/{size}"} if partial else {}
        self._head(206 if partial else 200, end - start, ranged)
        if with_body:
            self._send(start, end)

    def _head(self, status: int, length: int, extra: dict[str, str] | None = None) -> None:
        self.send_response(status)
        headers = {
            "Content-Length": str(length),
            "Content-Type": "application/octet-stream",
            "Accept-Ranges": "bytes",
        }
        for name, value in {**headers, **(extra or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, start: int, end: int) -> None:
        """Send a range. A body that breaks off ends the connection, so that its length gives it away."""
        with contextlib.closing(self.server.body(start, end)) as blocks:
            try:
                for block in blocks:
                    self.wfile.write(block)
            except Exception:
                self.close_connection = True


def _wanted(header: str | None, size: int) -> tuple[int, int, bool] | None:
    """(start, end exclusive, partial?) of a Range header, None where there is no such range (RFC 9110 14.1.2)."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match[1] == match[2] == "":
        return 0, size, False  # no range, or one that we do not understand: the whole, as 14.2 allows
    if match[1] == "":
        length = min(int(match[2]), size)
        return (size - length, size, True) if length else None
    start = int(match[1])
    end = min(int(match[2]) + 1, size) if match[2] else size
    return (start, end, True) if start < end else None
