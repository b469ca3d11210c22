"""Assets, the state of their previews, and the order to build one."""

from __future__ import annotations

from uuid import UUID

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.core.errors import NotFound, Rejected
from app.extensions import db
from app.models import Asset, Version
from app.web.api.blueprint import blueprint
from app.web.api.bodies import PreviewBody, read
from app.web.api.json_views import asset_json, proxy_status_json
from app.web.security import current_principal, requires
from app.workflows.find import find_project, visible_to
from app.workflows.list_assets import list_assets, running_promotions, versions_of
from app.workflows.order_preview import order_preview


@blueprint.get("/assets")
@requires("asset.view")
def assets() -> ResponseReturnValue:
    """Assets, newest first, each with its latest version; of one project or of all that one may see."""
    principal = current_principal()
    project_id = _uuid("projectId")
    if project_id is not None:
        find_project(db.session(), principal, project_id, "asset.view")
    page = list_assets(db.session(), principal, project_id, request.args.get("cursor"))
    items = [asset_json(principal, row.asset, [row.version] if row.version else []) for row in page.items]
    db.session.commit()
    return jsonify(items=items, nextCursor=page.next_cursor)


@blueprint.get("/assets/<uuid:asset_id>")
@requires("asset.view", asset="asset_id")
def asset(asset: Asset) -> ResponseReturnValue:
    """One asset with all its versions."""
    body = asset_json(current_principal(), asset, versions_of(db.session(), asset))
    db.session.commit()
    return jsonify(body)


@blueprint.get("/assets/<uuid:asset_id>/proxy-status")
@requires("asset.view", asset="asset_id")
def proxy_status(asset: Asset) -> ResponseReturnValue:
    """How far the latest version is."""
    latest = versions_of(db.session(), asset)[0]
    return jsonify(proxy_status_json(latest, running_promotions(db.session(), [latest.id]).get(latest.id)))


@blueprint.post("/preview")
@requires("preview.build")
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


def _uuid(name: str) -> UUID | None:
    text = request.args.get(name)
    try:
        return UUID(text) if text else None
    except ValueError:
        raise Rejected("bad_id", f"{name} is not an id.", fields={name: "is not a UUID"}) from None
