"""What a person has in hand is taken away: sessions, tokens, signed addresses of media."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.models import ApiToken, MediaScope, User, UserSession, utc_now
from app.workflows.deny_scope import deny_scopes


def hold_user(session: Session, user_id: UUID) -> User:
    """The person's row, locked, so that no signed address is made for them while their rights change."""
    return session.scalars(
        select(User).where(User.id == user_id).with_for_update().execution_options(populate_existing=True)
    ).one()


def end_sessions(session: Session, user_id: UUID, *, but: UUID | None = None) -> int:
    """Sign every browser of a person out, but that of the session `but`. Returns how many were signed in."""
    ended = session.execute(
        update(UserSession)
        .where(UserSession.user_id == user_id, UserSession.revoked_at.is_(None), UserSession.id.is_distinct_from(but))
        .values(revoked_at=utc_now())
        .execution_options(synchronize_session="fetch")
        .returning(UserSession.id)
    )
    return len(ended.all())


def end_tokens(session: Session, user_id: UUID) -> int:
    """Revoke every API token of a person. Returns how many there were."""
    ended = session.execute(
        update(ApiToken)
        .where(ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=utc_now())
        .execution_options(synchronize_session="fetch")
        .returning(ApiToken.id)
    )
    return len(ended.all())


def end_media(session: Session, user_id: UUID, *, project_id: UUID | None = None) -> None:
    """Let the signed addresses of a person die, in one project or in all.

    The caller holds the person's row (`hold_user`) and calls this last (`deny_scopes`). Who may still watch is
    given a new handle when next asked.
    """
    handles = select(MediaScope.handle).where(MediaScope.user_id == user_id, MediaScope.denied_at.is_(None))
    if project_id is not None:
        handles = handles.where(MediaScope.project_id == project_id)
    deny_scopes(session, session.scalars(handles).all())
