"""Come in by a share: the link, the password, a name."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload

from app.core.audit import Actor
from app.core.errors import NotFound, Rejected
from app.core.names import clean_name
from app.core.passwords import hash_token
from app.core.policy import Principal, ShareGrant
from app.models import Guest, Project, Share, utc_now
from app.workflows.record_access import Caller, record_access

CLOSED = NotFound("share_closed", "There is nothing behind this link, or not any more. Ask whoever sent it to you.")
MAX_NAME = 80


def find_open_share(session: Session, token: str) -> Share | None:
    """The share of a link, or None: unknown, revoked and past its end look alike."""
    return session.scalars(
        select(Share)
        .where(
            Share.token_hash == hash_token(token),
            Share.revoked_at.is_(None),
            or_(Share.expires_at.is_(None), Share.expires_at > utc_now()),
        )
        .options(joinedload(Share.project).joinedload(Project.organization))
    ).one_or_none()


def guest_of(session: Session, share: Share, guest_id: UUID | None) -> Guest | None:
    """The guest whose visit is of the share's present generation."""
    if guest_id is None:
        return None
    return session.scalars(
        select(Guest).where(Guest.id == guest_id, Guest.share_id == share.id, Guest.generation == share.generation)
    ).one_or_none()


def principal_of(share: Share, guest: Guest) -> Principal:
    """What this guest may do, for the policy table."""
    lets = {"watch"}
    if share.may_comment:
        lets.add("comment")
    if share.download != "none":
        lets.add(share.download)
    grant = ShareGrant(share.id, share.project_id, share.generation, frozenset(lets), share.expires_at)
    return Principal(Actor("guest", guest.id), share.organization_id, "guest", share=grant)


def open_share(session: Session, share: Share, *, name: str, right_password: bool, caller: Caller) -> Guest:
    """Begin a visit. The caller has compared the password, which takes the same time for every link.

    Raises Rejected (wrong password, no name); a wrong password is recorded, so the caller commits then too.
    """
    if not right_password:
        record_access(session, share, None, "refused", caller)
        sentence = "This is not the password. It came apart from the link; ask whoever sent it to you."
        raise Rejected("wrong_password", sentence, fields={"password": sentence})
    guest = Guest(share_id=share.id, generation=share.generation, name=_clean(name))
    session.add(guest)
    session.flush()
    record_access(session, share, guest, "opened", caller, data={"password": share.password_hash is not None})
    return guest


def _clean(name: str) -> str:
    if not name.strip():
        sentence = "Say who you are; it stands beside what you write."
        raise Rejected("name_missing", sentence, fields={"name": sentence})
    return clean_name(name, "visit", limit=MAX_NAME)
