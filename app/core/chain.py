"""The arithmetic of the sealed activity log: what exactly is hashed. No database, no storage.

    hash of row n = SHA-256( hash of row n-1, as 64 ASCII hex digits ‖ canonical form of row n ), in hex
    hash of row 0 = 64 times "0"

The canonical form is JSON in UTF-8 as RFC 8785 has it: names sorted, no spaces, nothing escaped but what JSON
demands. One difference: a number is written as Python writes it (`json.dumps`), so rows should hold no
fractions; none of ours do. The members of a row are listed in `canonical_row`; moments are UTC with six digits
of microseconds, ids are lower-case with hyphens, what is not there is null.

Personal fields are hashed apart: people_digest = SHA-256( salt, as ASCII hex digits ‖ canonical form of the
fields ). The chain holds that digest alone, so the fields and their salt may be erased without breaking it,
and nobody can guess them from the digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any
from uuid import UUID

from app.models.activity import Activity

#: What stands before the first row.
ORIGIN = "0" * 64


def canonical(value: object) -> bytes:
    """JSON in one form: sorted names, no spaces, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def canonical_row(row: Activity, sequence: int) -> bytes:
    """What is hashed of an activity that stands at `sequence` (from 1)."""
    return canonical(
        {
            "action": row.action,
            "actorId": _id(row.actor_id),
            "actorKind": row.actor_kind,
            "createdAt": row.created_at.astimezone(UTC).isoformat(timespec="microseconds"),
            "data": row.data,
            "id": _id(row.id),
            "organizationId": _id(row.organization_id),
            "peopleDigest": row.people_digest,
            "projectId": _id(row.project_id),
            "sequence": sequence,
            "targetId": _id(row.target_id),
            "targetKind": row.target_kind,
        }
    )


def link(previous: str, row: Activity, sequence: int) -> str:
    """The hash (64 hex digits) of `row` at `sequence`, after the row whose hash is `previous`."""
    return hashlib.sha256(previous.encode("ascii") + canonical_row(row, sequence)).hexdigest()


def people_digest(salt: str, fields: Mapping[str, Any]) -> str:
    """The digest (64 hex digits) by which the chain holds personal fields."""
    return hashlib.sha256(salt.encode("ascii") + canonical(dict(fields))).hexdigest()


def _id(key: UUID | None) -> str | None:
    return str(key) if key is not None else None
