"""One supervisor an instance: an advisory lock (flock(2)) that ends with its holder, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from app.core.errors import Conflict


class InstanceLock:
    """Holds `instance/lock` until closed. The file says who holds it and where it answers."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, _, url = os.read(self._descriptor, 4096).decode().strip().partition(" ")
            os.close(self._descriptor)
            raise Conflict("already_running", _sentence(path.parent, pid, url)) from None
        self.say("")

    def say(self, url: str) -> None:
        """Write down where this instance answers."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()} {url}\n".encode(), 0)

    def close(self) -> None:
        """Give it back."""
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


def _sentence(instance: Path, pid: str, url: str) -> str:
    where = f"at {url}" if url else "and is still starting"
    return (
        f"Rushes is already running {where} (process {pid or 'unknown'}, instance {instance}). "
        "Open that address, or stop it with Ctrl-C where it runs; "
        "for a second one beside it: --instance OTHER_FOLDER."
    )
