"""Make a link for people without an account."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy.orm import Session

from app.core import audit
from app.core.ids import new_id
from app.core.passwords import hash_password, hash_token
from app.core.policy import Principal
from app.core.share_links import share_token
from app.models import Project, Share
from app.workflows.share_terms import Terms, check_end, check_terms


def create_share(
    session: Session,
    secret: bytes,
    principal: Principal,
    project: Project,
    terms: Terms,
    *,
    hasher: Callable[[str], str] = hash_password,
) -> Share:
    """A share of some assets of a project, where the caller has checked `share.create`. `secret` is SECRET_KEY.

    Raises Rejected (no name, foreign assets, an end that has passed, a short password) or Denied (a master that
    the principal may not have).
    """
    name, assets = check_terms(session, principal, project, terms)
    check_end(terms.expires_at)
    share_id = new_id()
    share = Share(
        id=share_id,
        organization_id=project.organization_id,
        project_id=project.id,
        name=name,
        token_hash=hash_token(share_token(secret, share_id, 1)),
        password_hash=hasher(terms.password) if isinstance(terms.password, str) else None,
        expires_at=terms.expires_at,
        may_comment=terms.may_comment,
        download=terms.download,
        created_by=principal.user_id,
        assets=assets,
    )
    session.add(share)
    session.flush()
    session.refresh(share)
    data = {"name": name, "assets": [str(asset.id) for asset in assets], **described(share)}
    record_share(session, principal.actor, share, "share.created", data)
    return share


def described(share: Share) -> dict[str, object]:
    """The terms of a share for the log, without anything secret."""
    return {
        "password": share.password_hash is not None,
        "expiresAt": share.expires_at.isoformat() if share.expires_at else None,
        "comments": share.may_comment,
        "download": share.download,
    }


def record_share(
    session: Session, actor: audit.Actor, share: Share, action: str, data: dict[str, object], who: UUID | None = None
) -> None:
    """One activity about a share, or about what happened by it (`who` is then the thing that it happened to)."""
    audit.record(
        session,
        actor,
        action,
        organization_id=share.organization_id,
        project_id=share.project_id,
        target_kind="asset" if who else "share",
        target_id=who or share.id,
        data=data,
    )
