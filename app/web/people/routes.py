"""The people of the organisation, and the links by which they come."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from app.core.errors import RushesError
from app.core.policy import ORGANIZATION_ACTIONS
from app.extensions import db
from app.models import Invitation, User
from app.web.forms import Fault, form_id, refused
from app.web.people.views import ORGANIZATION_ROLES, PROJECT_ROLES, person_view
from app.web.security import current_principal, is_loopback, requires
from app.web.services import services
from app.workflows.change_role import change_role
from app.workflows.deactivate_user import deactivate_user, reactivate_user
from app.workflows.find import find_project
from app.workflows.invite_person import LIFE, Wanted, invite_person, revoke_invitation
from app.workflows.list_assets import list_projects
from app.workflows.list_people import list_invitations, list_people

blueprint = Blueprint("people", __name__)


@blueprint.get("/people")
@requires("people.manage")
def index() -> ResponseReturnValue:
    """Everybody, and the open invitations. The link of one made just now is shown this once."""
    return _page(new=session.pop("invited", None))


@blueprint.post("/people/invitations")
@requires("people.manage")
def invite() -> ResponseReturnValue:
    """Make a one-use link."""
    principal = current_principal()
    try:
        project_id = form_id("project_id")
        project = find_project(db.session(), principal, project_id, "project.manage") if project_id else None
        wanted = Wanted(
            email=request.form.get("email", ""),
            role=request.form.get("role", ""),
            project=project,
            project_role=request.form.get("project_role"),
        )
        invited = invite_person(db.session(), principal, wanted)
        email, token = invited.invitation.email, invited.token
        db.session.commit()
    except RushesError as error:
        return refused(error, "invite", _page)
    session["invited"] = {"email": email, "token": token}
    return redirect(url_for("people.index"), code=303)


@blueprint.post("/people/invitations/<uuid:invitation_id>/revoke")
@requires("people.manage", invitation="invitation_id")
def revoke(invitation: Invitation) -> ResponseReturnValue:
    """Let a link die."""
    email = invitation.email
    try:
        revoke_invitation(db.session(), current_principal(), invitation)
        db.session.commit()
    except RushesError as error:
        return refused(error, "revoke", _page)
    flash(f"The link for {email} no longer works.", "ok")
    return redirect(url_for("people.index"), code=303)


@blueprint.post("/people/<uuid:user_id>/role", endpoint="change_role")
@requires("people.manage", person="user_id")
def change(person: User) -> ResponseReturnValue:
    """Make a member an admin, or an admin a member."""
    try:
        change_role(db.session(), current_principal(), person, request.form.get("role", ""))
        db.session.commit()
    except RushesError as error:
        return refused(error, "role", _page)
    return _after(person)


@blueprint.post("/people/<uuid:user_id>/deactivate")
@requires("people.manage", person="user_id")
def deactivate(person: User) -> ResponseReturnValue:
    """Shut a person out."""
    name = person.name
    try:
        deactivate_user(db.session(), current_principal(), person)
        db.session.commit()
    except RushesError as error:
        return refused(error, "role", _page)
    flash(f"{name} is signed out everywhere and cannot come back until you reactivate the account.", "ok")
    return _after(person)


@blueprint.post("/people/<uuid:user_id>/reactivate")
@requires("people.manage", person="user_id")
def reactivate(person: User) -> ResponseReturnValue:
    """Let a person in again."""
    name = person.name
    reactivate_user(db.session(), current_principal(), person)
    db.session.commit()
    flash(f"{name} can sign in again.", "ok")
    return _after(person)


def _after(person: User) -> ResponseReturnValue:
    """Back to the list, unless that is no longer one's own."""
    if person.id != current_principal().user_id or (person.role == "admin" and person.deactivated_at is None):
        return redirect(url_for("people.index"), code=303)
    session.pop("_flashes", None)
    return redirect(url_for("projects.index"), code=303)


def _page(fault: Fault | None = None, *, new: dict[str, str] | None = None) -> str:
    principal = current_principal()
    organization_id = principal.organization_id
    people = list_people(db.session(), organization_id)
    return render_template(
        "people/index.html",
        people=[person_view(principal, p.user, last_seen=p.last_seen, projects=p.projects) for p in people],
        invitations=[
            {
                "id": row.invitation.id,
                "email": row.invitation.email,
                "role": row.invitation.role,
                "project": row.project,
                "project_role": row.invitation.project_role,
                "by": row.by,
                "expires": row.invitation.expires_at,
            }
            for row in list_invitations(db.session(), organization_id)
        ],
        projects=[(row.project.id, row.project.name) for row in list_projects(db.session(), principal)],
        roles=ORGANIZATION_ROLES,
        project_roles=PROJECT_ROLES,
        new_email=new["email"] if new else None,
        new_link=_link(new["token"]) if new else None,
        only_here=is_loopback(urlsplit(_link("")).hostname or ""),
        days=LIFE.days,
        can_manage="people.manage" in ORGANIZATION_ACTIONS[principal.organization_role],
        fault=fault,
    )


def _link(token: str) -> str:
    base = services().settings.public_url or request.host_url.rstrip("/")
    return base + url_for("auth.join", token=token or "-")
