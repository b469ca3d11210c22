"""Change what a share opens. What takes something away acts at once, on media too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from app.core.errors import Conflict
from app.core.passwords import hash_password
from app.core.policy import Principal
from app.models import Asset, Share
from app.workflows.create_share import described, record_share
from app.workflows.deny_scope import deny_scopes
from app.workflows.share_terms import Keep, Terms, check_end, check_terms, hold_share, raise_generation


def change_share(
    session: Session,
    principal: Principal,
    share: Share,
    terms: Terms,
    *,
    hasher: Callable[[str], str] = hash_password,
) -> None:
    """Put these terms in place of the old ones, where the caller has checked `share.change`.

    The link stays. A changed password ends every visit. Assets taken away, another download and an earlier end
    make new addresses of media, and the old ones die. Raises Rejected, Denied, or Conflict (revoked).
    """
    project = share.project
    share = hold_share(session, share.id)
    if share.revoked_at is not None:
        raise Conflict("share_revoked", "This share was revoked. Make a new link first.")
    name, assets = check_terms(session, principal, project, terms)
    if terms.expires_at != share.expires_at:
        check_end(terms.expires_at)
    new_password = _password_changes(share, terms)
    narrower = new_password or _media_changes(share, terms, assets)
    before = {"name": share.name, "assets": [str(asset.id) for asset in share.assets], **described(share)}
    share.name, share.assets = name, assets
    share.expires_at, share.may_comment, share.download = terms.expires_at, terms.may_comment, terms.download
    if new_password:
        share.password_hash = hasher(terms.password) if isinstance(terms.password, str) else None
    handles = raise_generation(session, share, keep_visits=not new_password) if narrower else []
    after = {"name": name, "assets": [str(asset.id) for asset in assets], **described(share)}
    changed = {field: value for field, value in after.items() if value != before[field]}
    if new_password:
        changed["password"] = "changed" if share.password_hash else "removed"
    if changed:
        record_share(session, principal.actor, share, "share.changed", changed)
    session.flush()
    deny_scopes(session, handles)


def _password_changes(share: Share, terms: Terms) -> bool:
    if isinstance(terms.password, Keep):
        return False
    return terms.password is not None or share.password_hash is not None


def _media_changes(share: Share, terms: Terms, assets: list[Asset]) -> bool:
    gone = {asset.id for asset in share.assets} - {asset.id for asset in assets}
    return bool(gone) or terms.download != share.download or _earlier(terms.expires_at, share.expires_at)


def _earlier(end: datetime | None, before: datetime | None) -> bool:
    return end is not None and (before is None or end < before)
