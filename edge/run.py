"""`rushes edge`: the guard, then Caddy; both or neither.

The guard is ready before Caddy starts, so no request meets an edge that cannot answer. When one of them
ends, the other is stopped and this process ends with 1: whoever runs it starts both again.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from app.core.errors import ConfigurationError, Unavailable
from app.core.settings import EdgeSettings, load
from app.core.telemetry import configure_logging
from edge.caddy import CADDYFILE, environment, find_caddy

log = structlog.get_logger("edge")

#: Seconds: the guard reads its index of the disk first; Caddy lets requests end for 5 s.
GUARD_READY_WITHIN = 60.0
#: Seconds that the web gets to tell the guard what was denied meanwhile; then it must do with what it knows.
CAUGHT_UP_WITHIN = 10.0
PATIENCE = 8.0

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> int:
    """Run until told to stop (0), or until one of the two ends (1); 78 when the environment is not usable."""
    try:
        settings = load(EdgeSettings, os.environ)
        configure_logging("edge", level=settings.log_level, form=settings.log_format)
        caddy = find_caddy()
        caddy_environment = environment(settings, os.environ)
    except ConfigurationError as error:
        print(error.sentence, file=sys.stderr)  # noqa: T201 - there is no log yet
        return 78
    prepare(settings)
    with Children() as children:
        try:
            children.start("guard", [sys.executable, "-m", "edge.guard"], os.environ)
            guard = settings.run_path / "guard.sock"
            children.await_ready(lambda: answers(guard, "/healthz"), GUARD_READY_WITHIN)
            if not children.wait_for(lambda: answers(guard, "/readyz"), CAUGHT_UP_WITHIN):
                log.warning("edge_not_caught_up", hint="it starts with the denials that it knows from before")
            command = [str(caddy), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
            children.start("caddy", command, caddy_environment)
            log.info("edge_started", caddy=str(caddy), listen=caddy_environment["EDGE_PORT"])
            return children.wait()
        except Unavailable as error:
            log.error("edge_not_started", reason=error.sentence)
            return 1


def prepare(settings: EdgeSettings) -> None:
    """Make the folders, closed to others."""
    state = settings.edge_state_path or settings.cache_path / "caddy"
    for folder in (settings.run_path, settings.cache_path, state):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def answers(path: Path, what: str) -> bool:
    """Whether the guard on this socket says yes to `/healthz` (it lives) or `/readyz` (it has caught up)."""
    connection = http.client.HTTPConnection("guard")
    try:
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(2)
        connection.sock.connect(str(path))
        connection.request("GET", what)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Children:
    """Processes that are started in order, stopped in reverse, and die with us.

    Only in the main thread: signals are handled here, and a child's death signal belongs to the thread that
    forked it.
    """

    def __init__(self) -> None:
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []
        self._woken = threading.Event()
        self._stopping = False

    def __enter__(self) -> Children:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: self._woken.set())
        return self

    def __exit__(self, *_: object) -> None:
        for _name, process in reversed(self._running):
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> None:
        """Start one. It gets no signal of our terminal; we pass on what it shall have."""
        process = subprocess.Popen(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_tie(),  # noqa: PLW1509 - there is one thread
        )
        self._running.append((name, process))

    def await_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready`. Raises Unavailable when time is over, a child has ended, or we are to stop."""
        if not self.wait_for(ready, seconds):
            raise Unavailable("not_ready", "The guard has not become ready.")

    def wait_for(self, ready: Callable[[], bool], seconds: float) -> bool:
        """Wait until `ready`; whether it became so in time. Raises Unavailable as `await_ready`."""
        end = time.monotonic() + seconds
        while not ready():
            name = self._ended()
            if name or self._stopping:
                raise Unavailable("not_ready", f"{name or 'the guard'} has not become ready.")
            if time.monotonic() > end:
                return False
            self._woken.wait(0.02)
        return True

    def wait(self) -> int:
        """0 when we were told to stop, 1 when a child has ended."""
        while not self._stopping:
            name = self._ended()
            if name:
                log.error("edge_part_ended", part=name)
                return 1
            self._woken.wait()
            self._woken.clear()
        return 0

    def _ended(self) -> str | None:
        return next((name for name, process in self._running if process.poll() is not None), None)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        self._woken.set()


def _tie() -> Callable[[], None]:
    """What a child runs before exec: the kernel kills it when our thread ends."""
    parent = os.getpid()

    def tie() -> None:
        with contextlib.suppress(AttributeError):  # prctl is Linux's
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return tie


if __name__ == "__main__":
    sys.exit(main())
