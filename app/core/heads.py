"""Heads of the activity logs as they lie in docs: under Object Lock, out of reach of who can change the database.

A head stands for every row up to it, so the last one proves the whole log; each names the one before, so that
a log that was rewritten can be followed back to where it was still right.

    {"format": "rushes-audit-head/1", "organizationId", "sequence", "hash", "publishedAt",
     "previous": {"sequence", "hash"} or null, "lock": {"mode", "until"} or null}

Weakness: who holds the key pair of docs-writer may replace the copy `latest.json`; the locked objects beside it
stay, and `rushes audit verify --head` compares with a head that was noted elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from botocore.exceptions import ClientError

from app.core import keys
from app.core.storage import Missing, Storage, translated
from app.models.base import utc_now

FORMAT = "rushes-audit-head/1"
#: What S3s say to a lock on a bucket that was made without.
_NO_LOCK = ("InvalidRequest", "ObjectLockConfigurationNotFoundError")


@dataclass(frozen=True)
class Head:
    """The last row of a chain: its place (from 1), and the hash that stands for all up to it."""

    sequence: int
    hash: str


@dataclass(frozen=True)
class LockFor:
    """How a head is locked: for `days` from now."""

    mode: Literal["GOVERNANCE", "COMPLIANCE"]
    days: int

    def until(self) -> datetime:
        """The end of a lock that begins now."""
        return (utc_now() + timedelta(days=self.days)).replace(microsecond=0)


@dataclass(frozen=True)
class Published:
    """A head in docs. `lock_mode` and `locked_until` are None where docs has no Object Lock."""

    sequence: int
    hash: str
    at: datetime
    previous: Head | None
    lock_mode: str | None
    locked_until: datetime | None

    def to_json(self, organization_id: UUID) -> dict[str, Any]:
        """The document."""
        before, until = self.previous, self.locked_until
        return {
            "format": FORMAT,
            "organizationId": str(organization_id),
            "sequence": self.sequence,
            "hash": self.hash,
            "publishedAt": self.at.isoformat(timespec="seconds"),
            "previous": {"sequence": before.sequence, "hash": before.hash} if before else None,
            "lock": {"mode": self.lock_mode, "until": until.isoformat()} if until else None,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Published:
        """The head that a document tells of."""
        before, lock = document["previous"], document["lock"] or {}
        return cls(
            sequence=document["sequence"],
            hash=document["hash"],
            at=datetime.fromisoformat(document["publishedAt"]),
            previous=Head(before["sequence"], before["hash"]) if before else None,
            lock_mode=lock.get("mode"),
            locked_until=datetime.fromisoformat(lock["until"]) if lock else None,
        )


def read(storage: Storage, organization_id: UUID, sequence: int | None = None) -> Published | None:
    """The head that was published last, or the one at `sequence`; None when there is none. Raises Unavailable."""
    key = keys.audit_latest(organization_id) if sequence is None else keys.audit_head(organization_id, sequence)
    try:
        with translated("reading a head of the activity log"):
            answer = storage["docs-writer"].get_object(Bucket=storage.bucket("docs"), Key=key)
            return Published.from_json(json.loads(answer["Body"].read()))
    except Missing:
        return None


def write_once(storage: Storage, organization_id: UUID, head: Published, lock: LockFor) -> Published:
    """Put a head under its own key, locked; returns it with its lock, None where the bucket was made without.

    Raises Changed when that key is there already, Unavailable.
    """
    key = keys.audit_head(organization_id, head.sequence)
    locked = replace(head, lock_mode=lock.mode, locked_until=lock.until())
    try:
        _put(
            storage, key, locked.to_json(organization_id), IfNoneMatch="*",
            ObjectLockMode=lock.mode, ObjectLockRetainUntilDate=locked.locked_until,
        )  # fmt: skip
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in _NO_LOCK:
            raise
        _put(storage, key, head.to_json(organization_id), IfNoneMatch="*")
        return head
    return locked


def write_latest(storage: Storage, organization_id: UUID, head: Published) -> None:
    """Replace the copy that is found without listing. Raises Unavailable."""
    _put(storage, keys.audit_latest(organization_id), head.to_json(organization_id))


def extend(storage: Storage, organization_id: UUID, head: Published, lock: LockFor) -> Published:
    """Lock a head for longer; returns it with its new lock. Raises Unavailable."""
    until = lock.until()
    with translated("extending the lock of a head"):
        storage["docs-writer"].put_object_retention(
            Bucket=storage.bucket("docs"),
            Key=keys.audit_head(organization_id, head.sequence),
            Retention={"Mode": lock.mode, "RetainUntilDate": until},
        )
    return replace(head, lock_mode=lock.mode, locked_until=until)


def _put(storage: Storage, key: str, document: dict[str, Any], **more: Any) -> None:
    body = json.dumps(document, sort_keys=True, indent=1).encode()
    with translated("writing a head of the activity log"):
        storage["docs-writer"].put_object(
            Bucket=storage.bucket("docs"),
            Key=key,
            Body=body,
            ContentType="application/json",
            ChecksumSHA256=base64.b64encode(hashlib.sha256(body).digest()).decode(),  # S3 asks for one beside a lock
            **more,
        )
