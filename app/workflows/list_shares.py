"""The shares of a project with what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, selectinload

from app.core.policy import Principal
from app.models import Guest, Share, ShareAccess, utc_now
from app.workflows.find import visible_to

State = Literal["open", "expired", "revoked"]


@dataclass(frozen=True)
class ShareRow:
    """A share with its numbers. `guests` are names, the latest first."""

    share: Share
    visits: int
    last_at: datetime | None
    guests: list[str]

    @property
    def state(self) -> State:
        """open, expired or revoked."""
        return state_of(self.share)


def state_of(share: Share) -> State:
    """open, expired or revoked."""
    if share.revoked_at is not None:
        return "revoked"
    if share.expires_at is not None and share.expires_at <= utc_now():
        return "expired"
    return "open"


def list_shares(
    session: Session, principal: Principal, *, project_id: UUID | None = None, limit: int = 500
) -> list[ShareRow]:
    """Shares of a project, or of all that the principal may see, newest first. The caller has checked `share.view`."""
    query = (
        select(Share)
        .join(Share.project)
        .where(visible_to(principal))
        .options(selectinload(Share.assets))
        .order_by(Share.created_at.desc(), Share.id.desc())
        .limit(limit)
    )
    if project_id is not None:
        query = query.where(Share.project_id == project_id)
    return rows_of(session, session.scalars(query).all())


def rows_of(session: Session, shares: Sequence[Share]) -> list[ShareRow]:
    """These shares with their numbers."""
    keys = [share.id for share in shares]
    numbers = {row.share_id: row for row in session.execute(_numbers(keys))} if keys else {}
    names = {row.share_id: row.names for row in session.execute(_names(keys))} if keys else {}
    return [
        ShareRow(
            share,
            numbers[share.id].visits if share.id in numbers else 0,
            numbers[share.id].last_at if share.id in numbers else None,
            list(dict.fromkeys(names.get(share.id, ()))),
        )
        for share in shares
    ]


def _numbers(keys: Sequence[UUID]) -> Select[UUID, int, datetime]:
    return (
        select(
            ShareAccess.share_id,
            func.count().filter(ShareAccess.what == "opened").label("visits"),
            func.max(ShareAccess.created_at).filter(ShareAccess.what != "refused").label("last_at"),
        )
        .where(ShareAccess.share_id.in_(keys))
        .group_by(ShareAccess.share_id)
    )


def _names(keys: Sequence[UUID]) -> Select[UUID, Sequence[str]]:
    newest = aggregate_order_by(Guest.name, Guest.created_at.desc())
    return (
        select(Guest.share_id, func.array_agg(newest).label("names"))
        .where(Guest.share_id.in_(keys))
        .group_by(Guest.share_id)
    )
