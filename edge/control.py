"""The control channel: a long poll to the web, from which this edge hears what it must not serve any more.

A thread of its own asks, hands each answer to the guard's loop, and keeps the cursor on the disk only after
it was applied: what is heard twice changes nothing, what was heard is never lost. The answer to a poll comes
at once when there is something new; silence is an answer too, after WAIT seconds at most.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import random
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog

from app.core.settings import EdgeSettings
from edge.denylist import Denylist, Notebook
from edge.metrics import Metrics
from edge.revoke import MEDIA, SCOPE, Revoker

log = structlog.get_logger("edge.control")

#: Seconds that the web may keep its answer back, and how much longer we wait for it.
WAIT = 25.0
GRACE = 5.0
#: Seconds between two tries while the web does not answer, by failures in a row.
AGAIN_AFTER = (0.1, 0.2, 0.5, 1.0, 2.0)
_CONNECT_WITHIN = 3.0
_APPLY_WITHIN = 60.0
_MAX_BYTES = 64 * 1024 * 1024


class Lost(Exception):
    """The web did not answer as it should. `str` is fit for a log."""


@dataclass(frozen=True)
class Heard:
    """One answer: names denied until when (Unix seconds), media ids purged, and the cursor after them."""

    denials: Mapping[str, float]
    purges: tuple[str, ...]
    cursor: int
    resync: bool


class Control:
    """The channel of one guard."""

    def __init__(self, settings: EdgeSettings, denylist: Denylist, revoker: Revoker, metrics: Metrics) -> None:
        self._denylist, self._revoker, self._metrics = denylist, revoker, metrics
        self._notebook = Notebook(settings.cache_path / "control.json")
        self._cut_off = settings.control_cut_off
        self._wait = max(1, int(min(WAIT, self._cut_off / 2.5)))
        self.enabled = settings.control_url is not None
        if settings.control_url and settings.control_key:
            self._line = Line(settings.control_url, settings.control_key.get_secret_value())
        self._cursor = 0
        self._contact: float | None = None  # on the clock of time.monotonic
        self.caught_up = not self.enabled
        self._stopping = threading.Event()

    def begin(self) -> None:
        """Know what was known before, and start to listen. In the guard's loop."""
        self._cursor = self._notebook.read(self._denylist)
        self._revoker.enforce(self._denylist.names())
        if not self.enabled:
            log.warning("control_off", hint="without CONTROL_URL a revocation is not heard here: tokens live on")
            return
        heard_at = self._notebook.heard_at()
        if heard_at is not None:
            self._contact = time.monotonic() - max(0.0, time.time() - heard_at)
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, args=(loop,), name="control", daemon=True).start()

    def end(self) -> None:
        """Stop listening."""
        self._stopping.set()
        if self.enabled:
            self._line.close()

    def cut_off(self) -> bool:
        """Whether we were without contact for too long to let a new scope in."""
        return self.enabled and self.silence() > self._cut_off

    def silence(self) -> float:
        """Seconds since the web was last heard; infinite if it never was."""
        return float("inf") if self._contact is None else time.monotonic() - self._contact

    def measure(self) -> None:
        """Set the figures that change by themselves."""
        self._metrics.control_age.set(self.silence() if self.enabled else float("nan"))
        self._metrics.denied.set(len(self._denylist))

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                self._turn(loop, wait=0 if failures or not self.caught_up else self._wait)
            except Exception as error:
                if self._stopping.is_set():
                    return
                if failures == 0:
                    self._say_lost(error)
                pause = AGAIN_AFTER[min(failures, len(AGAIN_AFTER) - 1)]
                failures += 1
                self._stopping.wait(pause * random.uniform(0.75, 1.25))  # noqa: S311 - not for secrets
                continue
            if failures:
                log.info("control_back", cursor=self._cursor)
            failures = 0

    def _say_lost(self, error: Exception) -> None:
        reason = str(error) if isinstance(error, Lost) else type(error).__name__
        say = log.warning if self.caught_up else log.info  # at the start the web may be on its way
        say("control_lost", reason=reason, new_scopes_refused_after=self._cut_off)

    def _turn(self, loop: asyncio.AbstractEventLoop, *, wait: int) -> None:
        """Ask once, apply what is new, keep it. Raises Lost, or what the applying raised."""
        heard = self._line.ask(self._cursor, wait)
        news = heard.resync or heard.cursor != self._cursor
        denied: dict[str, float] = {}
        if news:
            applied = asyncio.run_coroutine_threadsafe(self._apply(heard), loop)
            denied = applied.result(_APPLY_WITHIN)
        self._contact = time.monotonic()
        self._keep(heard.cursor, denied, news=news)
        self._cursor = heard.cursor
        self.caught_up = self.caught_up or not news  # one answer does not hold all of a long absence

    async def _apply(self, heard: Heard) -> dict[str, float]:
        """In the guard's loop, in one go: denials first, as they let nobody wait for the files of a purge."""
        if heard.resync:
            log.warning("control_resync", denials=len(heard.denials))
            self._metrics.resyncs.inc()
            self._denylist.clear()
        for name, until in heard.denials.items():
            self._revoker.deny(name, until)
        if heard.resync:
            self._revoker.purge_all()
        for media in heard.purges:
            self._revoker.purge(media)
        self._denylist.expire(time.time())
        return self._denylist.copy()

    def _keep(self, cursor: int, denied: Mapping[str, float], *, news: bool) -> None:
        """What cannot be kept is heard again after the next start."""
        try:
            if news or self._notebook.heard_at() is None:
                self._notebook.write(cursor, denied)
            else:
                self._notebook.touch()
        except OSError as error:
            log.warning("control_not_kept", reason=error.strerror)


