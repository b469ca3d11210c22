"""Children that die with us, and the sweep of those that did not.

Linux tells a child when its parent is gone (PR_SET_PDEATHSIG, prctl(2)). That signal belongs to the
*thread* that forked, so children are spawned from the main thread only; grandchildren do not inherit it.
For the rest there is the sweep at the next start: by (pid, start time), and by the mark RUSHES_INSTANCE in
the environment. PostgreSQL and Redis overwrite their environment, so neither way alone finds all.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from app.stack.files import write_private

MARK = "RUSHES_INSTANCE"
LINUX = sys.platform == "linux"
LIBC = ctypes.CDLL(None, use_errno=True)  # loaded before any fork
_PR_SET_PDEATHSIG = 1


def die_with_parent(death_signal: int) -> Callable[[], None]:
    """What a child runs before exec, so that the kernel sends it `death_signal` when our thread ends."""
    parent = os.getpid()

    def tie() -> None:
        if LINUX:
            LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return tie


@dataclass(frozen=True)
class Mark:
    """A process that was ours: start time in clock ticks since boot (proc(5), field 22 of stat)."""

    name: str
    pid: int
    started: int
    boot: str
    stop_signal: int


def mark(name: str, pid: int, stop_signal: int) -> Mark:
    """What finds the process again, and only it."""
    return Mark(name, pid, _started(pid) or 0, _boot(), int(stop_signal))


def record(path: Path, marks: Iterable[Mark]) -> None:
    """Write down who runs, for the sweep."""
    write_private(path, json.dumps([asdict(each) for each in marks]))


def sweep(path: Path, instance: Path, *, patience: float = 5.0) -> list[str]:
    """End what a killed supervisor left behind; the names of what was found. The lock must be held.

    Recorded processes get their own stop signal and `patience` seconds, then SIGKILL; what is found only by
    its environment gets SIGKILL.
    """
    recorded = [each for each in _recorded(path) if _alive(each)]
    for each in recorded:
        _kill(each.pid, signal.Signals(each.stop_signal))
    end = time.monotonic() + patience
    while any(_alive(each) for each in recorded) and time.monotonic() < end:
        time.sleep(0.05)
    for each in recorded:
        if _alive(each):
            _kill(each.pid, signal.SIGKILL)
    strays = list(_marked(instance))
    for pid in strays:
        _kill(pid, signal.SIGKILL)
    while any(_started(pid) for pid in strays) and time.monotonic() < end + 2:
        time.sleep(0.05)
    path.unlink(missing_ok=True)
    return [each.name for each in recorded] + [f"process {pid}" for pid in strays]


def kill_group(pid: int, with_signal: signal.Signals) -> None:
    """Signal every process of the session that `pid` leads; none left is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, with_signal)


def _kill(pid: int, with_signal: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, with_signal)


def _recorded(path: Path) -> list[Mark]:
    try:
        return [Mark(**each) for each in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError):
        return []


def _alive(each: Mark) -> bool:
    return each.boot == _boot() and each.started > 0 and _started(each.pid) == each.started


def _started(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name in brackets may hold anything
    return None if fields[0] in "ZX" else int(fields[19])


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _marked(instance: Path) -> Iterable[int]:
    wanted = f"{MARK}={instance}".encode()
    proc = Path("/proc")
    for folder in proc.iterdir() if proc.is_dir() else ():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in environment and _started(int(folder.name)):
            yield int(folder.name)
