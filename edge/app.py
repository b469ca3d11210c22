"""The guard: what Caddy cannot answer alone (raw ASGI, one process a node, on a Unix socket).

A request is verified, gets its grant, and is either handed back to Caddy (`X-Edge-Serve: 1`, the file is
here) or streamed while it is fetched. Caddy sets types, CORS and caching; see the Caddyfile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import structlog

from app.core.errors import NotFound, Unavailable
from app.core.settings import EdgeSettings
from app.core.signing import BadToken, ExpiredToken, Grant, verify
from edge.evict import Cache
from edge.grants import Grants
from edge.hydrate import Hydrator
from edge.live import SUFFIX, LivePlaylists
from edge.metrics import Metrics
from edge.origin import Facts, Origin
from edge.ranges import Answer, answer

log = structlog.get_logger("edge.guard")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

#: Characters after the media id; the Caddyfile says the same. A name in a file system has up to 255 bytes.
_LONGEST = 250
_PIECE = 256 * 1024
_COLLECT_EVERY = 30.0
_EXPIRE_EVERY = 3600.0


class Guard:
    """The ASGI application. The folders of `settings.cache_path` are there (edge.disk)."""

    def __init__(self, settings: EdgeSettings) -> None:
        root = settings.cache_path
        self._ring = settings.edge_signing_key
        self._max_age = settings.cache_ttl_days * 86400
        self.metrics = Metrics()
        self.grants = Grants(root / "grants")
        self.cache = Cache(
            root / "objects", max_bytes=settings.cache_max_bytes, min_free=settings.cache_min_free_bytes,
            metrics=self.metrics, watched=self.grants.live,
        )  # fmt: skip
        self._origin = Origin(settings, self.metrics)
        self._hydrator = Hydrator(self.cache, self._origin, root / "tmp", self.metrics)
        self._live = LivePlaylists(self._origin)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self.grants.rebuild(time.time())
        self.cache.rebuild()
        housekeeping = asyncio.create_task(self._keep_house())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        housekeeping.cancel()
        await self._hydrator.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _keep_house(self) -> None:
        expire_at = time.monotonic()
        while True:
            try:
                self.grants.collect(time.time())
                if time.monotonic() >= expire_at:
                    self.cache.expire(time.time() - self._max_age)
                    expire_at = time.monotonic() + _EXPIRE_EVERY
            except OSError as error:
                log.warning("housekeeping_failed", reason=error.strerror)
            await asyncio.sleep(_COLLECT_EVERY)

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        reply = Reply(receive, send, head=scope["method"] == "HEAD")
        try:
            outcome = await self._dispatch(scope, reply)
        except ExpiredToken:
            outcome = await reply.refuse(410)
        except BadToken as error:
            outcome = await reply.refuse(404 if error.code == "bad_path" else 403)
        except NotFound:
            outcome = await reply.refuse(404)
        except Unavailable as error:
            outcome = await reply.refuse(503 if error.code == "edge_busy" else 502)
        except Exception as error:
            # The text of an OSError holds the path of a grant, and that the token.
            where = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
            log.error("guard_failed", error=type(error).__name__, where=where)
            outcome = await reply.refuse(500)
        finally:
            reply.close()
        self.metrics.requests.labels(outcome).inc()

    async def _dispatch(self, scope: Message, reply: Reply) -> str:
        path = scope["raw_path"].decode("latin-1")
        if scope["method"] not in ("GET", "HEAD"):
            return await reply.refuse(405)
        if path in ("/healthz", "/metrics"):  # the socket's owner only: Caddy passes on /v/ alone
            self.metrics.grants.set(len(self.grants))
            return await reply.text(b"ok\n" if path == "/healthz" else self.metrics.text(), path[1:])
        grant = verify(self._ring, path, now=time.time())
        if len(grant.rest) >= _LONGEST:
            raise NotFound("long_name", "No object has so long a name.")
        if grant.rest.endswith(SUFFIX):
            return await self._serve_live(scope, grant, reply)
        granted = self._admit(grant)
        if not self.cache.has(grant.key):
            return await self._fetch(scope, grant, reply)
        if not granted:
            return await self._serve_stored(scope, grant, reply)
        return await reply.hand_to_caddy()

    def _admit(self, grant: Grant) -> bool:
        """Whether Caddy can serve this grant from now on; without room for a link it cannot."""
        try:
            self.grants.make(grant)
        except OSError as error:
            log.warning("grant_not_writable", reason=error.strerror)
            return False
        return True

    async def _fetch(self, scope: Message, grant: Grant, reply: Reply) -> str:
        flight = self._hydrator.join(grant.key)
        with flight.held():
            facts = await flight.opened()
            decided = answer(dict(scope["headers"]), facts)
            pieces = self._hydrator.stream(flight, facts, decided.start, decided.end)
            async with contextlib.aclosing(pieces):
                return await reply.send_answer(decided, pieces, "streamed")

    async def _serve_stored(self, scope: Message, grant: Grant, reply: Reply) -> str:
        with self.cache.path(grant.key).open("rb", buffering=0) as file:
            stat = os.fstat(file.fileno())
            decided = answer(dict(scope["headers"]), Facts(stat.st_size, "", stat.st_mtime_ns))

            async def pieces() -> AsyncGenerator[bytes]:
                for start in range(decided.start, decided.end, _PIECE):
                    yield os.pread(file.fileno(), min(_PIECE, decided.end - start), start)

            return await reply.send_answer(decided, pieces(), "served_by_guard")

    async def _serve_live(self, scope: Message, grant: Grant, reply: Reply) -> str:
        playlist = await self._live.get(grant.key)
        decided = answer(dict(scope["headers"]), playlist.facts)

        async def text() -> AsyncGenerator[bytes]:
            yield playlist.text[decided.start : decided.end]

        return await reply.send_answer(decided, text(), "live")


class Reply:
    """One response. `gone` is true when the client has left: ASGI servers then drop what is sent."""

    def __init__(self, receive: Receive, send: Send, *, head: bool) -> None:
        self._send, self._head = send, head
        self._started = False
        self._watcher = asyncio.ensure_future(_until_disconnect(receive))

    @property
    def gone(self) -> bool:
        return self._watcher.done()

    def close(self) -> None:
        """Stop watching the connection."""
        self._watcher.cancel()

    async def start(self, status: int, headers: Headers) -> None:
        self._started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def hand_to_caddy(self) -> str:
        """The grant is made and the file is here."""
        await self.start(200, [(b"x-edge-serve", b"1"), (b"content-length", b"0")])
        await self.end()
        return "handed_to_caddy"

    async def text(self, body: bytes, outcome: str) -> str:
        headers = [(b"content-type", b"text/plain; version=0.0.4"), (b"content-length", b"%d" % len(body))]
        await self.start(200, headers)
        await self._send({"type": "http.response.body", "body": body})
        return outcome

    async def refuse(self, status: int) -> str:
        """An error without a body. After the first byte nothing can be said: the connection is cut."""
        if self._started:
            return "cut_off"
        await self.start(status, [(b"cache-control", b"no-store"), (b"content-length", b"0")])
        await self.end()
        return str(status)

    async def send_answer(self, decided: Answer, pieces: AsyncIterator[bytes], outcome: str) -> str:
        """Status, headers and, where one belongs to it, the body. Raises what `pieces` raises."""
        if decided.status in (304, 416) or self._head:
            await self.start(decided.status, decided.headers)
            await self.end()
            return str(decided.status)
        first = await anext(pieces, b"")  # before the headers: what fails now can still be said
        await self.start(decided.status, decided.headers)
        await self._send({"type": "http.response.body", "body": first, "more_body": True})
        async for piece in pieces:
            if self.gone:
                return "left"
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        await self.end()
        return outcome


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
