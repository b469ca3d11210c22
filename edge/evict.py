"""What the cache holds, and what leaves it.

The bytes on disk and those promised to objects being fetched stay within CACHE_MAX_BYTES at every moment:
room is made before a byte is written. Out goes what was used longest ago. A use is a request that reached
the guard, a live grant of the media id, or a read by Caddy, which shows in the file's access time: that time
is set back to 0, and the kernel moves it at the next read (relatime does so when it lies before the change
time). On a `noatime` mount only the first two signals remain.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.metrics import Metrics

_BLOCK = 4096
#: How many recently used objects may be passed over to make room once.
_SECOND_CHANCES = 256


@dataclass
class Entry:
    """One object on disk: its bytes in whole blocks and when it was last used, in Unix seconds."""

    size: int
    used: float


def blocks(size: int) -> int:
    """What a file of this size takes on disk."""
    return -(-size // _BLOCK) * _BLOCK


class Cache:
    """The index of `root`, oldest use first."""

    def __init__(
        self, root: Path, *, max_bytes: int, min_free: int, metrics: Metrics,
        watched: Callable[[str, float], bool] = lambda _media, _now: False,
    ) -> None:  # fmt: skip
        self._root, self._max, self._min_free = root, max_bytes, min_free
        self._metrics, self._watched = metrics, watched
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._stored = 0
        self._reserved = 0
        metrics.limit_bytes.set(max_bytes)

    def rebuild(self) -> None:
        """Learn what is on disk; make it fit if the limit has become smaller."""
        found = []
        for folder, _, names in os.walk(self._root):
            for name in names:
                path = os.path.join(folder, name)  # noqa: PTH118 - a hundred thousand times
                stat = os.stat(path)  # noqa: PTH116
                # An access time of 0 is ours and says nothing: then it came when it was last changed.
                used = max(stat.st_atime, stat.st_ctime if stat.st_atime == 0 else 0)
                found.append((used, os.path.relpath(path, self._root), blocks(stat.st_size)))
        found.sort()
        self._entries = OrderedDict((path, Entry(size, used)) for used, path, size in found)
        self._stored = sum(entry.size for entry in self._entries.values())
        while self._stored > self._max:
            self._evict_one("size", chances=0)
        self._measure()

    def path(self, key: str) -> Path:
        """Where the object of a key lies: `objects/{media}/{kind}/…` for `{kind}/{media}/…`."""
        return self._root / _place(key)

    def has(self, key: str) -> bool:
        """Whether the object is on disk, which the disk says; a hit counts as a use."""
        name = _place(key)
        if not (self._root / name).is_file():
            self._forget(name)
            return False
        entry = self._entries.get(name)
        if entry is not None:
            entry.used = time.time()
            self._entries.move_to_end(name)
        return True

    def reserve(self, size: int) -> bool:
        """Make room for an object of `size` bytes and promise it; False if it shall not be stored.

        It shall not when it would take more than half of the cache, or when the disk would fall below its
        floor even though older objects have left.
        """
        wanted = blocks(size)
        if wanted > self._max // 2:
            return False
        chances = _SECOND_CHANCES
        while self._stored + self._reserved + wanted > self._max:
            spent = self._evict_one("size", chances=chances)
            if spent is None:
                return False
            chances -= spent
        if not self._above_floor(wanted):
            return False
        self._reserved += wanted
        self._measure()
        return True

    def release(self, size: int) -> None:
        """Take a promise back."""
        self._reserved -= blocks(size)
        self._measure()

    def commit(self, key: str, size: int) -> None:
        """A promised object is on disk under its name."""
        name = _place(key)
        self._forget(name)
        self._reserved -= blocks(size)
        self._stored += blocks(size)
        self._entries[name] = Entry(blocks(size), time.time())
        self._measure()

    def drop(self, media: str, to: Path) -> int:
        """Take all objects of a media id away, in one rename to `to`; their bytes.

        They stay promised until `release`, as they are still on the disk.
        """
        with contextlib.suppress(FileNotFoundError):
            (self._root / media).rename(to)
        before = self._stored
        for folder, _, names in os.walk(to):
            below = os.path.relpath(folder, to)
            for name in names:
                self._forget(os.path.normpath(f"{media}/{below}/{name}"))
        return self._promise(before - self._stored)

    def drop_all(self, to: Path) -> int:
        """Take everything away, in one rename to `to`; the bytes, as with `drop`."""
        self._root.rename(to)
        self._root.mkdir(mode=0o700)
        self._entries.clear()
        freed, self._stored = self._stored, 0
        return self._promise(freed)

    def _promise(self, freed: int) -> int:
        self._reserved += freed
        self._measure()
        return freed

    def expire(self, before: float) -> int:
        """Take out what nobody has used since `before` (Unix seconds); how many objects there were."""
        number = 0
        for name, entry in list(self._entries.items()):
            if entry.used < before and not self._read_since(name, entry):
                self._remove(name, "age")
                number += 1
        self._measure()
        return number

    def _above_floor(self, wanted: int) -> bool:
        """Whether the disk keeps its floor with `wanted` more bytes; old objects yield up to that much."""
        given_back = 0
        while shutil.disk_usage(self._root).free - self._reserved - wanted < self._min_free:
            before = self._stored
            if given_back >= wanted or self._evict_one("floor", chances=0) is None:
                return False
            given_back += before - self._stored
        return True

    def _evict_one(self, reason: str, *, chances: int) -> int | None:
        """Take out the object used longest ago; how many chances were spent, None if there is no object."""
        spent = 0
        now = time.time()
        while self._entries:
            name, entry = next(iter(self._entries.items()))
            if spent < min(chances, len(self._entries)):
                spent += 1
                if self._read_since(name, entry) or self._watched(name.partition("/")[0], now):
                    self._entries.move_to_end(name)
                    continue
            self._remove(name, reason)
            return spent
        return None

    def _read_since(self, name: str, entry: Entry) -> bool:
        path = self._root / name
        try:
            stat = path.stat()
        except FileNotFoundError:
            return False
        if stat.st_atime <= entry.used:
            return False
        entry.used = stat.st_atime
        os.utime(path, ns=(0, stat.st_mtime_ns))
        return True

    def _remove(self, name: str, reason: str) -> None:
        path = self._root / name
        path.unlink(missing_ok=True)
        self._forget(name)
        self._metrics.evictions.labels(reason).inc()
        with contextlib.suppress(OSError):  # others are in there
            for parent in path.parents:
                if parent == self._root:
                    break
                parent.rmdir()

    def _forget(self, name: str) -> None:
        entry = self._entries.pop(name, None)
        if entry is not None:
            self._stored -= entry.size

    def _measure(self) -> None:
        self._metrics.stored_bytes.set(self._stored)
        self._metrics.reserved_bytes.set(self._reserved)
        self._metrics.objects.set(len(self._entries))


def _place(key: str) -> str:
    """The path below `objects/` of an object key: on disk a media id is one folder."""
    kind, media, rest = key.split("/", 2)
    return f"{media}/{kind}/{rest}"
