"""Every project that one may see, and the form for a new one."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.core.errors import RushesError
from app.core.policy import ORGANIZATION_ACTIONS
from app.extensions import db
from app.models import Client
from app.web.forms import Fault, form_id, refused
from app.web.projects.blueprint import blueprint
from app.web.security import current_principal, requires, this_visitor
from app.web.views import OrganizationView, project_view
from app.workflows.create_project import ProjectSettings, create_project
from app.workflows.find_people import find_client
from app.workflows.list_assets import list_projects
from app.workflows.list_people import list_clients


@blueprint.get("/")
@requires("projects.list")
def index() -> ResponseReturnValue:
    """Every project that one may see."""
    return _page()


@blueprint.post("/projects")
@requires("projects.create")
def create() -> ResponseReturnValue:
    """Make a project."""
    try:
        settings = ProjectSettings(request.form.get("name", ""), posted_client())
        project = create_project(db.session(), current_principal(), settings)
        db.session.commit()
    except RushesError as error:
        return refused(error, "project", _page)
    return redirect(url_for("projects.show", project_id=project.id), code=303)


def posted_client() -> Client | None:
    """The client that the form chooses. Raises Rejected, NotFound or Denied."""
    client_id = form_id("client_id")
    return find_client(db.session(), current_principal(), client_id, "clients.manage") if client_id else None


def _page(fault: Fault | None = None) -> str:
    principal, visitor = current_principal(), this_visitor()
    projects = [
        project_view(principal, row.project, asset_count=row.assets, locked_bytes=row.locked_bytes)
        for row in list_projects(db.session(), principal)
    ]
    can_create = "projects.create" in ORGANIZATION_ACTIONS[principal.organization_role]
    return render_template(
        "projects/index.html",
        projects=projects,
        fault=fault,
        can_create=can_create,
        clients=list_clients(db.session(), principal.organization_id) if can_create else [],
        organization=OrganizationView(visitor.user.organization.name) if visitor else None,
    )
