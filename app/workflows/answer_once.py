"""Give the answer of a call under an Idempotency-Key again, instead of doing it twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from psycopg.errors import LockNotAvailable
from sqlalchemy import CursorResult, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.core.errors import Conflict, Rejected
from app.models import IdempotencyKey, utc_now
from app.workflows.context import Context

#: How long an answer is kept.
KEPT = timedelta(hours=24)


@dataclass(frozen=True)
class Kept:
    """An answer that was given."""

    status: int
    answer: dict[str, Any]


def claim_key(session: Session, user_id: UUID, key: str, request_hash: str) -> Kept | None:
    """Claim a person's key in the caller's transaction; the answer, when the same call was answered already.

    With None the caller does its work, calls `keep_answer` and commits, all in this transaction: a call that fails
    leaves the key free, one that runs at the same time waits here for the end of the first. Raises Rejected
    (another request has used the key), Conflict (the first one takes longer than a lock may be waited for).
    """
    now = utc_now()
    fresh = {"request_hash": request_hash, "status": None, "response": None, "created_at": now}
    mine = (
        insert(IdempotencyKey)
        .values(user_id=user_id, key=key, **fresh)
        .on_conflict_do_update(
            index_elements=["user_id", "key"], set_=fresh, where=IdempotencyKey.created_at < now - KEPT
        )
        .returning(IdempotencyKey.key)
    )
    try:
        if session.execute(mine).scalar_one_or_none() is not None:
            return None
    except OperationalError as error:
        if isinstance(error.orig, LockNotAvailable):
            raise Conflict("still_running", "The first call with this key has not ended. Repeat it later.") from None
        raise
    row = session.execute(
        select(IdempotencyKey.request_hash, IdempotencyKey.status, IdempotencyKey.response).where(
            IdempotencyKey.user_id == user_id, IdempotencyKey.key == key
        )
    ).one()
    if row.request_hash != request_hash:
        raise Rejected(
            "idempotency_mismatch", "This Idempotency-Key was used for another request. Use a new one for each."
        )
    return Kept(row.status, row.response)


def keep_answer(session: Session, user_id: UUID, key: str, kept: Kept) -> None:
    """Store the answer beside what it tells of, in the transaction that has claimed the key."""
    row = session.get_one(IdempotencyKey, (user_id, key), populate_existing=True)
    row.status, row.response = kept.status, kept.answer


def forget_answers(context: Context) -> int:
    """Delete the answers that are older than KEPT; returns how many."""
    with context.unit_of_work() as session:
        done = session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < utc_now() - KEPT))
        return cast("CursorResult[Any]", done).rowcount
