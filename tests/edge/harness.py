"""One edge as it is deployed (`python -m edge.run`: guard and Caddy), and requests to it byte for byte."""

from __future__ import annotations

import base64
import http.client
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.core.signing import KeyRing, mint, new_scope
from tests.edge.storage import KEYS, free_ports

ROOT = Path(__file__).resolve().parents[2]
NEW, OLD = secrets.token_bytes(32), secrets.token_bytes(32)
RING = KeyRing({"k2": NEW, "k1": OLD})
OLD_RING = KeyRing({"k1": OLD})
STRANGE_RING = KeyRing({"k2": secrets.token_bytes(32)})


def media_id() -> str:
    """A fresh media id."""
    return secrets.token_hex(32)


def token(media: str, *, letter: str = "v", life: float = 600, ring: KeyRing = RING, scope: str = "") -> str:
    """A signed token that ends in `life` seconds."""
    return mint(ring, scope=scope or new_scope(letter), media=media, exp=int(time.time() + life))


def url(key: str, **how: object) -> str:
    """The edge address of an object, with a token of its own."""
    return f"/v/{token(key.split('/')[1], **how)}/{key}"  # type: ignore[arg-type]


@dataclass
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Edge:
    """A running edge; `start` again after `stop` continues with the same folders and ports.

    In `extra`, further environment variables, `{port}` stands for its port.
    """

    folder: Path
    origin_port: int
    extra: Mapping[str, str] = field(default_factory=dict)
    host: str = ""

    def __post_init__(self) -> None:
        self.port = free_ports(1)[0]
        self.cache = self.folder / "cache"
        self.run = self.folder / "run"
        self.log = self.folder / "edge.log"
        self.process: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        def b64(key: bytes) -> str:
            return base64.urlsafe_b64encode(key).decode()

        machine = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
        return {
            **machine,
            "S3_ENDPOINT": f"http://127.0.0.1:{self.origin_port}",
            "S3_EDGE_READER_ACCESS_KEY": KEYS["reader"][0],
            "S3_EDGE_READER_SECRET_KEY": KEYS["reader"][1],
            "EDGE_SIGNING_KEY": f"k2:{b64(NEW)},k1:{b64(OLD)}",
            "EDGE_LISTEN": f"http://localhost:{self.port}",
            "CACHE_PATH": str(self.cache),
            "CACHE_MIN_FREE_BYTES": "0",
            "RUN_PATH": str(self.run),
            **{name: value.replace("{port}", str(self.port)) for name, value in self.extra.items()},
        }

    def start(self) -> Edge:
        """Start and wait until Caddy listens (the guard is ready by then)."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge.run"],
                env=self.environment(), cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + 20
        while not self.listens():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.02)
        return self

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """End it; the exit status."""
        assert self.process is not None
        self.process.send_signal(with_signal)
        status = self.process.wait(20)
        end = time.monotonic() + 5
        while self.listens():  # after SIGKILL the children are still on their way out
            assert time.monotonic() < end
            time.sleep(0.01)
        return status

    def listens(self) -> bool:
        """Whether somebody accepts connections at the port."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def child(self, name: str) -> int:
        """The process id of `guard` or `caddy`."""
        assert self.process is not None
        wanted = {"guard": "edge.guard", "caddy": "caddyfile"}[name]
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in children:
            if wanted in Path(f"/proc/{pid}/cmdline").read_text():
                return int(pid)
        raise AssertionError(f"no {name} among {children}")

    def get(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """One request; `Host` may be given among the headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body=body, headers={"Host": f"localhost:{self.port}", **(headers or {})})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def raw(self, target: bytes, method: bytes = b"GET", host: bytes = b"localhost") -> int:
        """The status of a request whose target is sent as it is; 0 when the connection is closed instead."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(
                method + b" " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
            )
            answer = b""
            while data := connection.recv(65536):
                answer += data
        found = re.match(rb"HTTP/1\.1 (\d{3})", answer)
        return int(found[1]) if found else 0

    def guard(self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        """A request to the guard's own socket."""
        connection = http.client.HTTPConnection("guard", timeout=20)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(20)
        connection.sock.connect(str(self.run / "guard.sock"))
        try:
            connection.request(method, path, headers=dict(headers or {}))
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """The value of one of the guard's figures, labels included in `name`."""
        for line in self.guard("/metrics").body.decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def settled(self) -> bool:
        """Wait until no object is being fetched: the last byte is sent before the file gets its name."""
        end = time.monotonic() + 15
        while self.metric("guard_flights_now"):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def objects(self) -> list[Path]:
        """The files in the cache; looked at again when some were removed meanwhile."""
        while True:
            try:
                return [path for path in (self.cache / "objects").rglob("*") if path.is_file()]
            except FileNotFoundError:
                time.sleep(0.02)
