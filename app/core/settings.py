"""Every environment variable, typed and checked at boot.

One class a process: each demands only its own. `load` lists all faults at once. Secrets have no
defaults; nothing here looks at what kind of run it is.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from app.core.errors import ConfigurationError
from app.core.signing import KeyRing

Role = Literal[
    "uploader",
    "promoter",
    "gpu-writer",
    "preview-janitor",
    "edge-reader",
    "downloader",
    "fixity",
    "docs-writer",
    "backup-writer",
    "janitor",
    "records",
    "bootstrap",
]
Bucket = Literal["staging", "masters", "previews", "docs", "backups"]


class Credentials(BaseModel):
    """The key pair of one S3 role."""

    model_config = ConfigDict(frozen=True)
    access_key: str
    secret_key: SecretStr


def role_variables(role: Role) -> tuple[str, str]:
    """The two variables that hold a role's key pair."""
    name = role.upper().replace("-", "_")
    return f"S3_{name}_ACCESS_KEY", f"S3_{name}_SECRET_KEY"


def _url(value: object) -> object:
    if isinstance(value, str):
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must look like https://host or http://host:port")
        return value.rstrip("/")
    return value


def _words(value: object) -> object:
    return tuple(re.split(r"[,\s]+", value.strip())) if isinstance(value, str) and value.strip() else value or ()


def _keys(value: object) -> object:
    """`kid:secret,kid2:secret2` with secrets in base64url of at least 32 bytes, newest first."""
    if not isinstance(value, str):
        return value
    ring: dict[str, bytes] = {}
    for entry in filter(None, re.split(r"[,\s]+", value)):
        kid, _, secret = entry.partition(":")
        if not re.fullmatch(r"[a-z0-9]{1,8}", kid, re.ASCII):
            raise ValueError("each key is kid:secret, the kid 1 to 8 characters of [a-z0-9]")
        try:
            raw = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
        except (binascii.Error, ValueError):
            raise ValueError(f"the secret of key {kid} is not base64url") from None
        if len(raw) < 32:
            raise ValueError(f"the secret of key {kid} has fewer than 32 bytes")
        ring[kid] = raw
    return KeyRing(ring)


