"""Sign browsers in and out."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Unauthenticated
from app.models import User, UserSession, utc_now
from app.workflows.end_access import end_sessions
from app.workflows.hold import hold


def begin_session(session: Session, user: User, user_agent: str) -> UserSession:
    """A new session of a person whose password, as `user` was read, or link was checked.

    Raises Unauthenticated when the password was changed or the account deactivated meanwhile: a session that
    begins then would outlive what ended all others.
    """
    checked = user.password_hash
    hold(session, user, shared=True)
    if user.password_hash != checked or user.deactivated_at is not None:
        raise Unauthenticated("sign_in", "This account has just changed. Sign in again.")
    visit = UserSession(user_id=user.id, user=user, last_seen_at=utc_now(), user_agent=user_agent[:300])
    session.add(visit)
    session.flush()
    _record(session, user, "session.begun", visit.id)
    return visit


def end_session(session: Session, visit: UserSession) -> None:
    """Sign one browser out; twice is harmless."""
    if visit.revoked_at is None:
        visit.revoked_at = utc_now()
        _record(session, visit.user, "session.ended", visit.id)


def end_all_sessions(session: Session, user: User) -> int:
    """Sign a person out everywhere. Returns how many browsers were signed in."""
    ended = end_sessions(session, user.id)
    _record(session, user, "session.all_ended", None, ended=ended)
    return ended


def _record(session: Session, user: User, action: str, visit_id: UUID | None, **data: int) -> None:
    audit.record(
        session,
        audit.Actor("user", user.id),
        action,
        organization_id=user.organization_id,
        target_kind="session",
        target_id=visit_id,
        data=data,
    )
