"""Grants: one symlink for each verified token and kind, which Caddy follows without asking anybody.

    grants/{scope}/{media}/{token}.{kind} → ../../../objects/{media}/{kind}

A link exists only if the token's signature, its life and its scope were verified; Caddy compares `exp`
itself. The folder of a scope is what a revocation takes away.
"""

from __future__ import annotations

import contextlib
import heapq
import os
from pathlib import Path

from app.core.keys import KINDS
from app.core.signing import Grant

_EXP_DIGITS = 10


class Grants:
    """The links on disk, and in memory when each ends."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._ends: list[tuple[int, str]] = []
        self._media: dict[str, int] = {}

    def rebuild(self, now: float) -> None:
        """Learn what is on disk, and take away what has expired."""
        self._ends.clear()
        self._media.clear()
        for link in self._root.glob("*/*/*"):
            exp = link.name[:_EXP_DIGITS]
            if exp.isdecimal() and link.is_symlink():
                self._note(int(exp), link.parent.name, str(link.relative_to(self._root)))
        self.collect(now)

    def make(self, grant: Grant) -> bool:
        """Let Caddy serve what this grant opens; True if it is new. Raises OSError when the disk is full."""
        name = f"{grant.scope}/{grant.media}/{grant.token}.{grant.kind}"
        if grant.kind not in KINDS:  # the name becomes a path: never trust only what was checked elsewhere
            raise ValueError("unknown kind")
        link = self._root / name
        target = f"../../../objects/{grant.media}/{grant.kind}"
        while True:
            try:
                os.symlink(target, link)  # noqa: PTH211 - Path.symlink_to would resolve nothing more
                self._note(grant.exp, grant.media, name)
                return True
            except FileExistsError:
                return False
            except FileNotFoundError:
                link.parent.mkdir(parents=True, exist_ok=True)

    def collect(self, now: float) -> int:
        """Take away expired grants; how many there were."""
        number = 0
        while self._ends and self._ends[0][0] <= now:
            _, name = heapq.heappop(self._ends)
            link = self._root / name
            with contextlib.suppress(FileNotFoundError):
                link.unlink()
            with contextlib.suppress(OSError):  # others are in there
                link.parent.rmdir()
                link.parent.parent.rmdir()
            number += 1
        for media in [media for media, exp in self._media.items() if exp <= now]:
            del self._media[media]
        return number

    def live(self, media: str, now: float) -> bool:
        """Whether somebody may be watching this media id."""
        return self._media.get(media, 0) > now

    def __len__(self) -> int:
        return len(self._ends)

    def _note(self, exp: int, media: str, name: str) -> None:
        heapq.heappush(self._ends, (exp, name))
        self._media[media] = max(exp, self._media.get(media, 0))
