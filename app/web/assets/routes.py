"""An asset and its proof: what arrived, how it is locked, what became of it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.core.policy import Principal, may
from app.extensions import db
from app.models import Asset, Version
from app.web.described import documents_of
from app.web.fragments import render_fragment
from app.web.playback import playback_of
from app.web.projects.nav import place_of
from app.web.security import current_principal, requires
from app.web.services import services
from app.web.versions import pick_version, posted_version
from app.web.views import project_view, version_view
from app.workflows.cancel_preview import cancel_preview
from app.workflows.download_master import download_master as give_master
from app.workflows.grant_playback import Playback
from app.workflows.list_assets import running_promotions, versions_of
from app.workflows.rebuild_preview import rebuild_preview
from app.workflows.retry_version import retry_version

blueprint = Blueprint("assets", __name__)


@blueprint.get("/assets/<uuid:asset_id>")
@requires("asset.view", asset="asset_id")
def show(asset: Asset) -> ResponseReturnValue:
    """The asset's page. Fragment: asset_status."""
    return render_template("assets/show.html", **_context(asset))


@blueprint.get("/assets/<uuid:asset_id>/asset-status")
@requires("asset.view", asset="asset_id")
def asset_status(asset: Asset) -> ResponseReturnValue:
    """State and facts alone; the fragment polls until the version is settled."""
    return render_fragment("assets/show.html", "asset_status", **_context(asset))


@blueprint.post("/assets/<uuid:asset_id>/retry")
@requires("version.retry", asset="asset_id")
def retry(asset: Asset) -> ResponseReturnValue:
    """Try a failed version or preview again."""
    version = posted_version(asset)
    retry_version(db.session(), current_principal(), version)
    db.session.commit()
    flash("It is being tried again.")
    return redirect(url_for("assets.show", asset_id=asset.id, v=version.number), code=303)


@blueprint.post("/assets/<uuid:asset_id>/preview/cancel")
@requires("preview.build", asset="asset_id")
def cancel(asset: Asset) -> ResponseReturnValue:
    """Stop the build of a preview."""
    version = posted_version(asset)
    cancel_preview(db.session(), current_principal(), version)
    db.session.commit()
    flash("The build was cancelled.")
    return redirect(url_for("assets.show", asset_id=asset.id, v=version.number), code=303)


@blueprint.post("/assets/<uuid:asset_id>/preview/rebuild")
@requires("preview.build", asset="asset_id")
def rebuild(asset: Asset) -> ResponseReturnValue:
    """Build a preview again; one that plays stays until the new one is complete."""
    version = posted_version(asset)
    rebuild_preview(db.session(), current_principal(), version)
    db.session.commit()
    flash("The preview is being built again.")
    return redirect(url_for("assets.show", asset_id=asset.id, v=version.number), code=303)


@blueprint.post("/assets/<uuid:asset_id>/master", endpoint="download_master")
@requires("master.download", asset="asset_id")
def download_master(asset: Asset) -> ResponseReturnValue:
    """Record the download, then send the browser to an address of the master that lives for a minute."""
    version = posted_version(asset)
    have = services()
    address = give_master(db.session(), have.storage, have.download_signer(), current_principal(), version)
    db.session.commit()
    return redirect(address, code=303)


def _context(asset: Asset) -> dict[str, Any]:
    principal = current_principal()
    versions = versions_of(db.session(), asset)
    chosen = pick_version(versions)
    running = running_promotions(db.session(), [version.id for version in versions])
    views = [version_view(version, running.get(version.id)) for version in versions]
    version = next(view for view in views if view.id == chosen.id)
    granted = playback_of(principal, asset, chosen.preview)
    db.session.commit()
    return {
        "asset": {"id": asset.id, "title": asset.title, "href": url_for("assets.show", asset_id=asset.id)},
        "project": project_view(principal, asset.project),
        "version": version,
        "versions": views,
        "poster": granted.poster if granted else None,
        "files": _files(granted, chosen),
        "can_build": _may(principal, "preview.build", asset),
        "review_href": url_for("review.show", asset_id=asset.id, v=version.number),
        "settled": version.status.settled and (version.preview is None or version.preview.rebuilding is None),
        "share_href": url_for("shares.new", project_id=asset.project_id, asset=asset.id)
        if _may(principal, "share.create", asset)
        else None,
        "may_download": _may(principal, "master.download", asset),
        "place": place_of(principal, asset),
    }


def _files(granted: Playback | None, version: Version) -> list[tuple[str, str, str]]:
    """(what it is, signed address, name to save it under) of what a member may take along."""
    if granted is None:
        return []
    stem = PurePosixPath(version.file_name).stem
    found = [("MP4 proxy", granted.mp4, f"{stem}_proxy.mp4")]
    found += [(words, granted.document(name), f"{stem}_{name}") for name, words in documents_of(version.preview)]
    return [(words, address, name) for words, address, name in found if address]


def _may(principal: Principal, action: str, asset: Asset) -> bool:
    project = asset.project
    return may(principal, action, project_id=project.id, organization_id=project.organization_id)
