"""Put assets into a collection, or take them out of theirs; give one another title."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import NotFound, Rejected
from app.core.names import clean_name
from app.core.policy import Principal
from app.models import Asset, Collection, Project
from app.workflows.hold import hold

MAX_TITLE = 200
#: Assets moved by one call; more than a page shows.
MAX_MOVED = 500


def move_assets(
    session: Session, principal: Principal, project: Project, asset_ids: Sequence[UUID], collection: Collection | None
) -> int:
    """Move assets of a project, where the caller has checked `asset.change` in it. Returns how many moved.

    Raises Rejected (none, or too many chosen) or NotFound (an asset or the collection of another project).
    """
    wanted = set(asset_ids)
    if not wanted:
        raise Rejected("nothing_chosen", "Choose the assets that are to move.", fields={"asset": "Choose some."})
    if len(wanted) > MAX_MOVED:
        raise Rejected("too_many", f"Move {MAX_MOVED} assets at most at once.", fields={"asset": "Choose fewer."})
    if collection is not None:
        # Held until the commit, so that it is not deleted as empty meanwhile.
        hold(session, collection, shared=True)
    assets = session.scalars(
        select(Asset)
        .where(Asset.id.in_(wanted), Asset.project_id == project.id)
        .order_by(Asset.id)
        .with_for_update(of=Asset)
    ).all()
    if len(assets) != len(wanted) or (collection is not None and collection.project_id != project.id):
        raise NotFound("not_found", "There is nothing here, or it is not yours to see.")
    target = collection.id if collection else None
    moving = [asset for asset in assets if asset.collection_id != target]
    for asset in moving:
        asset.collection_id = target
        data = {"collection": collection.name if collection else None}
        _record(session, principal, project, asset, "asset.moved", data)
    session.flush()
    return len(moving)


def rename_asset(session: Session, principal: Principal, asset: Asset, title: str) -> None:
    """Give an asset another title, where the caller has checked `asset.change`. Raises Rejected."""
    title = clean_name(title, "asset", field="title", limit=MAX_TITLE)
    if title == asset.title:
        return
    before, asset.title = asset.title, title
    _record(session, principal, asset.project, asset, "asset.renamed", {"from": before, "to": title})


def _record(
    session: Session, principal: Principal, project: Project, asset: Asset, action: str, data: dict[str, Any]
) -> None:
    audit.record(
        session,
        principal.actor,
        action,
        organization_id=project.organization_id,
        project_id=project.id,
        target_kind="asset",
        target_id=asset.id,
        data=data,
    )
