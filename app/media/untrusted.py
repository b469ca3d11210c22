"""Run a media program on a file that somebody else made.

What stands between a hostile file and the machine: no shell, an empty environment, a folder of its own as the
working directory, resource limits, no new privileges, an unprivileged user when we are root, its own session
that is killed as a whole, a wall clock, and death with its parent. What does not: a file system or network
namespace; the network is limited by the whitelists of `source.input_options` and by the host's firewall.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from app.core.errors import Rejected

GIB = 1 << 30
NOBODY = 65534
STDOUT_LIMIT = 32 << 20
STDERR_TAIL = 8 << 10
POLL_SECONDS = 0.2
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
T = TypeVar("T")
_ADDRESS = re.compile(r"\bhttps?://[^\s'\"<>]+")


class MediaFailed(Rejected):
    """The program ended with an error: this file cannot be worked on. `tail` is the end of its messages."""

    def __init__(self, code: str, sentence: str, tail: str = "") -> None:
        super().__init__(code, sentence)
        self.tail = tail


class TimedOut(MediaFailed):
    """The program did not end within its time limit and was killed."""


class Cancelled(Rejected):
    """Somebody asked for the work to stop, and it was stopped."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the child may use: bytes of address space (None: no limit, for CUDA), of one file; open files."""

    address_space: int | None = 6 * GIB
    file_size: int = 16 * GIB
    open_files: int = 256


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ended well. `stdout` is empty where `on_line` or `on_block` took it.

    `complaints` counts the lines of its messages: with `-v error`, ffmpeg's troubles with the file.
    """

    stdout: bytes
    stderr_tail: str
    complaints: int = 0


def run_untrusted(
    argv: Sequence[str],
    *,
    folder: Path,
    time_limit: float,
    on_line: Callable[[str], None] | None = None,
    on_block: Callable[[bytes], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    limits: Limits | None = None,
) -> Completed:
    """Run `argv` (absolute program first) in `folder` for at most `time_limit` seconds.

    `folder` is given to the child's user and is its working directory: name files in it relatively.
    `on_line` gets each line of standard output as it comes, or `on_block` its bytes, on a thread of its own;
    else the output is returned, up to 32 MiB. `cancelled` is asked five times a second; at once the whole
    process group dies.

    Raises MediaFailed (media_failed), TimedOut (media_timeout), Cancelled (cancelled).
    """
    process = _start(argv, folder, time_limit, limits or Limits())
    output = _Output(process, on_line, on_block)
    try:
        reason = _watch(process, output, time_limit, cancelled)
    finally:
        _kill_group(process)
        output.finish()
    if output.line_error:
        raise output.line_error
    tail = output.stderr_tail()
    if reason == "cancelled":
        raise Cancelled("cancelled", "The work was cancelled.")
    if reason == "time":
        raise TimedOut("media_timeout", "The file could not be read within the time that its size allows.", tail)
    if reason == "flood" or process.returncode != 0:
        raise MediaFailed("media_failed", f"{Path(argv[0]).name} could not work on this file.", tail)
    return Completed(output.stdout(), tail, output.complaints)


def _start(argv: Sequence[str], folder: Path, time_limit: float, limits: Limits) -> subprocess.Popen[bytes]:
    if not Path(argv[0]).is_absolute():
        raise ValueError("the program is named by its absolute path")
    user = _unprivileged_user(argv[0])
    if user is not None:
        _hand_over(folder, user)
    return subprocess.Popen(
        list(argv),
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        close_fds=True,
        start_new_session=True,
        umask=0o077,
        user=user,
        group=user,
        extra_groups=[] if user is not None else None,
        preexec_fn=_restrictions(time_limit, limits),  # noqa: PLW1509 - system calls only
    )


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of ours.

    No character-set modules: a static ffprobe crashes on loading the system's. Few heaps: glibc reserves
    address space for one a thread, which on many cores would use up the limit.
    """
    own = str(folder)
    return {"LC_ALL": "C", "HOME": own, "TMPDIR": own, "GCONV_PATH": "/nonexistent", "MALLOC_ARENA_MAX": "4"}


def _hand_over(folder: Path, user: int) -> None:
    """Give the folder and those in it to the child's user; a link in it is never followed."""
    for place, _, _ in os.walk(folder, followlinks=False):
        os.chown(place, user, user, follow_symlinks=False)


