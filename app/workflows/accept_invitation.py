"""Join by a one-use link."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Conflict, NotFound
from app.core.names import clean_name
from app.core.passwords import check_new_password, hash_password, hash_token
from app.models import Invitation, Membership, User, utc_now

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
#: Unknown, used, revoked and expired look alike.
_CLOSED = NotFound(
    "invitation_closed",
    "This invitation was used, taken back or has expired. Ask the person who sent it for a new one.",
)


def open_invitation(session: Session, token: str) -> Invitation:
    """The invitation behind a link that still works. Raises NotFound."""
    if not _TOKEN.fullmatch(token):
        raise _CLOSED
    invitation = session.scalars(
        select(Invitation).where(Invitation.token_hash == hash_token(token), *_usable())
    ).one_or_none()
    if invitation is None:
        raise _CLOSED
    return invitation


def accept_invitation(
    session: Session, token: str, *, name: str, password: str, hasher: Callable[[str], str] = hash_password
) -> User:
    """Make the account, use the link up, and return the person; of two who race, one wins.

    Raises NotFound (the link is closed), Rejected (name, password) or Conflict (the address has an account).
    """
    invitation = open_invitation(session, token)
    name = clean_name(name, "account")
    check_new_password(password)
    password_hash = hasher(password)
    taken = session.execute(
        update(Invitation)
        .where(Invitation.id == invitation.id, *_usable())
        .values(accepted_at=utc_now())
        .execution_options(synchronize_session=False)
        .returning(Invitation.id)
    ).scalar_one_or_none()
    if taken is None:
        raise _CLOSED
    user = _join(session, invitation, name, password_hash)
    invitation.accepted_by = user.id
    audit.record(
        session,
        audit.Actor("user", user.id),
        "person.joined",
        organization_id=user.organization_id,
        project_id=invitation.project_id,
        target_kind="user",
        target_id=user.id,
        data={"role": user.role, "projectRole": invitation.project_role, "invitation": str(invitation.id)},
    )
    return user


def _usable() -> tuple[ColumnElement[bool], ...]:
    return (Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None), Invitation.expires_at > utc_now())


def _join(session: Session, invitation: Invitation, name: str, password_hash: str) -> User:
    user = User(
        organization_id=invitation.organization_id,
        email=invitation.email,
        name=name,
        role=invitation.role,
        password_hash=password_hash,
    )
    session.add(user)
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(
            "address_taken", "There is an account with this address already. Ask for an invitation to another one."
        ) from None
    if invitation.project_id is not None and invitation.project_role is not None:
        session.add(Membership(project_id=invitation.project_id, user_id=user.id, role=invitation.project_role))
        session.flush()
    return user
