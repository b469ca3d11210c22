"""Move assets between collections, and give one another title. Works without scripts."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.core.errors import RushesError
from app.extensions import db
from app.models import Asset, Collection, Project
from app.web.forms import Fault, form_id, form_ids, refused
from app.web.projects.blueprint import blueprint
from app.web.projects.nav import project_nav
from app.web.projects.sheet import chosen_collection
from app.web.security import current_principal, requires
from app.web.views import project_view
from app.workflows.find_people import find_collection
from app.workflows.list_assets import list_assets
from app.workflows.list_collections import list_collections
from app.workflows.move_assets import move_assets, rename_asset

#: As many as fit one form; the next page has the older ones.
ROWS = 200


@blueprint.get("/projects/<uuid:project_id>/arrange")
@requires("asset.change", project="project_id")
def arrange(project: Project) -> ResponseReturnValue:
    """The assets as rows to choose from."""
    return _page(project)


@blueprint.post("/projects/<uuid:project_id>/arrange", endpoint="move_assets")
@requires("asset.change", project="project_id")
def move(project: Project) -> ResponseReturnValue:
    """Move the chosen assets to a collection, or out of theirs."""
    try:
        collection = _target()
        moved = move_assets(db.session(), current_principal(), project, form_ids("asset"), collection)
        name = collection.name if collection else "no collection"
        key = collection.id if collection else "none"
        db.session.commit()
    except RushesError as error:
        return refused(error, "move", lambda fault: _page(project, fault))
    flash(f"{moved} asset{'s' if moved != 1 else ''} moved to {name}.", "ok")
    return redirect(url_for("projects.show", project_id=project.id, collection=key), code=303)


@blueprint.post("/assets/<uuid:asset_id>/rename", endpoint="rename_asset")
@requires("asset.change", asset="asset_id")
def rename(asset: Asset) -> ResponseReturnValue:
    """Give an asset another title; a refusal is told on the asset's page."""
    try:
        rename_asset(db.session(), current_principal(), asset, request.form.get("title", ""))
        db.session.commit()
    except RushesError as error:
        db.session.rollback()
        flash(error.sentence, "bad")
    return redirect(url_for("assets.show", asset_id=asset.id), code=303)


@blueprint.post("/assets/<uuid:asset_id>/move", endpoint="move_asset")
@requires("asset.change", asset="asset_id")
def move_one(asset: Asset) -> ResponseReturnValue:
    """Move one asset from its own page."""
    try:
        move_assets(db.session(), current_principal(), asset.project, [asset.id], _target())
        db.session.commit()
    except RushesError as error:
        db.session.rollback()
        flash(error.sentence, "bad")
    return redirect(url_for("assets.show", asset_id=asset.id), code=303)


def _target() -> Collection | None:
    key = form_id("collection_id")
    return find_collection(db.session(), current_principal(), key, "asset.change") if key else None


def _page(project: Project, fault: Fault | None = None) -> str:
    principal, chosen = current_principal(), chosen_collection(project)
    bins = list_collections(db.session(), project.id)
    cursor = request.args.get("cursor")
    page = list_assets(db.session(), principal, project.id, cursor, limit=ROWS, where=chosen.condition)
    names = {each.id: each.name for each, _count in bins.collections}
    here: dict[str, Any] = {"project_id": project.id, "collection": chosen.argument}
    return render_template(
        "projects/arrange.html",
        project=project_view(principal, project),
        nav=project_nav(principal, project, chosen.key, bins),
        rows=[
            {
                "id": row.asset.id,
                "title": row.asset.title,
                "created": row.asset.created_at,
                "version": row.version.number if row.version else None,
                "collection": names.get(row.asset.collection_id) if row.asset.collection_id else None,
            }
            for row in page.items
        ],
        collections=[(each.id, each.name) for each, _count in bins.collections],
        chosen_ids=set(request.form.getlist("asset")),
        move_href=url_for("projects.move_assets", cursor=cursor, **here),
        back_href=url_for("projects.show", **here),
        next_href=url_for("projects.arrange", cursor=page.next_cursor, **here) if page.next_cursor else None,
        fault=fault,
    )
