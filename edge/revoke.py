"""Take away what was given: the grants of a scope, the objects of a media id.

Each is one rename out of Caddy's sight, in the guard's one thread, so that no request sees half of it; the
files are removed behind the scenes. What is denied is looked up before a grant is made and again before
each piece of a body is sent.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import structlog

from app.core.signing import BadToken, Grant
from edge.denylist import Denylist
from edge.evict import Cache
from edge.grants import Grants
from edge.hydrate import Hydrator
from edge.metrics import Metrics

log = structlog.get_logger("edge.revoke")

#: What an event may name; both become names of folders.
SCOPE = re.compile(r"[a-z][a-z0-9]{13}", re.ASCII)
MEDIA = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Revoked(BadToken):
    """The signature is right, but what it opens was taken back."""


class Revoker:
    """Denials and purges of one guard. `tmp` lies in the cache's file system and is emptied at each start."""

    def __init__(
        self, denylist: Denylist, grants: Grants, cache: Cache, hydrator: Hydrator, tmp: Path, metrics: Metrics
    ) -> None:
        self._denylist, self._grants, self._cache = denylist, grants, cache
        self._hydrator, self._tmp, self._metrics = hydrator, tmp, metrics
        self._names = itertools.count()
        self._removals: set[asyncio.Task[None]] = set()

    def check(self, grant: Grant) -> None:
        """Raise Revoked when the scope or the media id of a grant is denied."""
        if self._denylist.has(grant.scope, grant.media):
            raise Revoked("revoked", "What this address opened was taken back.")

    def deny(self, name: str, until: float) -> None:
        """Serve nothing for a scope, or nothing of a media id, until then."""
        self._denylist.add(name, until)
        self._metrics.denials.inc()
        self.enforce([name])

    def enforce(self, names: Iterable[str]) -> None:
        """Take the grants of denied names away."""
        for name in names:
            gone = self._gone()
            if MEDIA.fullmatch(name):
                gone.mkdir()
                self._grants.drop_media(name, gone)
            else:
                self._grants.drop_scope(name, gone)
            self._remove(gone)

    def purge(self, media: str) -> None:
        """Drop the objects of a media id. What is being fetched reaches its readers, but is not kept."""
        self._metrics.purges.inc()
        self._hydrator.drop(media)
        gone = self._gone()
        freed = self._cache.drop(media, gone)
        self._remove(gone, freed)
        links = self._gone()
        links.mkdir()
        self._grants.drop_media(media, links)  # whoever still may makes it anew
        self._remove(links)

    def purge_all(self) -> None:
        """Drop everything: nobody can say what of it should be gone."""
        self._hydrator.drop(None)
        gone, links = self._gone(), self._gone()
        self._remove(gone, self._cache.drop_all(gone))
        self._grants.drop_all(links)
        self._remove(links)

    async def close(self) -> None:
        """Wait until nothing is being removed."""
        await asyncio.gather(*self._removals, return_exceptions=True)

    def _gone(self) -> Path:
        return self._tmp / f"gone-{next(self._names)}"

    def _remove(self, folder: Path, freed: int = 0) -> None:
        if not folder.exists():
            return
        task = asyncio.get_running_loop().create_task(self._removed(folder, freed))
        self._removals.add(task)
        task.add_done_callback(self._removals.discard)

    async def _removed(self, folder: Path, freed: int) -> None:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        self._cache.release(freed)  # only now are the bytes off the disk
