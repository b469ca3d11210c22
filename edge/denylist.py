"""What must not be served any more, and up to which event we know: one small file, written whole.

    control.json    {"cursor": 17, "denied": {"v3k9…": 1790000000, …}}

A name is the handle of a scope or a media id; it is forgotten when the last token that it concerns has ended
(Unix seconds), so that the list stays as short as the denials of six hours. The file's time says when the web
was last heard.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import structlog

log = structlog.get_logger("edge.control")


class Denylist:
    """Names and their ends. Only the guard's loop changes it."""

    def __init__(self) -> None:
        self._ends: dict[str, float] = {}

    def add(self, name: str, until: float) -> None:
        """Deny a name until then; a longer denial stays."""
        self._ends[name] = max(until, self._ends.get(name, 0))

    def clear(self) -> None:
        """Forget all."""
        self._ends.clear()

    def has(self, *names: str) -> bool:
        """Whether one of the names is denied now."""
        return any(self._ends.get(name, 0) > time.time() for name in names)

    def expire(self, now: float) -> None:
        """Forget those whose time is over."""
        self._ends = {name: until for name, until in self._ends.items() if until > now}

    def copy(self) -> dict[str, float]:
        """Names and ends as they are now."""
        return dict(self._ends)

    def names(self) -> Iterable[str]:
        """All names, living ones and such as were not yet forgotten."""
        return list(self._ends)

    def __len__(self) -> int:
        return len(self._ends)


class Notebook:
    """The file. It is read at the start and written by the thread of the control channel."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, denylist: Denylist) -> int:
        """Fill the denylist; the cursor, 0 when there is no file or it cannot be understood."""
        try:
            noted = json.loads(self._path.read_text())
            denied = {str(name): float(until) for name, until in noted["denied"].items()}
            cursor = int(noted["cursor"])
        except FileNotFoundError:
            return 0
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("control_file_unreadable", error=type(error).__name__)
            return 0
        for name, until in denied.items():
            denylist.add(name, until)
        denylist.expire(time.time())
        return cursor

    def heard_at(self) -> float | None:
        """When the web was last heard, in Unix seconds; None if it never was."""
        try:
            return self._path.stat().st_mtime
        except OSError:
            return None

    def touch(self) -> None:
        """Note that the web was heard just now, with nothing new. Raises OSError."""
        os.utime(self._path)

    def write(self, cursor: int, denied: Mapping[str, float]) -> None:
        """Keep both, on the disk when this returns. Raises OSError."""
        fresh = self._path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            json.dump({"cursor": cursor, "denied": dict(denied)}, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
