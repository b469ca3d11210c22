"""Who did what: in a project for its editors, in the whole organisation for its admins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.extensions import db
from app.models import Project
from app.web.activity.words import Entry, entry
from app.web.projects.nav import project_nav
from app.web.security import current_principal, requires
from app.web.views import project_view
from app.workflows.list_activities import KINDS, Page, list_activities
from app.workflows.seal_activities import head_of

blueprint = Blueprint("activity", __name__)

TITLES = {"jobs": "Work", "project": "Projects"}


@dataclass(frozen=True)
class Choice:
    """A kind of activity to look for."""

    name: str
    href: str
    chosen: bool


@blueprint.get("/projects/<uuid:project_id>/activity")
@requires("activity.view", project="project_id")
def show(project: Project) -> ResponseReturnValue:
    """The log of one project."""
    page, principal = _page(project), current_principal()
    return render_template(
        "activity/show.html",
        project=project_view(principal, project),
        nav=project_nav(principal, project, "activity"),
        **_context(page, "activity.show", project_id=project.id),
    )


@blueprint.get("/activity")
@requires("audit.view")
def index() -> ResponseReturnValue:
    """The log of the organisation, and up to which row it is sealed."""
    page = _page(None)
    head = head_of(db.session(), current_principal().organization_id)
    return render_template("activity/index.html", head=head, **_context(page, "activity.index"))


def _page(project: Project | None) -> Page:
    return list_activities(
        db.session(),
        current_principal().organization_id,
        project_id=project.id if project else None,
        kind=request.args.get("kind"),
        cursor=request.args.get("cursor"),
    )


def _context(page: Page, endpoint: str, **place: Any) -> dict[str, Any]:
    kind = request.args.get("kind")
    kind = kind if kind in KINDS else None
    choices = [Choice("All", url_for(endpoint, **place), kind is None)]
    for name in KINDS:
        title = TITLES.get(name, name.capitalize())
        choices.append(Choice(title, url_for(endpoint, kind=name, **place), name == kind))
    entries: list[Entry] = [entry(listed) for listed in page.items]
    return {
        "entries": entries,
        "choices": choices,
        "filtered": kind is not None,
        "first_page": "cursor" not in request.args,
        "all_href": url_for(endpoint, **place),
        "next_href": url_for(endpoint, kind=kind, cursor=page.next_cursor, **place) if page.next_cursor else None,
    }
