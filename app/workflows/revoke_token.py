"""End a program's key."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.core import audit
from app.models import ApiToken, utc_now
from app.workflows.make_token import record_token


def revoke_token(session: Session, actor: audit.Actor, token: ApiToken) -> None:
    """From the commit on the token opens nothing; revoking again does nothing."""
    if token.revoked_at is not None:
        return
    token.revoked_at = utc_now()
    record_token(session, actor, token, "token.revoked")
