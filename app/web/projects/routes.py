"""Projects and the assets in them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.core import audit
from app.core.policy import Principal
from app.extensions import db
from app.models import Project
from app.web.filters import human_bytes
from app.web.fragments import render_fragment
from app.web.playback import poster_of
from app.web.projects.forms import ProjectForm
from app.web.security import current_principal, requires, this_visitor
from app.web.services import services
from app.web.views import AssetTile, OrganizationView, duration_of, project_view, status_view
from app.workflows.list_assets import Listed, list_assets, list_projects, project_row

blueprint = Blueprint("projects", __name__)


@blueprint.get("/")
@requires("projects.list")
def index() -> ResponseReturnValue:
    """Every project that one may see."""
    return _index(ProjectForm())


@blueprint.post("/projects")
@requires("projects.create")
def create() -> ResponseReturnValue:
    """Make a project."""
    form = ProjectForm()
    if not form.validate_on_submit():
        return _index(form), 422
    principal = current_principal()
    project = Project(organization_id=principal.organization_id, name=" ".join((form.name.data or "").split()))
    db.session.add(project)
    db.session.flush()
    audit.record(
        db.session(),
        principal.actor,
        "project.created",
        organization_id=project.organization_id,
        project_id=project.id,
        target_kind="project",
        target_id=project.id,
        data={"name": project.name},
    )
    db.session.commit()
    return redirect(url_for("projects.show", project_id=project.id), code=303)


@blueprint.get("/projects/<uuid:project_id>")
@requires("project.view", project="project_id")
def show(project: Project) -> ResponseReturnValue:
    """The project's assets. Fragment: asset_sheet."""
    return render_template("projects/show.html", **_sheet(project))


@blueprint.get("/projects/<uuid:project_id>/asset-sheet")
@requires("project.view", project="project_id")
def asset_sheet(project: Project) -> ResponseReturnValue:
    """The grid alone; it polls while anything in it is not settled."""
    return render_fragment("projects/show.html", "asset_sheet", **_sheet(project))


def _index(form: ProjectForm) -> str:
    principal, visitor = current_principal(), this_visitor()
    projects = [
        project_view(principal, row.project, asset_count=row.assets, locked_bytes=row.locked_bytes)
        for row in list_projects(db.session(), principal)
    ]
    return render_template(
        "projects/index.html",
        projects=projects,
        form=form,
        can_create=principal.organization_role == "admin",
        organization=OrganizationView(visitor.user.organization.name) if visitor else None,
    )


def _sheet(project: Project) -> dict[str, Any]:
    principal = current_principal()
    row = project_row(db.session(), project)
    page = list_assets(db.session(), principal, project.id, request.args.get("cursor"))
    tiles = [_tile(principal, listed) for listed in page.items]
    db.session.commit()  # scopes for the posters may be new
    return {
        "project": project_view(principal, project, asset_count=row.assets, locked_bytes=row.locked_bytes),
        "tiles": tiles,
        "next_href": url_for("projects.show", project_id=project.id, cursor=page.next_cursor)
        if page.next_cursor
        else None,
        "upload_max_human": human_bytes(services().settings.upload_max_bytes),
        "upload_max_bytes": services().settings.upload_max_bytes,
        "settled": all(tile.status.settled for tile in tiles),
        "presign_href": url_for("api.presign"),
        "sheet_href": url_for("projects.asset_sheet", project_id=project.id, cursor=request.args.get("cursor")),
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
