"""Files that lie in pieces, read as one: an init segment and the segments after it are a fragmented MP4."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from app.media.source import Read


@dataclass(frozen=True, slots=True)
class Part:
    """One stored file of `size` bytes; `read(start, end)` yields a range of it."""

    size: int
    read: Read


def joined(parts: Sequence[Part]) -> tuple[int, Read]:
    """The size of the whole, and what reads any range of it (for `source.serve`)."""
    begins = [0, *accumulate(part.size for part in parts)]

    def read(start: int, end: int) -> Iterator[bytes]:
        for part, begin in zip(parts, begins, strict=False):
            first, last = max(start, begin), min(end, begin + part.size)
            if first < last:
                yield from part.read(first - begin, last - begin)

    return begins[-1], read
