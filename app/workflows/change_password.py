"""Change one's own password and name."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Conflict, Rejected
from app.core.names import clean_name
from app.core.passwords import check_new_password, hash_password, password_matches
from app.models import User
from app.workflows.end_access import end_sessions, hold_user


def change_password(
    session: Session,
    user: User,
    *,
    present: str,
    new: str,
    visit_id: UUID,
    matches: Callable[[str | None, str], bool] = password_matches,
    hasher: Callable[[str], str] = hash_password,
) -> int:
    """Replace the password and sign every other browser out; the session `visit_id` goes on.

    Returns how many sessions ended. Raises Rejected (wrong present password, new one too short or the same)
    or Conflict (changed elsewhere meanwhile).
    """
    checked = user.password_hash
    if not matches(checked, present):
        sentence = "This is not your present password."
        raise Rejected("wrong_password", sentence, fields={"present": sentence})
    check_new_password(new, field="new")
    if new == present:
        sentence = "This is the password that you have now. Choose another one."
        raise Rejected("same_password", sentence, fields={"new": sentence})
    hashed = hasher(new)
    if hold_user(session, user.id).password_hash != checked:
        raise Conflict("password_changed", "Your password was changed elsewhere just now. Reload and sign in again.")
    user.password_hash = hashed
    ended = end_sessions(session, user.id, but=visit_id)
    _record(session, user, "password.changed", sessionsEnded=ended)
    return ended


def rename_user(session: Session, user: User, name: str) -> None:
    """Change one's own name. Raises Rejected."""
    user.name = clean_name(name, "account")
    _record(session, user, "person.renamed")


def _record(session: Session, user: User, action: str, **data: int) -> None:
    audit.record(
        session,
        audit.Actor("user", user.id),
        action,
        organization_id=user.organization_id,
        target_kind="user",
        target_id=user.id,
        data=data,
    )
