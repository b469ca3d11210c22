"""For whom the projects of the house are made."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.core.errors import RushesError
from app.extensions import db
from app.models import Client
from app.web.forms import Fault, refused
from app.web.projects.blueprint import blueprint
from app.web.security import current_principal, requires
from app.workflows.create_client import create_client, delete_client, rename_client
from app.workflows.list_people import list_clients


@blueprint.get("/clients", endpoint="clients")
@requires("clients.manage")
def show_clients() -> ResponseReturnValue:
    """The clients with their numbers of projects."""
    return _page()


@blueprint.post("/clients", endpoint="create_client")
@requires("clients.manage")
def create() -> ResponseReturnValue:
    """Make a client."""
    try:
        client = create_client(db.session(), current_principal(), request.form.get("name", ""))
        name = client.name
        db.session.commit()
    except RushesError as error:
        return refused(error, "create", _page)
    flash(f"{name} is a client now. Choose it in the settings of a project.", "ok")
    return redirect(url_for("projects.clients"), code=303)


@blueprint.post("/clients/<uuid:client_id>/rename", endpoint="rename_client")
@requires("clients.manage", client="client_id")
def rename(client: Client) -> ResponseReturnValue:
    """Give a client another name."""
    form = f"rename-{client.id}"
    try:
        rename_client(db.session(), current_principal(), client, request.form.get("name", ""))
        db.session.commit()
    except RushesError as error:
        return refused(error, form, _page)
    return redirect(url_for("projects.clients"), code=303)


@blueprint.post("/clients/<uuid:client_id>/delete", endpoint="delete_client")
@requires("clients.manage", client="client_id")
def delete(client: Client) -> ResponseReturnValue:
    """Delete a client without projects."""
    name = client.name
    try:
        delete_client(db.session(), current_principal(), client)
        db.session.commit()
    except RushesError as error:
        return refused(error, "delete", _page)
    flash(f"The client {name} is deleted.", "ok")
    return redirect(url_for("projects.clients"), code=303)


def _page(fault: Fault | None = None) -> str:
    rows = list_clients(db.session(), current_principal().organization_id)
    return render_template(
        "projects/clients.html",
        clients=[{"id": client.id, "name": client.name, "projects": count} for client, count in rows],
        fault=fault,
    )
