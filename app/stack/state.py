"""What an instance remembers between two starts: `instance/state.json`, mode 0600.

Ports, passwords, the key pairs of the S3 roles, the web's secret and the edge's signing key. Nothing in
it is ever changed by a start but ports that somebody else has taken; what a newer release needs is added.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, Field, ValidationError

from app.core.errors import ConfigurationError
from app.core.settings import Role
from app.stack.files import write_private

ROLES: tuple[Role, ...] = get_args(Role)
JWT_NAMES = ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")
#: Reserved for documentation (RFC 2606 section 3), so that no mail ever leaves for it.
ADMIN_EMAIL = "admin@rushes.example"


def _password() -> str:
    return secrets.token_urlsafe(24)


def _signing_key() -> str:
    return "k1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")


def _each(names: tuple[str, ...], make: Callable[[str], Any]) -> Callable[[], dict[str, Any]]:
    return lambda: {name: make(name) for name in names}


def _key_pair(role: str) -> tuple[str, str]:
    return role.replace("-", "") + secrets.token_hex(6), secrets.token_urlsafe(30)


class State(BaseModel):
    """The fields of state.json. Missing ones get fresh values when it is read."""

    version: int = 1
    ports: dict[str, int] = Field(default_factory=dict)
    postgres_password: str = Field(default_factory=_password)
    redis_password: str = Field(default_factory=_password)
    secret_key: str = Field(default_factory=lambda: secrets.token_urlsafe(48))
    edge_signing_key: str = Field(default_factory=_signing_key)
    control_key: str = Field(default_factory=lambda: secrets.token_urlsafe(32))
    storage_jwt: dict[str, str] = Field(default_factory=_each(JWT_NAMES, lambda _: secrets.token_urlsafe(32)))
    roles: dict[str, tuple[str, str]] = Field(default_factory=_each(ROLES, _key_pair))
    run_path: str | None = None
    storage_prepared: bool = False
    admin_email: str = ADMIN_EMAIL
    admin_password: str = Field(default_factory=lambda: secrets.token_urlsafe(12))
    api_token: str | None = None
    project_id: str | None = None
    demo_asset_id: str | None = None
    demo_done: bool = False

    def save(self, path: Path) -> None:
        """Write it whole, mode 0600."""
        write_private(path, self.model_dump_json(indent=1))


def load(path: Path) -> State:
    """The state at `path`, completed and saved; a fresh one if there is none.

    Raises ConfigurationError when the file cannot be understood: its secrets cannot be made again.
    """
    try:
        state = State.model_validate(json.loads(path.read_text())) if path.exists() else State()
    except (ValueError, ValidationError):
        raise ConfigurationError(
            [f"{path} cannot be read by this release; restore it from a backup, as its keys open the data"]
        ) from None
    for role in ROLES:  # a release that adds a role
        state.roles.setdefault(role, _key_pair(role))
    state.save(path)
    return state
