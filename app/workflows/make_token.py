"""Make a key for a program, acting as its owner within its scopes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Rejected
from app.core.names import clean_name
from app.core.passwords import hash_token, new_token
from app.core.policy import TOKEN_SCOPES
from app.models import ApiToken, User, utc_now

MAX_NAME = 80
#: Of one person; more are a sign that a program makes one at each start.
MAX_LIVE = 50


def make_token(
    session: Session,
    actor: audit.Actor,
    owner: User,
    *,
    name: str,
    scopes: Collection[str] | None,
    expires_at: datetime | None,
) -> tuple[ApiToken, str]:
    """A new token of `owner` and its secret, which is kept nowhere and can be shown only now.

    `scopes` are names of TOKEN_SCOPES, None for all that the owner may; `expires_at` None is never. Raises
    Rejected for a name that is empty or too long, an unknown or no scope, an end in the past, too many tokens.
    """
    name = clean_name(name, "token", limit=MAX_NAME)
    if scopes is not None and (not scopes or not set(scopes) <= set(TOKEN_SCOPES)):
        sentence = f"Choose what the token may do: {', '.join(TOKEN_SCOPES)}, or all."
        raise Rejected("bad_scope", sentence, fields={"scopes": sentence})
    if expires_at is not None and expires_at <= utc_now():
        sentence = "Choose an end that lies ahead."
        raise Rejected("bad_expiry", sentence, fields={"expires": sentence})
    if sum(1 for token in tokens_of(session, owner) if is_live(token)) >= MAX_LIVE:
        raise Rejected("too_many_tokens", f"You have {MAX_LIVE} tokens. Revoke those that nobody uses.")
    secret = new_token()
    token = ApiToken(
        organization_id=owner.organization_id,
        user_id=owner.id,
        name=name,
        token_hash=hash_token(secret),
        expires_at=expires_at,
        scopes=None if scopes is None else [scope for scope in TOKEN_SCOPES if scope in scopes],
    )
    session.add(token)
    session.flush()
    record_token(session, actor, token, "token.made")
    return token, secret


def tokens_of(session: Session, owner: User) -> list[ApiToken]:
    """A person's tokens that were not revoked, newest first."""
    return list(
        session.scalars(
            select(ApiToken)
            .where(ApiToken.user_id == owner.id, ApiToken.revoked_at.is_(None))
            .order_by(ApiToken.created_at.desc(), ApiToken.id.desc())
        )
    )


def is_live(token: ApiToken) -> bool:
    """Whether the token still opens anything."""
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > utc_now())


def record_token(session: Session, actor: audit.Actor, token: ApiToken, action: str) -> None:
    """The activity of a token that was made or revoked."""
    audit.record(
        session,
        actor,
        action,
        organization_id=token.organization_id,
        target_kind="token",
        target_id=token.id,
        data={"scopes": token.scopes, "expiresAt": token.expires_at.isoformat() if token.expires_at else None},
    )
