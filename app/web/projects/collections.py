"""Make, rename and delete the collections of a project."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.core.errors import RushesError
from app.extensions import db
from app.models import Collection, Project
from app.web.forms import refused
from app.web.projects.blueprint import blueprint
from app.web.projects.sheet import Chosen, sheet_page
from app.web.security import current_principal, requires
from app.workflows.create_collection import create_collection, delete_collection, rename_collection


@blueprint.post("/projects/<uuid:project_id>/collections", endpoint="create_collection")
@requires("collection.change", project="project_id")
def create(project: Project) -> ResponseReturnValue:
    """Make a collection and go there."""
    try:
        made = create_collection(db.session(), current_principal(), project, request.form.get("name", ""))
        db.session.commit()
    except RushesError as error:
        return refused(error, "collection", lambda fault: sheet_page(project, Chosen(), fault))
    return redirect(url_for("projects.show", project_id=project.id, collection=made.id), code=303)


@blueprint.post("/collections/<uuid:collection_id>/rename", endpoint="rename_collection")
@requires("collection.change", collection="collection_id")
def rename(collection: Collection) -> ResponseReturnValue:
    """Give it another name."""
    try:
        rename_collection(db.session(), current_principal(), collection, request.form.get("name", ""))
        db.session.commit()
    except RushesError as error:
        return refused(error, "rename", lambda fault: sheet_page(_project(collection), _chosen(collection), fault))
    return redirect(_href(collection), code=303)


@blueprint.post("/collections/<uuid:collection_id>/delete", endpoint="delete_collection")
@requires("collection.change", collection="collection_id")
def delete(collection: Collection) -> ResponseReturnValue:
    """Delete it when it is empty."""
    name, project_id = collection.name, collection.project_id
    try:
        delete_collection(db.session(), current_principal(), collection)
        db.session.commit()
    except RushesError as error:
        return refused(error, "delete", lambda fault: sheet_page(_project(collection), _chosen(collection), fault))
    flash(f"The collection {name} is deleted.", "ok")
    return redirect(url_for("projects.show", project_id=project_id), code=303)


def _project(collection: Collection) -> Project:
    return db.session.get_one(Project, collection.project_id)


def _chosen(collection: Collection) -> Chosen:
    return Chosen(str(collection.id), collection)


def _href(collection: Collection) -> str:
    return url_for("projects.show", project_id=collection.project_id, collection=collection.id)
