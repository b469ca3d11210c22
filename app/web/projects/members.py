"""Who works in a project, and as what."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.core.errors import NotFound, Rejected, RushesError
from app.core.policy import ORGANIZATION_ACTIONS
from app.extensions import db
from app.models import Membership, Project, User
from app.web.forms import Fault, form_id, refused
from app.web.people.views import PROJECT_ROLES, person_view
from app.web.projects.blueprint import blueprint
from app.web.projects.nav import project_nav
from app.web.security import current_principal, requires
from app.web.views import project_view
from app.workflows.change_membership import add_member, change_member_role, remove_member
from app.workflows.list_people import list_admins, list_candidates, list_members


@blueprint.get("/projects/<uuid:project_id>/people")
@requires("project.manage", project="project_id")
def members(project: Project) -> ResponseReturnValue:
    """The people of a project."""
    return _page(project)


@blueprint.post("/projects/<uuid:project_id>/people", endpoint="add_member")
@requires("project.manage", project="project_id")
def add(project: Project) -> ResponseReturnValue:
    """Let somebody of the organisation in."""
    try:
        user = _posted_user(project)
        add_member(db.session(), current_principal(), project, user, request.form.get("role", ""))
        name = user.name
        db.session.commit()
    except RushesError as error:
        return refused(error, "add", lambda fault: _page(project, fault))
    flash(f"{name} is in this project now.", "ok")
    return redirect(url_for("projects.members", project_id=project.id), code=303)


@blueprint.post("/memberships/<uuid:membership_id>/role", endpoint="change_member_role")
@requires("project.manage", membership="membership_id")
def change(membership: Membership) -> ResponseReturnValue:
    """Give a member another role."""
    project = membership.project
    try:
        change_member_role(db.session(), current_principal(), membership, request.form.get("role", ""))
        db.session.commit()
    except RushesError as error:
        return refused(error, "role", lambda fault: _page(project, fault))
    return _after(project)


@blueprint.post("/memberships/<uuid:membership_id>/remove", endpoint="remove_member")
@requires("project.manage", membership="membership_id")
def remove(membership: Membership) -> ResponseReturnValue:
    """Take somebody out; their players stop."""
    project = membership.project
    name = db.session.get_one(User, membership.user_id).name
    remove_member(db.session(), current_principal(), membership)
    db.session.commit()
    flash(f"{name} is no longer in {project.name}.", "ok")
    return _after(project)


def _posted_user(project: Project) -> User:
    user_id = form_id("user_id")
    if user_id is None:
        raise Rejected("nobody_chosen", "Choose somebody.", fields={"user_id": "Choose somebody."})
    user = db.session.get(User, user_id)
    if user is None or user.organization_id != project.organization_id:
        raise NotFound("not_found", "There is nothing here, or it is not yours to see.")
    return user


def _after(project: Project) -> ResponseReturnValue:
    """Who has just given up their own rights does not come back to this page."""
    principal = current_principal()
    mine = db.session.query(Membership.role).filter_by(project_id=project.id, user_id=principal.user_id).scalar()
    if principal.organization_role == "admin" or mine == "admin":
        return redirect(url_for("projects.members", project_id=project.id), code=303)
    return redirect(url_for("projects.show", project_id=project.id) if mine else url_for("projects.index"), code=303)


def _page(project: Project, fault: Fault | None = None) -> str:
    principal = current_principal()
    candidates = list_candidates(db.session(), project)
    return render_template(
        "projects/members.html",
        project=project_view(principal, project),
        nav=project_nav(principal, project, "people"),
        members=[
            {"id": row.membership.id, "role": row.membership.role, "person": person_view(principal, row.user)}
            for row in list_members(db.session(), project.id)
        ],
        admins=[person_view(principal, user) for user in list_admins(db.session(), project.organization_id)],
        candidates=[(user.id, user.name, user.email) for user in candidates],
        roles=PROJECT_ROLES,
        can_invite="people.manage" in ORGANIZATION_ACTIONS[principal.organization_role],
        fault=fault,
    )
