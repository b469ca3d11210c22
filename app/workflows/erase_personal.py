"""Erase personal fields of activities: of one person, or all that are older than a moment. The chain stays whole."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Rejected
from app.models import Activity, ActivityPeople


def erase_personal(
    session: Session,
    actor: audit.Actor,
    organization_id: UUID,
    *,
    of: UUID | None = None,
    before: datetime | None = None,
) -> int:
    """Delete addresses, user agents and what was watched; returns of how many activities.

    `of` is the person or guest who acted, `before` limits to older activities. Raises Rejected without either.
    """
    if of is None and before is None:
        raise Rejected("erase_what", "Say whose personal fields shall go, or before which day.")
    which = select(Activity.id).where(Activity.organization_id == organization_id)
    if of is not None:
        which = which.where(Activity.actor_id == of)
    if before is not None:
        which = which.where(Activity.created_at < before)
    count = session.scalar(
        select(func.count()).select_from(ActivityPeople).where(ActivityPeople.activity_id.in_(which))
    )
    session.execute(delete(ActivityPeople).where(ActivityPeople.activity_id.in_(which)))
    audit.record(
        session,
        actor,
        "personal.erased",
        organization_id=organization_id,
        target_kind="user" if of else "organization",
        target_id=of or organization_id,
        data={"activities": count or 0, "before": before.isoformat() if before else None},
    )
    return count or 0
