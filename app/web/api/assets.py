"""Assets, the state of their previews, and the order to build one."""

from __future__ import annotations

from flask import jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.core.errors import NotFound
from app.extensions import db
from app.models import Asset, Version
from app.web.api.answers import AssetAnswer, AssetPage, PlacedAnswer, ProxyStatusAnswer
from app.web.api.blueprint import blueprint
from app.web.api.bodies import AssetChange, AssetsQuery, PreviewBody, read, read_query
from app.web.api.contract import contract
from app.web.api.json_views import asset_json, proxy_status_json
from app.web.security import current_principal, requires
from app.workflows.find import find_project, visible_to
from app.workflows.list_assets import list_assets, running_promotions, versions_of
from app.workflows.move_assets import rename_asset
from app.workflows.order_preview import order_preview
from app.workflows.shares_of_assets import shares_of_assets


@blueprint.get("/assets")
@requires("asset.view")
@contract({200: AssetPage}, query=AssetsQuery, errors=(404,))
def assets() -> ResponseReturnValue:
    """Assets, newest first, each with its latest version; of one project or of all that one may see."""
    query = read_query(AssetsQuery)
    principal = current_principal()
    if query.project_id is not None:
        find_project(db.session(), principal, query.project_id, "asset.view")
    page = list_assets(db.session(), principal, query.project_id, query.cursor, limit=query.limit)
    shares = shares_of_assets(db.session(), principal, [row.asset for row in page.items])
    body: AssetPage = {
        "items": [
            asset_json(principal, row.asset, [row.version] if row.version else [], shares.get(row.asset.id, ()))
            for row in page.items
        ],
        "nextCursor": page.next_cursor,
    }
    db.session.commit()
    return jsonify(body)


@blueprint.get("/assets/<uuid:asset_id>")
@requires("asset.view", asset="asset_id")
@contract({200: AssetAnswer})
def asset(asset: Asset) -> ResponseReturnValue:
    """One asset with all its versions."""
    return _answer(asset)


@blueprint.patch("/assets/<uuid:asset_id>", endpoint="change_asset")
@requires("asset.change", asset="asset_id")
@contract({200: AssetAnswer}, body=AssetChange)
def change_asset(asset: Asset) -> ResponseReturnValue:
    """Give the asset another title."""
    rename_asset(db.session(), current_principal(), asset, read(AssetChange).title)
    return _answer(asset)


@blueprint.get("/assets/<uuid:asset_id>/proxy-status")
@requires("asset.view", asset="asset_id")
@contract({200: ProxyStatusAnswer})
def proxy_status(asset: Asset) -> ResponseReturnValue:
    """How far the latest version is."""
    latest = versions_of(db.session(), asset)[0]
    return jsonify(proxy_status_json(latest, running_promotions(db.session(), [latest.id]).get(latest.id)))


@blueprint.post("/preview")
@requires("preview.build")
@contract({202: PlacedAnswer}, body=PreviewBody, errors=(404, 409))
def preview() -> ResponseReturnValue:
    """Order the preview of promoted bytes, by digest, within what the caller may see; again is the same."""
    principal = current_principal()
    digest = read(PreviewBody).version_sha
    version = db.session.scalars(
        select(Version)
        .join(Version.asset)
        .join(Asset.project)
        .where(Version.sha256 == digest, visible_to(principal))
        .order_by(Version.id)
        .limit(1)
    ).one_or_none()
    if version is None:
        raise NotFound("unknown_digest", "No version with this digest is yours to see.")
    order_preview(db.session(), principal, version)
    db.session.commit()
    return jsonify(assetId=str(version.asset_id), versionId=str(version.id)), 202


def _answer(asset: Asset) -> ResponseReturnValue:
    """Commits: what was changed, and the scope of the signed addresses, which may be new."""
    principal = current_principal()
    shares = shares_of_assets(db.session(), principal, [asset])
    body = asset_json(principal, asset, versions_of(db.session(), asset), shares.get(asset.id, ()))
    db.session.commit()
    return jsonify(body)
