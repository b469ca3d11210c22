"""What a share opens, to whom and until when: checked before it is made or changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.core.errors import Rejected
from app.core.names import clean_name
from app.core.policy import Principal, check
from app.models import Asset, Guest, MediaScope, Project, Share, utc_now

DOWNLOADS = ("none", "proxy", "master")
DEFAULT_LIFE = timedelta(days=30)
MAX_ASSETS = 200
#: Shorter than a member's: it travels beside the link, and tries are few.
MIN_PASSWORD, MAX_PASSWORD = 6, 200


class Keep(Enum):
    """The password stays as it is."""

    PASSWORD = "keep"  # noqa: S105


@dataclass(frozen=True)
class Terms:
    """`password` None is no password; `expires_at` None is no end."""

    name: str
    asset_ids: Sequence[UUID]
    password: str | Keep | None = None
    expires_at: datetime | None = None
    may_comment: bool = True
    download: str = "none"


def check_terms(session: Session, principal: Principal, project: Project, terms: Terms) -> tuple[str, list[Asset]]:
    """The name and the assets, in order of their titles. Raises Rejected, or Denied for a master one may not have."""
    name = clean_name(terms.name, "share", limit=120)
    if terms.download not in DOWNLOADS:
        raise _rejected("download", "Choose none, proxy or master.")
    if terms.download == "master":
        check(principal, "master.download", project_id=project.id, organization_id=project.organization_id)
    _check_password(terms.password)
    return name, _assets(session, project, terms.asset_ids)


def check_end(expires_at: datetime | None) -> None:
    """Raise Rejected for an end that has passed."""
    if expires_at is not None and expires_at <= utc_now():
        raise _rejected("expires_at", "This day has passed. Choose a later one, or revoke the share.")


def _check_password(password: str | Keep | None) -> None:
    if not isinstance(password, str):
        return
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise _rejected("password", f"Use {MIN_PASSWORD} to {MAX_PASSWORD} characters.")


def _assets(session: Session, project: Project, asset_ids: Sequence[UUID]) -> list[Asset]:
    wanted = set(asset_ids)
    if not wanted:
        raise _rejected("assets", "Choose at least one asset.")
    if len(wanted) > MAX_ASSETS:
        raise _rejected("assets", f"A share holds {MAX_ASSETS} assets at most. Make a second one.")
    found = session.scalars(
        select(Asset).where(Asset.id.in_(wanted), Asset.project_id == project.id).order_by(Asset.title, Asset.id)
    ).all()
    if len(found) != len(wanted):
        raise _rejected("assets", "One of these assets is not in this project. Reload and choose again.")
    return list(found)


def _rejected(field: str, sentence: str) -> Rejected:
    return Rejected(f"bad_{field}", sentence, fields={field: sentence})


def hold_share(session: Session, share_id: UUID) -> Share:
    """The share's row, locked, so that no visit and no signed address is made while it changes."""
    return session.scalars(
        select(Share).where(Share.id == share_id).with_for_update().execution_options(populate_existing=True)
    ).one()


def raise_generation(session: Session, share: Share, *, keep_visits: bool) -> list[str]:
    """Begin a new generation of a held share; returns the handles that the caller must deny last.

    Guests who may stay are taken along; the others have to come in again.
    """
    before, share.generation = share.generation, share.generation + 1
    if keep_visits:
        session.execute(
            update(Guest)
            .where(Guest.share_id == share.id, Guest.generation == before)
            .values(generation=share.generation)
            .execution_options(synchronize_session="fetch")
        )
    handles = select(MediaScope.handle).where(MediaScope.share_id == share.id, MediaScope.denied_at.is_(None))
    return list(session.scalars(handles))
