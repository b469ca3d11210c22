"""The Procfile: what a platform runs, and the supervisor too."""

from __future__ import annotations

import re
from pathlib import Path

from app.core.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
_LINE = re.compile(r"(?P<name>[A-Za-z0-9_-]+):\s*(?P<command>\S.*)")


def read(path: Path = ROOT / "Procfile") -> dict[str, str]:
    """The command line of each process type. Raises ConfigurationError for a line that is not one."""
    commands = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if not match:
            raise ConfigurationError([f"{path}:{number} is not `name: command`"])
        commands[match["name"]] = match["command"]
    return commands


def argv(command: str) -> tuple[str, ...]:
    """How to run it: by a shell, as platforms do, that the program replaces, so that signals reach it."""
    return ("/bin/sh", "-c", f"exec {command}")
