"""Shares of a project, for the people of the house: who outside may watch what, until when, and who did."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.core.errors import Conflict, Rejected, RushesError
from app.extensions import db
from app.models import Asset, Project, Share, User
from app.web import errors
from app.web.auth.hashing import hashed
from app.web.fragments import render_fragment
from app.web.projects.nav import project_nav
from app.web.security import current_principal, requires
from app.web.services import services
from app.web.shares.forms import default_values, posted_terms, posted_values, today, values_of
from app.web.shares.views import access_views, labels_of, link_of, link_stays_here, share_view
from app.web.views import project_view
from app.workflows.change_share import change_share
from app.workflows.create_share import create_share
from app.workflows.list_shares import list_shares, rows_of
from app.workflows.record_access import list_accesses
from app.workflows.revoke_share import renew_share, revoke_share

blueprint = Blueprint("shares", __name__)
#: More assets than this are not listed to choose from; the newest are.
MOST_CHOICES = 300


@blueprint.get("/projects/<uuid:project_id>/shares")
@requires("share.view", project="project_id")
def index(project: Project) -> ResponseReturnValue:
    """Open shares, or closed ones with `?closed=1`."""
    return render_template("shares/index.html", **_listed(project))


@blueprint.get("/projects/<uuid:project_id>/shares/new")
@requires("share.create", project="project_id")
def new(project: Project) -> ResponseReturnValue:
    """The form for a share; `?asset=` chooses one beforehand, several times for several."""
    return _form(project, default_values(_asked_assets()))


@blueprint.post("/projects/<uuid:project_id>/shares")
@requires("share.create", project="project_id")
def create(project: Project) -> ResponseReturnValue:
    """Make a share, and go where its link is."""
    try:
        terms = posted_terms(None)
        share = create_share(db.session(), _secret(), current_principal(), project, terms, hasher=hashed)
        db.session.commit()
    except (Rejected, Conflict) as error:
        db.session.rollback()
        return _under(error, _form(project, posted_values(), error))
    flash("The link is ready. Copy it and send it; the password goes in another message.", "ok")
    return redirect(url_for("shares.show", share_id=share.id), code=303)


@blueprint.get("/shares/<uuid:share_id>")
@requires("share.view", share="share_id")
def show(share: Share) -> ResponseReturnValue:
    """One share: its link, its terms, its visits. Fragment: visits."""
    return _page(share)


@blueprint.get("/shares/<uuid:share_id>/visits")
@requires("share.view", share="share_id")
def visits(share: Share) -> ResponseReturnValue:
    """The latest accesses alone; the fragment polls."""
    return render_fragment("shares/show.html", "visits", **_visits(share))


@blueprint.post("/shares/<uuid:share_id>")
@requires("share.change", share="share_id")
def change(share: Share) -> ResponseReturnValue:
    """Change what the link opens."""
    try:
        change_share(db.session(), current_principal(), share, posted_terms(share), hasher=hashed)
        db.session.commit()
    except (Rejected, Conflict) as error:
        db.session.rollback()
        db.session.refresh(share)
        return _under(error, _page(share, posted_values(), error))
    flash("Saved. It holds from now on, also for who has the link open.", "ok")
    return redirect(url_for("shares.show", share_id=share.id), code=303)


@blueprint.post("/shares/<uuid:share_id>/revoke")
@requires("share.change", share="share_id")
def revoke(share: Share) -> ResponseReturnValue:
    """Close the link, its pages and its media."""
    revoke_share(db.session(), current_principal(), share)
    db.session.commit()
    flash(f"“{share.name}” is closed. Its pages and players stop now.", "ok")
    return redirect(url_for("shares.show", share_id=share.id), code=303)


@blueprint.post("/shares/<uuid:share_id>/renew")
@requires("share.change", share="share_id")
def renew(share: Share) -> ResponseReturnValue:
    """Give the share a new link; the old one ends."""
    renew_share(db.session(), _secret(), current_principal(), share)
    db.session.commit()
    flash("This is a new link. The old one is closed.", "ok")
    return redirect(url_for("shares.show", share_id=share.id), code=303)


def _secret() -> bytes:
    return services().settings.secret_key.get_secret_value().encode()


def _asked_assets() -> list[UUID]:
    found = []
    for text in request.args.getlist("asset"):
        try:
            found.append(UUID(text))
        except ValueError:
            raise Rejected("bad_id", "This address names no asset. Go back and choose one.") from None
    return found


def _under(error: RushesError, page: str) -> Response:
    response = make_response(page)
    response.status_code = errors.status_of(error)
    return response


def _listed(project: Project) -> dict[str, Any]:
    principal = current_principal()
    rows = [share_view(row) for row in list_shares(db.session(), principal, project_id=project.id)]
    closed = bool(request.args.get("closed"))
    return {
        "project": project_view(principal, project),
        "nav": project_nav(principal, project, "shares"),
        "shares": [row for row in rows if (row.state != "open") == closed],
        "closed": closed,
        "numbers": {
            "open": sum(row.state == "open" for row in rows),
            "closed": sum(row.state != "open" for row in rows),
        },
    }


def _choices(project: Project, chosen: object) -> list[Asset]:
    """The assets to choose from: the newest, and those that are chosen."""
    newest = db.session.scalars(
        select(Asset).where(Asset.project_id == project.id).order_by(Asset.created_at.desc()).limit(MOST_CHOICES)
    ).all()
    wanted = set(chosen if isinstance(chosen, set) else ()) - {asset.id for asset in newest}
    more = db.session.scalars(select(Asset).where(Asset.id.in_(wanted), Asset.project_id == project.id)).all()
    return sorted((*newest, *more), key=lambda asset: asset.title.lower())


def _form(project: Project, values: dict[str, object], error: RushesError | None = None) -> str:
    return render_template(
        "shares/new.html",
        project=project_view(current_principal(), project),
        **_form_context(project, values, error),
        action=url_for("shares.create", project_id=project.id),
        has_password=False,
    )


def _form_context(project: Project, values: dict[str, object], error: RushesError | None) -> dict[str, Any]:
    return {
        "values": values,
        "choices": _choices(project, values["assets"]),
        "fields": error.fields if error else {},
        "error": error.sentence if error else None,
        "today": today(),
    }


def _visits(share: Share) -> dict[str, Any]:
    accesses = list_accesses(db.session(), share)
    row = rows_of(db.session(), [share])[0]
    return {
        "share": share_view(row),
        "visits": access_views(accesses, labels_of(db.session(), accesses, share)),
    }


def _page(share: Share, values: dict[str, object] | None = None, error: RushesError | None = None) -> str:
    maker = db.session.get(User, share.created_by)
    return render_template(
        "shares/show.html",
        project=project_view(current_principal(), share.project),
        **_visits(share),
        **_form_context(share.project, values or values_of(share), error),
        link=link_of(share),
        stays_here=link_stays_here(),
        made_by=maker.name if maker else "",
        made_at=share.created_at,
        action=url_for("shares.change", share_id=share.id),
        has_password=share.password_hash is not None,
    )
