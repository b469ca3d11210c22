"""Shut a person out, and let them in again."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.core import audit
from app.core.policy import Principal
from app.models import User, utc_now
from app.workflows.change_role import keep_an_admin
from app.workflows.end_access import end_media, end_sessions, end_tokens, hold_user


def deactivate_user(session: Session, principal: Principal, user: User) -> None:
    """End a person's sessions, tokens and signed addresses, and let no new ones be made.

    The caller has checked `people.manage`. What the person said and sent stays, and so do their roles in
    projects. Raises Conflict for the last admin.
    """
    keep_an_admin(session, user)
    hold_user(session, user.id)
    if user.deactivated_at is not None:
        return
    user.deactivated_at = utc_now()
    sessions, tokens = end_sessions(session, user.id), end_tokens(session, user.id)
    _record(session, principal, user, "person.deactivated", sessions=sessions, tokens=tokens)
    end_media(session, user.id)


def reactivate_user(session: Session, principal: Principal, user: User) -> None:
    """Let a person sign in again, in the roles that they had. Sessions and tokens stay ended."""
    hold_user(session, user.id)
    if user.deactivated_at is None:
        return
    user.deactivated_at = None
    # What was begun while the door was being shut must not come alive now.
    end_sessions(session, user.id)
    end_tokens(session, user.id)
    _record(session, principal, user, "person.reactivated")


def _record(session: Session, principal: Principal, user: User, action: str, **data: int) -> None:
    audit.record(
        session,
        principal.actor,
        action,
        organization_id=user.organization_id,
        target_kind="user",
        target_id=user.id,
        data=data,
    )
