"""Playlists that still grow (`*.live.m3u8`): never stored, at most a second old, one read for all viewers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from app.core.errors import Unavailable
from edge.origin import Facts, Origin

SUFFIX = ".live.m3u8"
_FRESH_FOR = 1.0
_MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Playlist:
    """Its text, and the facts that S3 stated with it."""

    facts: Facts
    text: bytes


class LivePlaylists:
    """What was read within the last second, and what is being read."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._reads: dict[str, tuple[float, asyncio.Task[Playlist]]] = {}

    async def get(self, key: str) -> Playlist:
        """The playlist as it was at most a second ago. Raises NotFound, Unavailable."""
        now = time.monotonic()
        for known in [known for known, (asked, _) in self._reads.items() if now - asked > _FRESH_FOR]:
            del self._reads[known]
        if key not in self._reads:
            self._reads[key] = (now, asyncio.create_task(self._read(key)))
        return await asyncio.shield(self._reads[key][1])

    async def _read(self, key: str) -> Playlist:
        body = await self._origin.open(key)
        if body.facts.size > _MAX_BYTES:
            raise Unavailable("playlist_size", "The playlist is larger than any may be.")
        return Playlist(body.facts, b"".join([piece async for piece in body.chunks()]))