def _restrictions(time_limit: float, limits: Limits) -> Callable[[], None]:
    """What the child does to itself between fork and exec: only system calls, for other threads may run.

    It comes after the change of user, which would clear the parent-death signal (prctl(2)).
    """
    cpu = int(time_limit * (os.cpu_count() or 1)) + 1
    pairs = [
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, limits.file_size),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
    ]
    if limits.address_space is not None:
        pairs.append((resource.RLIMIT_AS, limits.address_space))
    bounded = [
        (kind, min(value, hard) if (hard := resource.getrlimit(kind)[1]) >= 0 else value) for kind, value in pairs
    ]
    parent = os.getpid()

    def restrict() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            if os.getppid() != parent:  # the parent died before the signal was set
                os._exit(127)
        os.nice(10)
        for kind, value in bounded:
            resource.setrlimit(kind, (value, value))

    return restrict


def _unprivileged_user(program: str) -> int | None:
    """The user to run as, or None to stay: we are not root, or `nobody` could not reach the program."""
    if os.geteuid() != 0:
        return None
    path, real = Path(program), Path(program).resolve()
    reachable = all(parent.stat().st_mode & stat.S_IXOTH for parent in (*path.parents, *real.parents))
    return NOBODY if reachable and real.stat().st_mode & stat.S_IXOTH else None


def _watch(
    process: subprocess.Popen[bytes], output: _Output, time_limit: float, cancelled: Callable[[], bool] | None
) -> str:
    """Wait for the end; return why it ended: "done", "cancelled", "time" or "flood"."""
    deadline = time.monotonic() + time_limit
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=max(0.0, min(POLL_SECONDS, deadline - time.monotonic())))
            return "done"
        if cancelled is not None and cancelled():
            return "cancelled"
        if output.overflowed or output.line_error:
            return "flood" if output.overflowed else "done"
        if time.monotonic() >= deadline:
            return "time"


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the child's session; its leader's id stays ours until it has been reaped."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    else:  # the leader is reaped: only a group that still has members answers to this id
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


class _Output:
    """Drains both pipes on threads, so that a talkative child never blocks, and keeps a bounded part."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        on_line: Callable[[str], None] | None,
        on_block: Callable[[bytes], None] | None,
    ) -> None:
        self._on_line, self._on_block = on_line, on_block
        self.complaints = 0
        self._stdout = bytearray()
        self._stderr = bytearray()
        self.overflowed = False
        self.line_error: Exception | None = None
        self._threads = [
            threading.Thread(target=drain, args=(pipe,), daemon=True)
            for drain, pipe in ((self._drain_stdout, process.stdout), (self._drain_stderr, process.stderr))
            if pipe is not None
        ]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        for thread in self._threads:
            thread.join(timeout=5)

    def stdout(self) -> bytes:
        return bytes(self._stdout)

    def stderr_tail(self) -> str:
        """The end of the messages without addresses: they name the loopback reader, or where a file points."""
        return _ADDRESS.sub("(address)", self._stderr[-STDERR_TAIL:].decode("utf-8", "replace"))

    def _drain_stdout(self, pipe: IO[bytes]) -> None:
        with pipe:
            if self._on_line is None:
                for block in _blocks(pipe):
                    if self._on_block is not None:
                        self._hand_over(self._on_block, block)
                    elif len(self._stdout) + len(block) > STDOUT_LIMIT:
                        self.overflowed = True
                    else:
                        self._stdout += block
                return
            for line in iter(lambda: pipe.readline(1 << 16), b""):
                self._hand_over(self._on_line, line.decode("utf-8", "replace").rstrip("\r\n"))

    def _hand_over(self, taker: Callable[[T], None], output: T) -> None:
        if self.line_error is None:
            try:
                taker(output)
            except Exception as error:  # raised again by run_untrusted, on the caller's thread
                self.line_error = error

    def _drain_stderr(self, pipe: IO[bytes]) -> None:
        with pipe:
            for block in _blocks(pipe):
                self.complaints += block.count(b"\n")
                self._stderr += block
                del self._stderr[: -2 * STDERR_TAIL]


def _blocks(pipe: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: os.read(pipe.fileno(), 1 << 16), b"")
