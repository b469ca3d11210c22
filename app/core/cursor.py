"""Cursors of lists: where a page ended, as an opaque word that fits into an address."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from uuid import UUID

from app.core.errors import Rejected

_MOST = 2**31 - 1


def encode(place: datetime | int, key: UUID) -> str:
    """The cursor behind the row `key` at `place`: its time of creation, or its frame."""
    text = place.isoformat() if isinstance(place, datetime) else str(place)
    return base64.urlsafe_b64encode(f"{text}|{key}".encode()).rstrip(b"=").decode()


def decode_moment(cursor: str) -> tuple[datetime, UUID]:
    """Time and key. Raises Rejected for what `encode` has not made."""
    text, key = _open(cursor)
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _bad() from None
    return moment, key


def decode_frame(cursor: str) -> tuple[int, UUID]:
    """Frame and key. Raises Rejected for what `encode` has not made."""
    text, key = _open(cursor)
    if not (text.isascii() and text.isdigit() and len(text) <= 10) or int(text) > _MOST:
        raise _bad()
    return int(text), key


def _open(cursor: str) -> tuple[str, UUID]:
    try:
        text, _, key = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii").partition("|")
        return text, UUID(key)
    except (binascii.Error, ValueError):
        raise _bad() from None


def _bad() -> Rejected:
    return Rejected(
        "bad_cursor", "This cursor is not one of ours. Begin without one.", fields={"cursor": "is not one of ours"}
    )
