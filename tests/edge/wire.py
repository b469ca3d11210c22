"""A TCP proxy before S3: counts reads, and breaks the line where a test wants it broken."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from dataclasses import dataclass, field

_GET = re.compile(rb"GET (/previews/[^ ?]*)")


@dataclass
class Wire:
    """Forwards to 127.0.0.1:`target`.

    `reads` holds the path of each GET. `cut_after`: bytes of one answer until its connection is ended.
    `pause`: seconds before each 64 KiB of an answer.
    """

    target: int
    reads: list[str] = field(default_factory=list)
    cut_after: int | None = None
    pause: float = 0.0

    def __post_init__(self) -> None:
        self._server: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self.port = 0
        self.up()

    def up(self) -> None:
        """Listen (again, on the same port)."""
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", self.port))
        server.listen(512)
        self.port = server.getsockname()[1]
        self._server = server
        threading.Thread(target=self._accept, args=(server,), daemon=True).start()

    def down(self) -> None:
        """Refuse connections and reset those that are open."""
        if self._server is not None:
            with contextlib.suppress(OSError):
                self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
            self._server = None
        for one in list(self._open):
            self._end(one)

    def reset_faults(self) -> None:
        """Forward faithfully again, and forget what was counted."""
        if self._server is None:
            self.up()
        self.cut_after, self.pause = None, 0.0
        self.reads.clear()

    def count(self, key: str) -> int:
        """How often S3 was asked for this object."""
        return self.reads.count(f"/previews/{key}")

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            try:
                upstream = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                client.close()
                continue
            for one in (client, upstream):
                one.settimeout(None)
                self._open.add(one)
            sent = [0]
            threading.Thread(target=self._up, args=(client, upstream, sent), daemon=True).start()
            threading.Thread(target=self._down, args=(upstream, client, sent), daemon=True).start()

    def _up(self, source: socket.socket, sink: socket.socket, sent: list[int]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                asked = [path.decode() for path in _GET.findall(data)]
                if asked:
                    sent[0] = 0
                self.reads += asked
                sink.sendall(data)
        self._end(source, sink)

    def _down(self, source: socket.socket, sink: socket.socket, sent: list[int]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.pause:
                    threading.Event().wait(self.pause)
                if self.cut_after is not None and sent[0] + len(data) > self.cut_after:
                    sink.sendall(data[: max(0, self.cut_after - sent[0])])
                    break
                sink.sendall(data)
                sent[0] += len(data)
        self._end(source, sink)

    def _end(self, *both: socket.socket) -> None:
        for one in both:
            self._open.discard(one)
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
