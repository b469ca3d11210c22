"""Projects by HTTP."""

from __future__ import annotations

from flask import jsonify
from flask.typing import ResponseReturnValue

from app.core.errors import NotFound
from app.extensions import db
from app.models import Client
from app.web.api.answers import ProjectAnswer, ProjectPage
from app.web.api.blueprint import blueprint
from app.web.api.bodies import PageQuery, ProjectBody, read, read_query
from app.web.api.contract import contract
from app.web.api.json_views import project_json
from app.web.security import current_principal, requires
from app.workflows.create_project import ProjectSettings, create_project
from app.workflows.page_projects import page_projects


@blueprint.get("/projects")
@requires("projects.list")
@contract({200: ProjectPage}, query=PageQuery)
def projects() -> ResponseReturnValue:
    """The projects that one may see, newest first."""
    query = read_query(PageQuery)
    principal = current_principal()
    page = page_projects(db.session(), principal, query.cursor, limit=query.limit)
    body: ProjectPage = {
        "items": [project_json(principal, project) for project in page.items],
        "nextCursor": page.next_cursor,
    }
    return jsonify(body)


@blueprint.post("/projects", endpoint="create_project")
@requires("projects.create")
@contract({201: ProjectAnswer}, body=ProjectBody, errors=(404,))
def new_project() -> ResponseReturnValue:
    """Make a project; for admins of the organisation."""
    body = read(ProjectBody)
    principal = current_principal()
    client = db.session.get(Client, body.client_id) if body.client_id else None
    if body.client_id and client is None:
        raise NotFound("not_found", "There is no such client in your organisation.")
    project = create_project(db.session(), principal, ProjectSettings(body.name, client))
    db.session.commit()
    return jsonify(project_json(principal, project)), 201
