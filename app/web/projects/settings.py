"""What a project is called, for whom it is, and how its previews are built."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.core.errors import RushesError
from app.core.policy import ORGANIZATION_ACTIONS
from app.extensions import db
from app.models import Client, Project
from app.web.forms import Fault, refused
from app.web.projects.blueprint import blueprint
from app.web.projects.index import posted_client
from app.web.projects.nav import project_nav
from app.web.security import current_principal, requires
from app.web.views import project_view
from app.workflows.create_project import ProjectSettings, change_project
from app.workflows.list_people import list_clients


@blueprint.get("/projects/<uuid:project_id>/settings", endpoint="settings")
@requires("project.manage", project="project_id")
def show_settings(project: Project) -> ResponseReturnValue:
    """The form."""
    return _page(project)


@blueprint.post("/projects/<uuid:project_id>/settings", endpoint="change_settings")
@requires("project.manage", project="project_id")
def change_settings(project: Project) -> ResponseReturnValue:
    """Apply it. Only admins of the organisation choose the client, for only they see all clients."""
    try:
        wanted = ProjectSettings(
            name=request.form.get("name", ""),
            client=posted_client() if _sees_clients() else _client(project),
            wants_2160="wants_2160" in request.form,
        )
        changed = change_project(db.session(), current_principal(), project, wanted)
        db.session.commit()
    except RushesError as error:
        return refused(error, "settings", lambda fault: _page(project, fault))
    flash("Saved." if changed else "Nothing was changed.", "ok" if changed else "info")
    return redirect(url_for("projects.settings", project_id=project.id), code=303)


def _client(project: Project) -> Client | None:
    return project.client


def _sees_clients() -> bool:
    return "clients.manage" in ORGANIZATION_ACTIONS[current_principal().organization_role]


def _page(project: Project, fault: Fault | None = None) -> str:
    principal = current_principal()
    clients = list_clients(db.session(), principal.organization_id) if _sees_clients() else None
    return render_template(
        "projects/settings.html",
        project=project_view(principal, project),
        nav=project_nav(principal, project, "settings"),
        client_id=project.client_id,
        wants_2160=project.wants_2160,
        clients=[(client.id, client.name) for client, _count in clients] if clients is not None else None,
        fault=fault,
    )
