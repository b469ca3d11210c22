"""The folders of the cache, and whether to believe what an earlier run left in them.

    objects/{media}/{kind}/…    whole objects only
    grants/{scope}/{media}/…    symlinks into objects/
    tmp/                        objects on their way; emptied at each start
    boot                        "clean", or the boot id of the machine under which the guard runs

Files are renamed into place without fsync, which would more than double the time to the first byte. After the
*machine* went down uncleanly, an object may therefore be short or hold zeros: then everything is thrown
away. A killed guard alone loses nothing, as the kernel still writes its pages.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import time
from pathlib import Path

from app.core.errors import ConfigurationError

_LIBC = ctypes.CDLL(None)
_CLEAN = "clean"
#: Seconds: a guard that was killed just now may still be on its way out.
_LOCK_WITHIN = 2.0


def open_cache(root: Path) -> tuple[int, bool]:
    """Make the folders ready; the lock, to be kept open, and whether earlier objects were thrown away.

    Raises ConfigurationError if another guard uses this folder: misses are joined within one process only.
    """
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + _LOCK_WITHIN
    while not _lock(lock):
        if time.monotonic() > end:
            os.close(lock)
            raise ConfigurationError([f"CACHE_PATH {root} is in use by another guard"])
        time.sleep(0.05)
    mark = root / "boot"
    state = mark.read_text() if mark.exists() else _CLEAN
    doubtful = state not in (_CLEAN, _boot_id())
    for name in ("tmp", *(("grants", "objects") if doubtful else ())):
        shutil.rmtree(root / name, ignore_errors=True)
    for name in ("tmp", "grants", "objects"):
        (root / name).mkdir(exist_ok=True, mode=0o700)
    _write(mark, _boot_id())
    return lock, doubtful


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def close_cache(root: Path) -> None:
    """All is on the disk: the next start may believe it, even after a restart of the machine."""
    if not _sync(root):
        return
    _write(root / "boot", _CLEAN)


def _sync(root: Path) -> bool:
    """syncfs(2), as other file systems may be slow; where there is none, sync(2)."""
    syncfs = getattr(_LIBC, "syncfs", None)
    if syncfs is None:
        os.sync()
        return True
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return bool(syncfs(folder) == 0)
    finally:
        os.close(folder)


def _write(mark: Path, text: str) -> None:
    fresh = mark.with_suffix(".new")
    with fresh.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(mark)


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"
