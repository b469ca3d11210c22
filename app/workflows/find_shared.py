"""What a guest may see: the assets of their share, each in its latest version that plays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, contains_eager, joinedload

from app.core.errors import Conflict, NotFound
from app.core.policy import Principal, ShareGrant
from app.models import Asset, Comment, Preview, ShareAsset, Version

_NOTHING = NotFound("not_found", "There is nothing here, or it is not part of what was shared with you.")


def grant_of(principal: Principal) -> ShareGrant:
    """The share by which a guest comes. Raises LookupError for anybody else."""
    if principal.share is None:
        raise LookupError("only guests come by a share")
    return principal.share


def find_shared_asset(session: Session, principal: Principal, asset_id: UUID) -> Asset:
    """An asset of the guest's share. Raises NotFound."""
    grant = grant_of(principal)
    asset = session.scalars(
        select(Asset)
        .join(ShareAsset, ShareAsset.asset_id == Asset.id)
        .where(Asset.id == asset_id, ShareAsset.share_id == grant.share_id, Asset.project_id == grant.project_id)
        .options(joinedload(Asset.project))
    ).one_or_none()
    if asset is None:
        raise _NOTHING
    return asset


def find_shared_comment(session: Session, principal: Principal, comment_id: UUID) -> Comment:
    """The guest's own comment on an asset of their share. Raises NotFound."""
    comment = session.scalars(
        select(Comment)
        .join(ShareAsset, ShareAsset.asset_id == Comment.asset_id)
        .where(
            Comment.id == comment_id,
            ShareAsset.share_id == grant_of(principal).share_id,
            Comment.guest_id == principal.actor.id,
            Comment.deleted_at.is_(None),
        )
    ).one_or_none()
    if comment is None:
        raise _NOTHING
    return comment


def shown_version(session: Session, asset: Asset) -> Version | None:
    """The latest locked version that plays; None while there is none. Nothing else is shown to guests."""
    return session.scalars(_shown().where(Version.asset_id == asset.id)).one_or_none()


def locked_version(session: Session, asset: Asset) -> Version | None:
    """The latest locked version, whether it plays or not: what a master is downloaded of."""
    return session.scalars(
        select(Version)
        .where(Version.asset_id == asset.id, Version.state == "promoted")
        .order_by(Version.number.desc())
        .limit(1)
        .options(joinedload(Version.preview), joinedload(Version.master))
    ).one_or_none()


def shown_now(session: Session, asset: Asset, version_id: UUID) -> Version:
    """The version that the guest has before them. Raises Conflict when another one has taken its place."""
    version = shown_version(session, asset)
    if version is None or version.id != version_id:
        raise Conflict("newer_version", "A newer version is here. Reload the page; your text is kept.")
    return version


@dataclass(frozen=True)
class Shared:
    """An asset of a share, its version on show, and how many comments that one has."""

    asset: Asset
    version: Version | None
    comments: int


def list_shared(session: Session, principal: Principal) -> list[Shared]:
    """The assets of the guest's share, by title."""
    grant = grant_of(principal)
    assets = session.scalars(
        select(Asset)
        .join(ShareAsset, ShareAsset.asset_id == Asset.id)
        .where(ShareAsset.share_id == grant.share_id, Asset.project_id == grant.project_id)
        .order_by(Asset.title, Asset.id)
    ).all()
    versions = _versions(session, assets)
    counts = _counts(session, [version.id for version in versions.values()])
    return [Shared(asset, shown := versions.get(asset.id), counts.get(shown.id, 0) if shown else 0) for asset in assets]


def _versions(session: Session, assets: Sequence[Asset]) -> dict[UUID, Version]:
    rows = session.scalars(_shown().where(Version.asset_id.in_([asset.id for asset in assets])))
    return {version.asset_id: version for version in rows}


def _shown() -> Select[Version]:
    return (
        select(Version)
        .join(Version.preview)
        .where(Version.state == "promoted", Preview.state.in_(("playable", "ready")))
        .distinct(Version.asset_id)
        .order_by(Version.asset_id, Version.number.desc())
        .options(contains_eager(Version.preview), joinedload(Version.master))
    )


def _counts(session: Session, version_ids: Sequence[UUID]) -> dict[UUID, int]:
    rows = session.execute(
        select(Comment.version_id, func.count())
        .where(Comment.version_id.in_(version_ids), Comment.deleted_at.is_(None))
        .group_by(Comment.version_id)
    )
    return {row[0]: row[1] for row in rows}
