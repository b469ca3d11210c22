"""Make a member of the organisation its admin, or an admin a member."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Conflict, Rejected
from app.core.policy import ORGANIZATION_ACTIONS, Principal
from app.models import User
from app.workflows.end_access import end_media, hold_user


def change_role(session: Session, principal: Principal, user: User, role: str) -> None:
    """Give a person another role in the organisation, where the caller has checked `people.manage`.

    Signed addresses of the person die; those that the new role still allows are made anew. Raises Rejected
    (no such role) or Conflict (the last admin stays one).
    """
    if role not in ORGANIZATION_ACTIONS:
        raise Rejected("unknown_role", "Choose member or admin.", fields={"role": "Choose member or admin."})
    if role != "admin":
        keep_an_admin(session, user)
    hold_user(session, user.id)
    if user.role == role:
        return
    before, user.role = user.role, role
    audit.record(
        session,
        principal.actor,
        "person.role_changed",
        organization_id=user.organization_id,
        target_kind="user",
        target_id=user.id,
        data={"from": before, "to": role},
    )
    end_media(session, user.id)


def keep_an_admin(session: Session, user: User) -> None:
    """Raise Conflict when nobody but `user` is an active admin. Locks the admins, so that two cannot both leave."""
    admins: list[UUID] = list(
        session.scalars(
            select(User.id)
            .where(User.organization_id == user.organization_id, User.role == "admin", User.deactivated_at.is_(None))
            .order_by(User.id)
            .with_for_update()
        )
    )
    if admins == [user.id]:
        raise Conflict("last_admin", f"{user.name} is the only admin. Make somebody else an admin first.")
