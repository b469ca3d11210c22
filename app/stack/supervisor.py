"""Starts services, waits until each does its work, starts again what dies, stops in order.

One thread: the main one, as the kernel ties a child to the thread that forked it (processes.py). Everything
here is therefore a loop that looks at each child a few times a second.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.core.errors import Unavailable
from app.stack import logs, processes
from app.stack.lines import Lines
from app.stack.service import NotReady, Service

Report = Callable[[str], None]
_POLL = 0.1
_BACKOFF = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before the next start, by failures in a row
_STEADY = 60.0  # a service that lived this long starts from the beginning of the list again
_FIRST_TRIES = 5  # a service that never was ready is given up after so many ends


class Stopped(Exception):
    """Somebody asked us to stop while something was starting."""


@dataclass
class _Child:
    service: Service
    process: subprocess.Popen[bytes] | None = None
    since: float = 0.0
    again_at: float = 0.0
    failures: int = 0
    was_ready: bool = False


class Supervisor:
    """Keeps the services of one instance. `report` gets lines for people."""

    def __init__(self, *, instance: Path, log_folder: Path, record: Path, report: Report) -> None:
        self._instance = instance
        self._logs = log_folder
        self._record = record
        self._report = report
        self._children: dict[str, _Child] = {}
        self._asked = 0

    def ask_to_stop(self) -> None:
        """Safe in a signal handler. The second time nothing is waited for."""
        self._asked += 1

    def start(self, services: Sequence[Service]) -> None:
        """Spawn all of them; returns at once."""
        for service in services:
            child = self._children[service.name] = _Child(service)
            self._spawn(child)

    def await_ready(self, name: str) -> float:
        """Wait until the service does its work; seconds since it was first spawned.

        Raises Unavailable with the end of its log when it never does, Stopped when asked to stop.
        """
        child = self._children[name]
        begun, end = time.monotonic(), time.monotonic() + child.service.ready_within
        while True:
            self._tick()
            try:
                if child.process is None:
                    raise NotReady("it has ended")
                child.service.ready()
            except NotReady as reason:
                broken = self._broken() or (child if time.monotonic() > end else None)
                if broken is not None:
                    why = str(reason) if broken is child else "it ends again and again"
                    raise self._never(broken.service, why) from None
                time.sleep(0.03)
                continue
            child.was_ready = True
            return time.monotonic() - begun

    def _broken(self) -> _Child | None:
        """Whoever ended so often that waiting for anybody is in vain: the web, say, behind a front door."""
        return next((child for child in self._children.values() if child.failures >= _FIRST_TRIES), None)

    def run_once(self, service: Service, *, on_line: Report | None = None) -> str:
        """Run a program to its end while the others are kept alive; what it printed.

        Its standard error goes to its log; each line of its output to `on_line` as it comes. Raises
        Unavailable when it fails.
        """
        with logs.open_log(self._log(service)) as log:
            process = self._popen(service, stdout=subprocess.PIPE, stderr=log)
        assert process.stdout is not None  # noqa: S101 - asked for above
        reader = Lines(process.stdout.fileno(), on_line)
        try:
            while not reader.ended:
                self._tick()
                reader.read(_POLL)
            code = process.wait(timeout=service.patience)
        finally:
            process.stdout.close()
            if process.poll() is None:
                processes.kill_group(process.pid, signal.SIGKILL)
                process.wait()
        if code != 0:
            raise self._never(service, f"it ended with exit code {code}")
        return reader.text

    def run(self) -> None:
        """Keep everything alive until asked to stop."""
        next_rotation = time.monotonic()
        try:
            while True:
                self._tick()
                time.sleep(_POLL)
                if time.monotonic() > next_rotation:
                    logs.rotate(sorted(self._logs.glob("*.log")))
                    next_rotation = time.monotonic() + 15
        except Stopped:
            return

    def stop(self) -> None:
        """Stop all, tier by tier, each within its patience; a second request cuts that short."""
        before = self._asked
        children = list(self._children.values())
        for tier in sorted({child.service.tier for child in children}, reverse=True):
            self._stop([each for each in children if each.service.tier == tier], lambda: self._asked > before)
        self._children.clear()
        self._record.unlink(missing_ok=True)

    def pid(self, name: str) -> int | None:
        """The process of a service, None while it is being started again."""
        process = self._children[name].process
        return process.pid if process else None

    def service(self, name: str) -> Service | None:
        """The service of that name, if it was started."""
        child = self._children.get(name)
        return child.service if child else None

    def _tick(self) -> None:
        if self._asked:
            raise Stopped
        for child in self._children.values():
            if child.process is None:
                if time.monotonic() >= child.again_at:
                    self._spawn(child)
            elif (code := child.process.poll()) is not None:
                self._ended(child, code)

    def _ended(self, child: _Child, code: int) -> None:
        assert child.process is not None  # noqa: S101 - called for a child that has just ended
        processes.kill_group(child.process.pid, signal.SIGKILL)  # what it left in its session
        child.process = None
        child.failures = 1 if time.monotonic() - child.since > _STEADY else child.failures + 1
        wait = _BACKOFF[min(child.failures, len(_BACKOFF)) - 1]
        child.again_at = time.monotonic() + wait
        if child.was_ready:
            how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
            log = self._log(child.service)
            self._report(f"{child.service.title} ended {how} (log: {log}); it is started again in {wait:g} s")

    def _spawn(self, child: _Child) -> None:
        with logs.open_log(self._log(child.service)) as log:
            child.process = self._popen(child.service, stdout=log, stderr=log)
        child.since = time.monotonic()
        self._write_record()

    def _popen(self, service: Service, *, stdout: BinaryIO | int, stderr: BinaryIO | int) -> subprocess.Popen[bytes]:
        tie = processes.die_with_parent(service.death_signal)

        def before_exec() -> None:
            service.before_exec()
            tie()

        return subprocess.Popen(
            service.command,
            stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            env={**service.environment, processes.MARK: str(self._instance)}, cwd=service.folder,
            umask=0o077, start_new_session=True, preexec_fn=before_exec,  # noqa: PLW1509 - one thread
        )  # fmt: skip

    def _stop(self, children: list[_Child], hurried: Callable[[], bool]) -> None:
        begun = time.monotonic()
        running = [(child, child.process) for child in children if child.process is not None]
        for child, process in running:
            if process.poll() is None:
                process.send_signal(child.service.stop_signal)
        for child, process in running:
            end = begun + child.service.patience
            while process.poll() is None and time.monotonic() < end and not hurried():
                time.sleep(0.02)
            processes.kill_group(process.pid, signal.SIGKILL)
            process.wait()
            child.process = None

    def _write_record(self) -> None:
        running = [child for child in self._children.values() if child.process is not None]
        processes.record(
            self._record,
            [processes.mark(c.service.name, c.process.pid, c.service.stop_signal) for c in running if c.process],
        )

    def _log(self, service: Service) -> Path:
        return self._logs / f"{service.name}.log"

    def _never(self, service: Service, reason: str) -> Unavailable:
        path = self._log(service)
        return Unavailable(
            f"{service.name.replace('-', '_')}_not_ready",
            f"{service.title} did not start: {reason}.\n{logs.tail(path)}\n  The whole log: {path}",
        )