Url = Annotated[str, BeforeValidator(_url)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Keys = Annotated[KeyRing, BeforeValidator(_keys)]


def _either(*names: str) -> Any:
    return AliasChoices(*names)


class Settings(BaseModel):
    """What every process reads."""

    model_config = ConfigDict(
        alias_generator=str.upper,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
    )
    ROLES: ClassVar[tuple[Role, ...]] = ()

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"


class StorageSettings(Settings):
    """Where S3 is, and the key pairs of the roles that this process holds."""

    s3_endpoint: Url = Field(validation_alias=_either("S3_ENDPOINT", "WASABI_ENDPOINT"))
    s3_region: str = Field("us-east-1", validation_alias=_either("S3_REGION", "WASABI_REGION"))
    s3_bucket_staging: str = "staging"
    s3_bucket_masters: str = "masters"
    s3_bucket_previews: str = "previews"
    s3_bucket_docs: str = "docs"
    s3_bucket_backups: str = "backups"
    s3_checksums: Literal["when_supported", "when_required"] = "when_required"
    roles: Mapping[Role, Credentials] = Field(default_factory=dict)

    def bucket(self, name: Bucket) -> str:
        """The real name of one of the five buckets."""
        return str(getattr(self, f"s3_bucket_{name}"))


class DatabaseSettings(Settings):
    """PostgreSQL, and the Redis that carries messages."""

    database_url: SecretStr = Field(validation_alias=_either("DATABASE_URL", "POSTGRES_URL"))
    redis_url: SecretStr = Field(SecretStr("redis://127.0.0.1:6379/0"))

    @field_validator("database_url")
    @classmethod
    def _psycopg(cls, value: SecretStr) -> SecretStr:
        url = re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql+psycopg://", value.get_secret_value())
        if not url.startswith("postgresql+psycopg://"):
            raise ValueError("must begin with postgresql://")
        return SecretStr(url)


class MediaAddressSettings(Settings):
    """What it takes to make an edge address."""

    edge_signing_key: Keys
    edge_base_url: Url | None = None
    preview_ttl: int = Field(900, ge=60, le=6 * 3600)


class WebSettings(StorageSettings, DatabaseSettings, MediaAddressSettings):
    """`web`: pages and API."""

    ROLES = ("uploader", "downloader")

    secret_key: SecretStr = Field(min_length=32)
    s3_public_endpoint: Url | None = None
    public_url: Url | None = None
    trusted_hosts: Words = ()
    trusted_proxies: int = Field(0, ge=0, le=5)
    upload_max_bytes: int = Field(5 * 1024**4, gt=0)
    object_lock_default_days: int = Field(30, ge=1)
    metrics_token: SecretStr | None = None
    api_rate_per_minute: int = Field(1200, gt=0)
    control_key: SecretStr | None = Field(None, min_length=32)


class WorkerSettings(StorageSettings, DatabaseSettings):
    """`worker` and the jobs that `scheduler` sends to it."""

    ROLES = ("promoter", "gpu-writer", "docs-writer", "janitor", "preview-janitor", "backup-writer")

    secret_key: SecretStr = Field(min_length=32)
    object_lock_default_days: int = Field(30, ge=1)
    object_lock_mode: Literal["GOVERNANCE", "COMPLIANCE"] = "GOVERNANCE"
    preview_retention_days: int = Field(0, ge=0)
    queue_concurrency: int = Field(2, ge=1, le=256)
    gpu_device: str | None = None
    scratch_path: Path | None = None
    worker_metrics_port: int | None = None


class SchedulerSettings(DatabaseSettings):
    """`scheduler`: sends what is due."""


class ReleaseSettings(DatabaseSettings):
    """`release`: migrations."""


class EdgeSettings(StorageSettings):
    """`edge` beside the app: the guard and Caddy, which is the front door too where WEB_UPSTREAM is set."""

    ROLES = ("edge-reader",)

    edge_signing_key: Keys
    cache_path: Path
    cache_max_bytes: int = Field(20 * 1024**3, ge=64 * 1024**2)
    cache_min_free_bytes: int = Field(512 * 1024**2, ge=0)
    cache_ttl_days: int = Field(30, ge=1)
    run_path: Path
    edge_state_path: Path | None = None
    edge_listen: str | None = None
    edge_bind: str | None = None
    edge_tls: Literal["acme", "internal"] = "acme"
    edge_local_listen: str | None = None
    edge_base_url: Url | None = None
    public_url: Url | None = None
    trusted_hosts: Words = ()
    web_upstream: str | None = None
    s3_upstream: str | None = None
    port: int | None = Field(None, ge=1, le=65535)
    control_url: Url | None = None
    control_key: SecretStr | None = Field(None, min_length=32)
    #: Seconds without contact after which new scopes are refused; at most what is promised.
    control_cut_off: float = Field(60, ge=2, le=60)

    @model_validator(mode="after")
    def _control(self) -> EdgeSettings:
        if (self.control_url is None) != (self.control_key is None):
            raise ValueError("CONTROL_URL and CONTROL_KEY belong together, set both or neither")
        return self


S = TypeVar("S", bound=Settings)


def load(cls: type[S], environ: Mapping[str, str]) -> S:
    """Read one process's settings. Raises ConfigurationError with every fault of the environment.

    Empty variables count as not set, as platforms cannot unset one.
    """
    given = {name: value for name, value in environ.items() if value != ""}
    roles, faults = _roles(cls.ROLES, given)
    try:
        settings = cls.model_validate({**given, "ROLES": roles})
    except ValidationError as error:
        faults = [_sentence(fault) for fault in error.errors(include_url=False, include_input=False)] + faults
        raise ConfigurationError(faults) from None
    if faults:
        raise ConfigurationError(faults)
    return settings


def _roles(wanted: tuple[Role, ...], given: Mapping[str, str]) -> tuple[dict[Role, Credentials], list[str]]:
    found: dict[Role, Credentials] = {}
    faults = []
    for role in wanted:
        names = role_variables(role)
        missing = [name for name in names if name not in given]
        if missing:
            faults += [f"{name} is not set: the key pair of the S3 role {role}" for name in missing]
        else:
            found[role] = Credentials(access_key=given[names[0]], secret_key=SecretStr(given[names[1]]))
    return found, faults


def _sentence(fault: Mapping[str, Any]) -> str:
    name = str(fault["loc"][0]) if fault["loc"] else "the environment"
    if fault["type"] == "missing":
        return f"{name} is not set"
    return f"{name} is not usable: {str(fault['msg']).removeprefix('Value error, ')}"