class Line:
    """Asks the web, each time by a connection of its own: one kept open would hold back a web that wants to end.

    Redirects are not followed, as they could lead the key elsewhere.
    """

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port
        self._path = parts.path.rstrip("/") + "/control/events"
        self._headers = {"Authorization": f"Bearer {key}", "Accept": "application/json", "Connection": "close"}
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, cursor: int, wait: int) -> Heard:
        """What is new after `cursor`, within `wait` seconds. Raises Lost."""
        try:
            connection = self._connect()
            connection.sock.settimeout(wait + GRACE)
            connection.request("GET", f"{self._path}?cursor={cursor}&wait={wait}", headers=self._headers)
            response = connection.getresponse()
            body = response.read(_MAX_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise Lost(f"no answer: {type(error).__name__}") from None
        finally:
            self.close()
        if response.status != 200 or len(body) > _MAX_BYTES:
            raise Lost(f"the answer has status {response.status}{_HINTS.get(response.status, '')}")
        return _heard(body)

    def close(self) -> None:
        """Hang up; who waits for an answer gets an error."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        if self._secure:
            context = ssl.create_default_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                self._host, self._port, timeout=_CONNECT_WITHIN, context=context
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=_CONNECT_WITHIN)
        self._connection = connection
        connection.connect()
        _keep_alive(connection.sock)
        return connection


_HINTS = {
    401: ": CONTROL_KEY is not that of the web",
    404: ": the web has no CONTROL_KEY, or CONTROL_URL is not the web's address",
    421: ": the web does not know the host name of CONTROL_URL, see its TRUSTED_HOSTS",
}


def _keep_alive(connection: socket.socket) -> None:
    """Have the kernel notice within some seconds that the other side is gone, while nothing is said."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 3), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _heard(body: bytes) -> Heard:
    """Read an answer. Raises Lost: names become paths, so nothing of what is not understood is used."""
    try:
        answer = json.loads(body)
        cursor, denials, purges = int(answer["cursor"]), {}, []
        for event in answer["events"]:
            kind, subject, until = event["kind"], event["subject"], float(event["until"])
            if kind == "deny" and (SCOPE.fullmatch(subject) or MEDIA.fullmatch(subject)):
                denials[subject] = until
            elif kind == "purge" and MEDIA.fullmatch(subject):
                purges.append(subject)
            else:
                raise ValueError
        return Heard(denials, tuple(dict.fromkeys(purges)), cursor, answer.get("resync") is True)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Lost("the answer is not one of the control channel") from None
