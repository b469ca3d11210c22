"""Identifiers: UUIDv7 keys (RFC 9562 5.7), which sort by the time they were made, and random names."""

from __future__ import annotations

import secrets
import string
import uuid

try:  # the standard library has it from 3.14 on
    from uuid import uuid7 as _uuid7  # type: ignore[attr-defined,unused-ignore]
except ImportError:
    from uuid6 import uuid7 as _uuid7

LOWER_ALPHANUMERIC = string.ascii_lowercase + string.digits


def new_id() -> uuid.UUID:
    """A new UUIDv7 as a plain `uuid.UUID`."""
    return uuid.UUID(int=_uuid7().int)


def random_name(length: int) -> str:
    """`length` random characters of [a-z0-9] (5.17 bits each)."""
    return "".join(secrets.choice(LOWER_ALPHANUMERIC) for _ in range(length))
