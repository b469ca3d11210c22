"""By which open links some assets can be seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.core.policy import Principal, may
from app.models import Asset, Project, Share, ShareAsset, utc_now
from app.workflows.find import visible_to


def shares_of_assets(session: Session, principal: Principal, assets: Sequence[Asset]) -> Mapping[UUID, list[UUID]]:
    """Ids of the open shares by asset, oldest first; none where the principal may not see shares."""
    told = [
        asset.id
        for asset in assets
        if may(
            principal, "share.view", project_id=asset.project_id, organization_id=asset.project.organization_id
        )
    ]  # fmt: skip
    found: dict[UUID, list[UUID]] = defaultdict(list)
    if not told:
        return found
    rows = session.execute(
        select(ShareAsset.asset_id, Share.id)
        .join(Share, Share.id == ShareAsset.share_id)
        .join(Project, Project.id == Share.project_id)
        .where(ShareAsset.asset_id.in_(told), visible_to(principal), Share.revoked_at.is_(None))
        .where(or_(Share.expires_at.is_(None), Share.expires_at > utc_now()))
        .order_by(Share.created_at, Share.id)
    )
    for asset_id, share_id in rows:
        found[asset_id].append(share_id)
    return found
