"""The operator makes an account, or gives one a new password, without a link."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Conflict, Rejected
from app.core.names import clean_name
from app.core.passwords import check_new_password, hash_password
from app.core.policy import ORGANIZATION_ACTIONS, Principal
from app.models import User
from app.workflows.end_access import end_sessions, hold_user
from app.workflows.invite_person import clean_email


def add_user(session: Session, principal: Principal, *, email: str, name: str, role: str, password: str) -> User:
    """Make a person of the principal's organisation, where the caller has checked `people.manage`.

    Raises Rejected (address, name, role, password) or Conflict (the address has an account).
    """
    email = clean_email(email)
    if role not in ORGANIZATION_ACTIONS:
        raise Rejected("unknown_role", "Choose member or admin.", fields={"role": "Choose member or admin."})
    check_new_password(password)
    if session.scalar(select(User.id).where(func.lower(User.email) == email)) is not None:
        raise Conflict("address_taken", f"There is an account with the address {email} already.")
    user = User(
        organization_id=principal.organization_id,
        email=email,
        name=clean_name(name, "account"),
        role=role,
        password_hash=hash_password(password),
    )
    session.add(user)
    session.flush()
    _record(session, principal, user, "person.added", role=role)
    return user


def set_password(session: Session, principal: Principal, user: User, password: str) -> int:
    """Give a person a new password and sign them out everywhere; returns of how many browsers. Raises Rejected."""
    check_new_password(password)
    hold_user(session, user.id)
    user.password_hash = hash_password(password)
    ended = end_sessions(session, user.id)
    _record(session, principal, user, "password.set", sessionsEnded=ended)
    return ended


def _record(session: Session, principal: Principal, user: User, action: str, **data: str | int) -> None:
    audit.record(
        session,
        principal.actor,
        action,
        organization_id=user.organization_id,
        target_kind="user",
        target_id=user.id,
        data=data,
    )
