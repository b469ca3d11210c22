"""Log files of the children: appended to, and bounded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

MAX_BYTES = 10 * 1024**2


def open_log(path: Path) -> BinaryIO:
    """The file, mode 0600, opened so that every write goes to its end, also after it was cut."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "ab", buffering=0)


def rotate(paths: Iterable[Path], *, max_bytes: int = MAX_BYTES) -> None:
    """Copy each file above `max_bytes` to `.1` and empty it: at most twice `max_bytes` stay.

    The writers keep their descriptors, so a file is cut and not renamed; lines written between the copy and
    the cut are lost.
    """
    for path in paths:
        try:
            if path.stat().st_size > max_bytes:
                older = path.with_name(path.name + ".1")
                shutil.copyfile(path, older)
                older.chmod(0o600)
                os.truncate(path, 0)
        except FileNotFoundError:
            continue


def tail(path: Path, lines: int = 12) -> str:
    """The last lines, for a message about why something did not start."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join("    " + line for line in text.splitlines()[-lines:])
