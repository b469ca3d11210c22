"""The guard: what Caddy cannot answer alone (raw ASGI, one process a node, on a Unix socket).

A request is verified, gets its grant, and is either handed back to Caddy (`X-Edge-Serve: 1`, the file is
here) or streamed while it is fetched. Caddy sets types, CORS and caching; see the Caddyfile.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import time
import traceback
from collections.abc import AsyncGenerator

import structlog

from app.core.errors import NotFound, Unavailable
from app.core.settings import EdgeSettings
from app.core.signing import BadToken, ExpiredToken, Grant, verify
from edge.control import Control
from edge.denylist import Denylist
from edge.evict import Cache
from edge.grants import Grants
from edge.hydrate import Hydrator
from edge.live import SUFFIX, LivePlaylists
from edge.metrics import Metrics
from edge.origin import Facts, Origin
from edge.ranges import answer
from edge.reply import Message, Receive, Reply, Send
from edge.revoke import Revoked, Revoker

log = structlog.get_logger("edge.guard")

#: Characters after the media id; the Caddyfile says the same. A name in a file system has up to 255 bytes.
_LONGEST = 250
_PIECE = 256 * 1024
#: For a while it is this edge that cannot; all else is the storage's.
_LATER = ("edge_busy", "edge_cut_off")
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
        denylist = Denylist()
        self._revoker = Revoker(denylist, self.grants, self.cache, self._hydrator, root / "tmp", self.metrics)
        self._control = Control(settings, denylist, self._revoker, self.metrics)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self.grants.rebuild(time.time())
        self.cache.rebuild()
        self._control.begin()
        housekeeping = asyncio.create_task(self._keep_house())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        housekeeping.cancel()
        self._control.end()
        await self._hydrator.close()
        await self._revoker.close()
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
        except Revoked:
            outcome = await reply.refuse(403, "revoked")
        except BadToken as error:
            outcome = await reply.refuse(404 if error.code == "bad_path" else 403)
        except NotFound:
            outcome = await reply.refuse(404)
        except Unavailable as error:
            outcome = await reply.refuse(503, error.code) if error.code in _LATER else await reply.refuse(502)
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
        if path in ("/healthz", "/readyz", "/metrics"):  # the socket's owner only: Caddy passes on /v/ alone
            return await self._tell(path, reply)
        grant = verify(self._ring, path, now=time.time())
        self._let_in(grant)
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

    async def _tell(self, path: str, reply: Reply) -> str:
        if path == "/readyz" and not self._control.caught_up:
            return await reply.refuse(503, "not_ready")
        self.metrics.grants.set(len(self.grants))
        self._control.measure()
        return await reply.text(self.metrics.text() if path == "/metrics" else b"ok\n", path[1:])

    def _let_in(self, grant: Grant) -> None:
        """Raise Revoked, or Unavailable for a scope that is new to an edge which was cut off for too long."""
        self._revoker.check(grant)
        if self._control.cut_off() and not self.grants.knows(grant.scope, time.time()):
            raise Unavailable("edge_cut_off", "This edge cannot ask whether the address still holds.")

    def _admit(self, grant: Grant) -> bool:
        """Whether Caddy can serve this grant from now on; without room for a link it cannot.

        Raises Revoked: a denial that came in between took the folder of the scope, not this link.
        """
        try:
            self.grants.make(grant)
        except OSError as error:
            log.warning("grant_not_writable", reason=error.strerror)
            return False
        try:
            self._revoker.check(grant)
        except Revoked:
            self._revoker.enforce([grant.scope])
            raise
        return True

    async def _fetch(self, scope: Message, grant: Grant, reply: Reply) -> str:
        flight = self._hydrator.join(grant.key)
        allowed = functools.partial(self._revoker.check, grant)
        with flight.held():
            facts = await flight.opened()
            decided = answer(dict(scope["headers"]), facts)
            pieces = self._hydrator.stream(flight, facts, decided.start, decided.end)
            async with contextlib.aclosing(pieces):
                return await reply.send_answer(decided, pieces, "streamed", allowed)

    async def _serve_stored(self, scope: Message, grant: Grant, reply: Reply) -> str:
        with self.cache.path(grant.key).open("rb", buffering=0) as file:
            stat = os.fstat(file.fileno())
            decided = answer(dict(scope["headers"]), Facts(stat.st_size, "", stat.st_mtime_ns))

            async def pieces() -> AsyncGenerator[bytes]:
                for start in range(decided.start, decided.end, _PIECE):
                    yield os.pread(file.fileno(), min(_PIECE, decided.end - start), start)

            allowed = functools.partial(self._revoker.check, grant)
            return await reply.send_answer(decided, pieces(), "served_by_guard", allowed)

    async def _serve_live(self, scope: Message, grant: Grant, reply: Reply) -> str:
        playlist = await self._live.get(grant.key)
        decided = answer(dict(scope["headers"]), playlist.facts)

        async def text() -> AsyncGenerator[bytes]:
            yield playlist.text[decided.start : decided.end]

        allowed = functools.partial(self._revoker.check, grant)
        return await reply.send_answer(decided, text(), "live", allowed)
