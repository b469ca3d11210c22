"""The output of a program, line by line, without a thread."""

from __future__ import annotations

import os
import select
from collections.abc import Callable


class Lines:
    """Reads what a pipe has to give within a time; keeps the whole text (programs of ours: short)."""

    def __init__(self, descriptor: int, on_line: Callable[[str], None] | None) -> None:
        self._descriptor = descriptor
        self._on_line = on_line
        self._raw = b""
        self._told = 0
        self.ended = False

    @property
    def text(self) -> str:
        """Everything read so far."""
        return self._raw.decode(errors="replace")

    def read(self, seconds: float) -> None:
        """Wait up to `seconds` for more, and tell each whole line that came."""
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return
        data = os.read(self._descriptor, 65536)
        self._raw += data
        self.ended = not data
        while self._on_line and (cut := self._raw.find(b"\n", self._told)) >= 0:
            self._on_line(self._raw[self._told : cut].decode(errors="replace"))
            self._told = cut + 1
