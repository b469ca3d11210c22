"""A project's assets: everything, or one collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement

from app.core.errors import NotFound
from app.core.policy import Principal, may
from app.extensions import db
from app.models import Collection, Project
from app.web.filters import human_bytes
from app.web.forms import Fault
from app.web.fragments import render_fragment
from app.web.playback import poster_of
from app.web.projects.blueprint import blueprint
from app.web.projects.nav import project_nav
from app.web.security import current_principal, requires
from app.web.services import services
from app.web.views import AssetTile, duration_of, project_view, status_view
from app.workflows.list_assets import Listed, list_assets, project_row
from app.workflows.list_collections import in_collection, list_collections

PAGE = "projects/show.html"


@dataclass(frozen=True)
class Chosen:
    """The collection that is looked at: `key` is its id, "none", or "everything"."""

    key: str = "everything"
    collection: Collection | None = None

    @property
    def argument(self) -> str | None:
        """What stands in `?collection=`."""
        return None if self.key == "everything" else self.key

    @property
    def condition(self) -> ColumnElement[bool] | None:
        """Narrows assets to it."""
        return None if self.key == "everything" else in_collection(self.collection)


@blueprint.get("/projects/<uuid:project_id>")
@requires("project.view", project="project_id")
def show(project: Project) -> ResponseReturnValue:
    """The project's assets. Fragment: asset_sheet."""
    return sheet_page(project, chosen_collection(project))


@blueprint.get("/projects/<uuid:project_id>/asset-sheet")
@requires("project.view", project="project_id")
def asset_sheet(project: Project) -> ResponseReturnValue:
    """The grid alone; it polls while anything in it is not settled."""
    return render_fragment(PAGE, "asset_sheet", **_sheet(project, chosen_collection(project)))


def chosen_collection(project: Project) -> Chosen:
    """The collection that `?collection=` names. Raises NotFound."""
    wanted = request.args.get("collection", "")
    if not wanted or wanted == "everything":
        return Chosen()
    if wanted == "none":
        return Chosen("none")
    try:
        collection = db.session.get(Collection, UUID(wanted))
    except ValueError:
        collection = None
    if collection is None or collection.project_id != project.id:
        raise NotFound("not_found", "There is no such collection in this project.")
    return Chosen(str(collection.id), collection)


def sheet_page(project: Project, chosen: Chosen, fault: Fault | None = None) -> str:
    """The whole page of a project."""
    principal = current_principal()
    bins = list_collections(db.session(), project.id)
    collection = chosen.collection
    return render_template(
        PAGE,
        **_sheet(project, chosen),
        nav=project_nav(principal, project, chosen.key, bins),
        collection={"id": collection.id, "name": collection.name} if collection else None,
        chosen=chosen.key,
        bin_count=next((n for each, n in bins.collections if each is collection), bins.loose),
        can_change=_may(principal, "collection.change", project),
        arrange_href=url_for("projects.arrange", project_id=project.id, collection=chosen.argument),
        fault=fault,
    )


def _may(principal: Principal, action: str, project: Project) -> bool:
    return may(principal, action, project_id=project.id, organization_id=project.organization_id)


def _sheet(project: Project, chosen: Chosen) -> dict[str, Any]:
    principal = current_principal()
    row = project_row(db.session(), project)
    cursor = request.args.get("cursor")
    page = list_assets(db.session(), principal, project.id, cursor, where=chosen.condition)
    tiles = [_tile(principal, listed) for listed in page.items]
    db.session.commit()  # scopes for the posters may be new
    here: dict[str, Any] = {"project_id": project.id, "collection": chosen.argument}
    return {
        "project": project_view(principal, project, asset_count=row.assets, locked_bytes=row.locked_bytes),
        "tiles": tiles,
        "next_href": url_for("projects.show", cursor=page.next_cursor, **here) if page.next_cursor else None,
        "upload_max_human": human_bytes(services().settings.upload_max_bytes),
        "upload_max_bytes": services().settings.upload_max_bytes,
        "settled": all(tile.status.settled for tile in tiles),
        "presign_href": url_for("api.presign"),
        "sheet_href": url_for("projects.asset_sheet", cursor=cursor, **here),
        "collection_id": chosen.collection.id if chosen.collection else None,
        "filtered": chosen.key != "everything",
    }


def _tile(principal: Principal, listed: Listed) -> AssetTile:
    asset, version = listed.asset, listed.version
    if version is None:
        raise LookupError("an asset is made with its first version")
    preview = version.preview
    video = ((preview.probe if preview else None) or {}).get("video") or {}
    return AssetTile(
        id=asset.id,
        title=asset.title,
        href=url_for("assets.show", asset_id=asset.id),
        review_href=url_for("review.show", asset_id=asset.id),
        status=status_view(version, listed.running),
        version_number=version.number,
        duration=duration_of(preview),
        poster=poster_of(principal, asset, preview),
        comment_count=listed.comments,
        vertical=bool(video) and video.get("height", 0) > video.get("width", 0),
        created=asset.created_at,
    )
