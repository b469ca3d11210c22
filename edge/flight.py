"""One object on its way from S3 to the disk, read by everybody who waits for it while it grows."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from app.core.errors import RushesError
from edge.origin import Body, Facts


class Flight:
    """The growing file of one key.

    `facts` are known once `opened()` returns. `written` bytes can be read with `read`. At the end either all
    of them are there, or `error` says why not (everybody is cut off), or `kept` is False: the disk would not
    take it, and who waits reads the rest from S3 itself. `dropped` means that the object was purged meanwhile:
    it gets no name.
    """

    def __init__(self, key: str, path: Path) -> None:
        self.key = key
        self.path = path
        self.facts: Facts | None = None
        self.written = 0
        self.kept = True
        self.dropped = False
        self.error: RushesError | None = None
        self._body: Body | None = None
        self._file = -1
        self._readers = 0
        self._over = False
        self._moved = asyncio.Event()

    async def opened(self) -> Facts:
        """Wait for the facts. Raises what the origin raised."""
        while self.facts is None:
            if self.error is not None:
                raise self.error
            await self.moved()
        return self.facts

    async def moved(self) -> None:
        """Wait until something has changed."""
        await self._moved.wait()

    def tell(self) -> None:
        """Wake everybody who waits."""
        self._moved.set()
        self._moved = asyncio.Event()

    def describe(self, body: Body) -> None:
        """The origin has answered."""
        self.facts = body.facts
        self.tell()

    def create(self) -> None:
        """Make the file. Raises OSError."""
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, piece: bytes) -> None:
        """Add to the file. Raises OSError when the disk is full."""
        view = memoryview(piece)
        while view:
            number = os.pwrite(self._file, view, self.written)
            self.written += number
            view = view[number:]
        self.tell()

    def read(self, start: int, end: int) -> bytes:
        """What is written of [start, end)."""
        return os.pread(self._file, min(end, self.written) - start, start)

    def give_up_keeping(self, body: Body | None) -> None:
        """It will not be stored. `body`, if nothing of it was read, goes to the first who wants the whole."""
        self.kept = False
        self._body = body

    def take_body(self) -> Body | None:
        """The unread body, once."""
        body, self._body = self._body, None
        return body

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """While somebody reads, the file stays open, whatever becomes of its name."""
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1
            self._close_if_over()

    def finish(self) -> None:
        """No more will be written."""
        self._over = True
        self.tell()
        self._close_if_over()

    def _close_if_over(self) -> None:
        if self._over and not self._readers:
            self._body = None
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
