"""Fetch objects for the cache: one read of S3 for all who want the same object at the same time.

A flight writes to `tmp/`, everybody streams from the growing file, and only a whole object of the size that
S3 stated gets its final name (rename(2)). Room is reserved before the first byte. What cannot be stored is
served through.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import structlog

from app.core.errors import NotFound, RushesError, Unavailable
from edge.evict import Cache
from edge.flight import Flight
from edge.metrics import Metrics
from edge.origin import Body, Facts, Origin

log = structlog.get_logger("edge.hydrate")

#: Objects fetched at once, bodies served through at once, and the seconds that a request waits for its turn.
FLIGHTS = 64
THROUGH = 256
TURN_WITHIN = 8.0
#: A range that begins this far beyond what has come is read from S3 by itself.
FAR_AHEAD = 8 * 1024 * 1024
_PIECE = 256 * 1024


class Hydrator:
    """The flights of one guard. Single-threaded: everything between two awaits is atomic."""

    def __init__(self, cache: Cache, origin: Origin, tmp: Path, metrics: Metrics) -> None:
        self._cache, self._origin, self._tmp, self._metrics = cache, origin, tmp, metrics
        self._flights: dict[str, Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._names = itertools.count()
        self._slots = asyncio.Semaphore(FLIGHTS)
        self._through_slots = asyncio.Semaphore(THROUGH)

    def join(self, key: str) -> Flight:
        """The flight of a key, started if there is none. `cache.has(key)` was false just now."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = Flight(key, self._tmp / str(next(self._names)))
            task = asyncio.create_task(self._run(flight))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return flight

    async def stream(self, flight: Flight, facts: Facts, start: int, end: int) -> AsyncGenerator[bytes]:
        """The bytes [start, end), as soon as they come. Raises Unavailable when they break off.

        Call it within `flight.held()`.
        """
        position = start
        while position < end:
            if flight.written > position:
                piece = flight.read(position, min(end, position + _PIECE))
                position += len(piece)
                yield piece
            elif flight.error is not None:
                raise flight.error
            elif not flight.kept or position > flight.written + FAR_AHEAD:
                async with contextlib.aclosing(self._through(flight, facts, position, end)) as pieces:
                    async for piece in pieces:
                        yield piece
                return
            else:
                await flight.moved()

    def drop(self, media: str | None) -> None:
        """Keep nothing of what is being fetched now, of a media id or (None) at all.

        Who reads it already may read on; who comes later gets a flight of their own.
        """
        for key, flight in list(self._flights.items()):
            if media is None or key.split("/", 2)[1] == media:
                flight.dropped = True
                del self._flights[key]

    async def close(self) -> None:
        """End all flights; nothing of them is kept."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _through(self, flight: Flight, facts: Facts, start: int, end: int) -> AsyncGenerator[bytes]:
        async with _turn(self._through_slots):
            body = flight.take_body() if (start, end) == (0, facts.size) else None
            if body is None:
                body = await self._origin.open(flight.key, (start, end), facts)
            async with contextlib.aclosing(body.chunks()) as pieces:
                async for piece in pieces:
                    yield piece

    async def _run(self, flight: Flight) -> None:
        result = "failed"
        try:
            async with _turn(self._slots):
                self._metrics.in_flight.inc()
                try:
                    result = await self._fetch(flight)
                finally:
                    self._metrics.in_flight.dec()
        except NotFound as error:
            flight.error, result = error, "missing"
        except RushesError as error:
            flight.error = error
            log.warning("flight_failed", code=error.code, key=flight.key, sentence=error.sentence)
        except OSError as error:  # the cache could not even be looked at
            log.warning("cache_not_readable", reason=error.strerror)
        finally:
            if result == "failed" and flight.error is None:  # cancelled, or a fault of ours: nobody shall wait on
                flight.error = Unavailable("flight_ended", "The object could not be fetched.")
            self._metrics.flights.labels(result).inc()
            if self._flights.get(flight.key) is flight:
                del self._flights[flight.key]
            flight.finish()

    async def _fetch(self, flight: Flight) -> str:
        body = await self._origin.open(flight.key)
        size = body.facts.size
        if not self._cache.reserve(size):
            flight.give_up_keeping(body)
            flight.describe(body)
            return "not_kept"
        stored = False
        try:
            flight.describe(body)
            stored = await self._write(flight, body)
        finally:
            if not stored:
                self._cache.release(size)
                flight.path.unlink(missing_ok=True)
        return "stored" if stored else "not_kept"

    async def _write(self, flight: Flight, body: Body) -> bool:
        """Write it and give it its name; False when the disk does not take it or it was purged meanwhile.

        Raises Unavailable.
        """
        try:
            flight.create()
            async with contextlib.aclosing(body.chunks()) as pieces:
                async for piece in pieces:
                    flight.write(piece)
            if flight.dropped:
                return False
            self._publish(flight, body.facts)
        except OSError as error:
            log.warning("cache_not_writable", reason=error.strerror)
            flight.give_up_keeping(None)
            return False
        return True

    def _publish(self, flight: Flight, facts: Facts) -> None:
        final = self._cache.path(flight.key)
        # Caddy's ETag is made of this time, so all edges agree; access time 0 shows the next read.
        os.utime(flight.path, ns=(0, facts.modified))
        final.parent.mkdir(parents=True, exist_ok=True)
        flight.path.rename(final)
        self._cache.commit(flight.key, facts.size)


@contextlib.asynccontextmanager
async def _turn(slots: asyncio.Semaphore) -> AsyncIterator[None]:
    """Wait for a slot, not for ever. Raises Unavailable."""
    try:
        async with asyncio.timeout(TURN_WITHIN):
            await slots.acquire()
    except TimeoutError:
        raise Unavailable("edge_busy", "This edge fetches too much at once.") from None
    try:
        yield
    finally:
        slots.release()
