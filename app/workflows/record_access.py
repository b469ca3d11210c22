"""What guests do by a share, for its owner and for the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import audit
from app.models import Asset, Guest, Share, ShareAccess, utc_now

#: What is done again and again by a page that stays open makes one row in this time.
AGAIN_AFTER = timedelta(minutes=15)
#: Comments have an activity of their own (app.workflows.post_comment).
_TOLD_ELSEWHERE = frozenset({"commented", "comment_deleted"})
LONGEST_AGENT = 300


@dataclass(frozen=True)
class Caller:
    """From where a request comes: the address that the trusted proxy names, and the browser's words."""

    ip: str
    user_agent: str


def record_access(
    session: Session,
    share: Share,
    guest: Guest | None,
    what: str,
    caller: Caller,
    *,
    asset_id: UUID | None = None,
    data: dict[str, Any] | None = None,
    once: bool = False,
) -> None:
    """Write one access and its activity, in the transaction of the act.

    `what` is opened, refused (wrong password), listed, viewed, commented, comment_deleted, proxy_downloaded or
    master_downloaded. With `once`, the same by the same guest within a quarter of an hour writes nothing.
    """
    if once and guest is not None and _lately(session, share, guest, what, asset_id):
        return
    agent = caller.user_agent[:LONGEST_AGENT]
    session.add(
        ShareAccess(
            share_id=share.id,
            guest_id=guest.id if guest else None,
            what=what,
            asset_id=asset_id,
            ip=caller.ip,
            user_agent=agent,
            data=data or {},
        )
    )
    if what in _TOLD_ELSEWHERE:
        return
    audit.record(
        session,
        audit.Actor("guest", guest.id if guest else None),
        f"share.{what}",
        organization_id=share.organization_id,
        project_id=share.project_id,
        target_kind="share",
        target_id=share.id,
        data={"assetId": str(asset_id)} if asset_id else {},
        people={"ip": caller.ip, "userAgent": agent},
    )


def _lately(session: Session, share: Share, guest: Guest, what: str, asset_id: UUID | None) -> bool:
    found = session.scalars(
        select(ShareAccess.id)
        .where(
            ShareAccess.share_id == share.id,
            ShareAccess.created_at > utc_now() - AGAIN_AFTER,
            ShareAccess.guest_id == guest.id,
            ShareAccess.what == what,
            ShareAccess.asset_id.is_not_distinct_from(asset_id),
        )
        .limit(1)
    ).first()
    return found is not None


@dataclass(frozen=True)
class Access:
    """One access, with the names that it is shown by."""

    row: ShareAccess
    guest: str | None
    title: str | None


def list_accesses(session: Session, share: Share, *, limit: int = 100) -> Sequence[Access]:
    """The latest accesses by a share, newest first."""
    rows = session.execute(
        select(ShareAccess, Guest.name, Asset.title)
        .outerjoin(Guest, Guest.id == ShareAccess.guest_id)
        .outerjoin(Asset, Asset.id == ShareAccess.asset_id)
        .where(ShareAccess.share_id == share.id)
        .order_by(ShareAccess.created_at.desc(), ShareAccess.id.desc())
        .limit(limit)
    )
    return [Access(row, guest, title) for row, guest, title in rows]
