"""One program that the supervisor keeps running, as data."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


def _nothing() -> None:
    """Nothing to do."""


@dataclass(frozen=True)
class Service:
    """What to run and how it lives and dies.

    `ready` does what its users do and raises `NotReady` until that works. `stop_signal` asks it to end
    within `patience` seconds; `death_signal` is what the kernel sends it when the supervisor is gone.
    `before_exec` runs in the child before exec. Higher tiers use lower ones and are stopped before them.
    """

    name: str
    title: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    ready: Callable[[], None] = _nothing
    ready_within: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    patience: float = 10.0
    death_signal: signal.Signals = signal.SIGKILL
    before_exec: Callable[[], None] = field(default=_nothing)
    tier: int = 0


class NotReady(Exception):
    """Raised by `Service.ready`: not yet, ask again."""
