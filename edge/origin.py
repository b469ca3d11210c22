"""The origin: the previews bucket, read with the role edge-reader.

obstore resumes a body that breaks off once; `Body.chunks` goes on from there as long as it gets ahead. The
vendor's errors become ours: `NotFound`, or `Unavailable` for everything that may pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
import structlog
from obstore.exceptions import BaseError, PermissionDeniedError, PreconditionError
from obstore.store import S3Store

from app.core.errors import NotFound, Unavailable
from app.core.settings import StorageSettings
from edge.metrics import Metrics

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult

log = structlog.get_logger("edge.origin")

#: Seconds until the headers of an answer must be there, and between two pieces of its body.
HEADERS_WITHIN = 4.0
PIECE_WITHIN = 5.0
PIECE_BYTES = 64 * 1024
#: A body that broke off is asked for again if at least this much came since the last time.
PROGRESS = 1024 * 1024

_STATUS = re.compile(r"status code: (\d{3})")


@dataclass(frozen=True)
class Facts:
    """What an object is: bytes in all, S3's ETag, when it was last changed in nanoseconds since 1970."""

    size: int
    etag: str
    modified: int


class Body:
    """An answer: the facts of the whole object, and an iterator over the bytes [start, end)."""

    def __init__(self, origin: Origin, key: str, facts: Facts, span: tuple[int, int], result: GetResult) -> None:
        self.facts = facts
        self._origin, self._key, self._result = origin, key, result
        self._start, self._end = span

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The bytes, once. Raises Unavailable when they break off for good; what came before stays good."""
        position, asked_at, result = self._start, self._start, self._result
        while True:
            try:
                async with contextlib.aclosing(_pieces(result)) as pieces:
                    async for piece in pieces:
                        self._origin.count(len(piece))
                        position += len(piece)
                        yield piece
                if position == self._end:
                    return
            except Unavailable:
                if position - asked_at < PROGRESS:
                    raise
            if position - asked_at < PROGRESS or position > self._end:
                raise Unavailable("origin_size", "The storage sent another number of bytes than it said.")
            asked_at = position
            result = await self._origin.get(self._key, (position, self._end), self.facts)


class Origin:
    """Reads objects of one bucket."""

    def __init__(self, settings: StorageSettings, metrics: Metrics) -> None:
        pair = settings.roles["edge-reader"]
        self._metrics = metrics
        self._denied = False
        self._store = S3Store(
            settings.bucket("previews"),
            endpoint=settings.s3_endpoint,
            region=settings.s3_region,
            virtual_hosted_style_request=False,
            access_key_id=pair.access_key,
            secret_access_key=pair.secret_key.get_secret_value(),
            client_options={
                "allow_http": True,
                "connect_timeout": timedelta(seconds=1),
                "timeout": timedelta(minutes=15),  # of a whole body; the default of 30 s cuts large ones
            },
            retry_config={
                "max_retries": 1,
                "retry_timeout": timedelta(seconds=2),
            },  # 10 would take 2.8 s to say no
        )

    async def open(self, key: str, span: tuple[int, int] | None = None, expect: Facts | None = None) -> Body:
        """Ask for an object, or for its bytes [start, end).

        `expect` must still hold, else Unavailable. Raises NotFound, Unavailable.
        """
        result = await self.get(key, span, expect)
        meta = result.meta
        if not meta["e_tag"]:  # whatever answered, it was not S3
            raise Unavailable("origin_answer", "What the storage sent has no ETag.")
        modified = round(meta["last_modified"].timestamp()) * 10**9
        facts = Facts(meta["size"], meta["e_tag"], modified)
        if expect is not None and facts != expect:
            raise Unavailable("origin_changed", "The object in the storage has changed.")
        return Body(self, key, facts, result.range, result)

    async def get(self, key: str, span: tuple[int, int] | None, expect: Facts | None) -> GetResult:
        """One GET with its errors translated; `open` is for everybody else."""
        options: GetOptions = {}
        if span is not None:
            options["range"] = span
        if expect is not None:
            options["if_match"] = expect.etag
        try:
            async with asyncio.timeout(HEADERS_WITHIN):
                result = await obstore.get_async(self._store, key, options=options)
        except FileNotFoundError:
            self._metrics.origin.labels("missing").inc()
            raise NotFound("missing_object", "The object is not there.") from None
        except PermissionDeniedError:
            self._metrics.origin.labels("denied").inc()
            self._say_denied()
            raise NotFound("missing_object", "The object is not there.") from None
        except PreconditionError:
            self._metrics.origin.labels("changed").inc()
            raise Unavailable("origin_changed", "The object in the storage has changed.") from None
        except (BaseError, OSError) as error:  # TimeoutError is an OSError
            self._metrics.origin.labels("failed").inc()
            raise _unavailable(error) from None
        self._metrics.origin.labels("ok").inc()
        return result

    def count(self, number: int) -> None:
        """Note bytes that came."""
        self._metrics.origin_bytes.inc(number)

    def _say_denied(self) -> None:
        """AWS says 403 for a missing key to whom it does not let list, so each such answer may be either."""
        if not self._denied:
            self._denied = True
            log.warning(
                "origin_denied",
                hint="a missing object, or the key pair of edge-reader is not allowed to read",
            )


async def _pieces(result: GetResult) -> AsyncGenerator[bytes]:
    stream = aiter(result.stream(min_chunk_size=PIECE_BYTES))
    while True:
        try:
            async with asyncio.timeout(PIECE_WITHIN):
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        except (BaseError, OSError) as error:
            raise _unavailable(error) from None
        yield piece


def _unavailable(error: Exception) -> Unavailable:
    """Ours for the vendor's; its text holds addresses and bodies, so only the status is taken from it."""
    status = _STATUS.search(str(error))
    what = f"status {status[1]}" if status else type(error).__name__
    return Unavailable("origin_unavailable", f"The storage does not answer as it should ({what}).")
