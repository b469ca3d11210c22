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
        #: Scope → its links, each `{scope}/{media}/{token}.{kind}`.
        self._scopes: dict[str, set[str]] = {}

    def rebuild(self, now: float) -> None:
        """Learn what is on disk, and take away what has expired."""
        self._ends.clear()
        self._media.clear()
        self._scopes.clear()
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
            if not self._forget(name):  # dropped before, or made anew and counted twice
                continue
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

    def drop_scope(self, scope: str, to: Path) -> None:
        """Take all grants of a scope away, in one rename to `to`."""
        with contextlib.suppress(FileNotFoundError):
            (self._root / scope).rename(to)
        self._scopes.pop(scope, None)

    def drop_media(self, media: str, to: Path) -> None:
        """Take all grants of a media id away, one rename for each scope, into the folder `to`."""
        for scope, names in list(self._scopes.items()):
            within = f"{scope}/{media}/"
            mine = [name for name in names if name.startswith(within)]
            for name in mine:
                self._forget(name)
            if mine:
                with contextlib.suppress(FileNotFoundError):
                    (self._root / scope / media).rename(to / scope)
        self._media.pop(media, None)

    def drop_all(self, to: Path) -> None:
        """Take every grant away, in one rename to `to`."""
        self._root.rename(to)
        self._root.mkdir(mode=0o700)
        self._ends.clear()
        self._media.clear()
        self._scopes.clear()

    def live(self, media: str, now: float) -> bool:
        """Whether somebody may be watching this media id."""
        return self._media.get(media, 0) > now

    def knows(self, scope: str, now: float) -> bool:
        """Whether a grant of this scope lives."""
        ends = (int(name.rpartition("/")[2][:_EXP_DIGITS]) for name in self._scopes.get(scope, ()))
        return any(exp > now for exp in ends)

    def __len__(self) -> int:
        return sum(map(len, self._scopes.values()))

    def _note(self, exp: int, media: str, name: str) -> None:
        heapq.heappush(self._ends, (exp, name))
        self._media[media] = max(exp, self._media.get(media, 0))
        self._scopes.setdefault(name.partition("/")[0], set()).add(name)

    def _forget(self, name: str) -> bool:
        scope = name.partition("/")[0]
        names = self._scopes.get(scope)
        if names is None or name not in names:
            return False
        names.remove(name)
        if not names:
            del self._scopes[scope]
        return True
