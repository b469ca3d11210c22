"""What each process is told: only what its own settings declare.

The settings classes name the variables (and the S3 roles) of each process; everything else stays away from
it. The bootstrap key is in no class but the supervisor's own, so it reaches no child.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import AliasChoices

from app.core.errors import ConfigurationError
from app.core.settings import (
    EdgeSettings,
    ReleaseSettings,
    SchedulerSettings,
    Settings,
    WebSettings,
    WorkerSettings,
    load,
    role_variables,
)

#: Process type → its settings, and what the programs that serve it read besides them.
PROCESSES: Mapping[str, tuple[type[Settings], tuple[str, ...]]] = {
    "release": (ReleaseSettings, ()),
    "setup": (ReleaseSettings, ()),
    "web": (WebSettings, ("WEB_BIND", "WEB_CONCURRENCY")),
    "worker": (WorkerSettings, ()),
    "scheduler": (SchedulerSettings, ()),
    "edge": (EdgeSettings, ()),
}
#: Of the machine, for every process.
_MACHINE = (
    "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "SSL_CERT_FILE",
    "SSL_CERT_DIR", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy",
    "https_proxy",
)  # fmt: skip
_LOOPBACK = "localhost,127.0.0.1,::1"


def variables(cls: type[Settings]) -> set[str]:
    """Every environment variable that a settings class reads."""
    names: set[str] = set()
    for name, field in cls.model_fields.items():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            names.update(str(choice) for choice in alias.choices)
        else:
            names.add(str(alias) if alias else name.upper())
    names.discard("ROLES")
    return names.union(*(role_variables(role) for role in cls.ROLES))


def of_process(name: str, values: Mapping[str, str], given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of one process type out of all `values`; the machine's part comes from `given`."""
    cls, more = PROCESSES[name]
    return {**of_machine(given), **only(values, variables(cls) | set(more))}


def faults(values: Mapping[str, str]) -> list[str]:
    """What is wrong with the values of any process, each fault once, in the order of the processes."""
    found: dict[str, None] = {}
    for cls, _ in PROCESSES.values():
        try:
            load(cls, values)
        except ConfigurationError as error:
            found |= dict.fromkeys(error.faults)
    return list(found)


def only(values: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """The values with these names."""
    wanted = set(names)
    return {name: value for name, value in values.items() if name in wanted}


def of_machine(given: Mapping[str, str]) -> dict[str, str]:
    """Path, language, certificates, proxies: our own programs first, loopback never through a proxy."""
    path = os.pathsep.join((str(Path(sys.executable).parent), given.get("PATH") or os.defpath))
    machine = {name: given[name] for name in _MACHINE if given.get(name)}
    no_proxy = ",".join(filter(None, (given.get("NO_PROXY") or given.get("no_proxy"), _LOOPBACK)))
    return {
        "LANG": "C.UTF-8", **machine, "PATH": path, "NO_PROXY": no_proxy, "no_proxy": no_proxy,
        "PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
