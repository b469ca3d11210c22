"""Close a share, for good or until it gets a new link."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.core.passwords import hash_token
from app.core.policy import Principal
from app.core.share_links import share_token
from app.models import Share, utc_now
from app.workflows.create_share import record_share
from app.workflows.deny_scope import deny_scopes
from app.workflows.share_terms import DEFAULT_LIFE, hold_share, raise_generation


def revoke_share(session: Session, principal: Principal, share: Share) -> None:
    """End the link, every visit and every address of media, where the caller has checked `share.change`."""
    share = hold_share(session, share.id)
    if share.revoked_at is not None:
        return
    share.revoked_at = utc_now()
    handles = raise_generation(session, share, keep_visits=False)
    record_share(session, principal.actor, share, "share.revoked", {"name": share.name})
    session.flush()
    deny_scopes(session, handles)


def renew_share(session: Session, secret: bytes, principal: Principal, share: Share) -> None:
    """Give a share a new link; the old one ends as if revoked. `secret` is SECRET_KEY.

    A revoked share is open again. One that had reached its end gets thirty days more.
    """
    share = hold_share(session, share.id)
    share.link_generation += 1
    share.token_hash = hash_token(share_token(secret, share.id, share.link_generation))
    share.revoked_at = None
    if share.expires_at is not None and share.expires_at <= utc_now():
        share.expires_at = utc_now() + DEFAULT_LIFE
    handles = raise_generation(session, share, keep_visits=False)
    record_share(session, principal.actor, share, "share.renewed", {"name": share.name})
    session.flush()
    deny_scopes(session, handles)
