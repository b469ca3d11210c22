"""One's own account: name, password, and the browsers that are signed in."""

from __future__ import annotations

from flask import Blueprint, current_app, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import logout_user

from app.core.errors import RushesError, Unauthenticated
from app.core.passwords import MIN_PASSWORD
from app.extensions import db, limiter
from app.models import UserSession
from app.web.account.browsers import browser_words
from app.web.auth.hashing import hashed, matches
from app.web.forms import Fault, refused
from app.web.security import SignedIn, requires, this_visitor
from app.workflows.begin_session import end_all_sessions, end_session
from app.workflows.change_password import change_password, rename_user
from app.workflows.list_people import list_visits

blueprint = Blueprint("account", __name__)


@blueprint.get("/account")
@requires("account.own")
def show() -> ResponseReturnValue:
    """The page."""
    return _page()


@blueprint.post("/account/name")
@requires("account.own")
def rename() -> ResponseReturnValue:
    """Change one's name."""
    try:
        rename_user(db.session(), _visitor().user, request.form.get("name", ""))
        db.session.commit()
    except RushesError as error:
        return refused(error, "name", _page)
    flash("Your name is changed.", "ok")
    return redirect(url_for("account.show"), code=303)


@blueprint.post("/account/password", endpoint="change_password")
@requires("account.own")
@limiter.limit("10 per minute", key_func=lambda: f"password:{_visitor().user.id}")
def change() -> ResponseReturnValue:
    """Change one's password; other browsers are signed out."""
    visitor = _visitor()
    try:
        ended = change_password(
            db.session(),
            visitor.user,
            present=request.form.get("present", ""),
            new=request.form.get("new", ""),
            visit_id=visitor.visit.id,
            matches=matches,
            hasher=hashed,
        )
        db.session.commit()
    except RushesError as error:
        return refused(error, "password", _page)
    others = {0: "No other browser was signed in.", 1: "One other browser was signed out."}
    flash(f"Your password is changed. {others.get(ended, f'{ended} other browsers were signed out.')}", "ok")
    return redirect(url_for("account.show"), code=303)


@blueprint.post("/account/sessions/<uuid:visit_id>/end", endpoint="end_session")
@requires("account.own", visit="visit_id")
def end(visit: UserSession) -> ResponseReturnValue:
    """Sign one browser out; this one goes to the sign-in page."""
    here = visit.id == _visitor().visit.id
    end_session(db.session(), visit)
    db.session.commit()
    if here:
        return _leave()
    flash(f"{browser_words(visit.user_agent)} is signed out.", "ok")
    return redirect(url_for("account.show"), code=303)


@blueprint.post("/account/sessions/end-all", endpoint="end_all_sessions")
@requires("account.own")
def end_all() -> ResponseReturnValue:
    """Sign out everywhere, here too."""
    end_all_sessions(db.session(), _visitor().user)
    db.session.commit()
    return _leave()


def _leave() -> ResponseReturnValue:
    logout_user()
    session.clear()
    flash("You are signed out.", "ok")
    return redirect(url_for("auth.sign_in"), code=303)


def _visitor() -> SignedIn:
    """The person at this browser: what is one's own is not changed by a program."""
    visitor = this_visitor()
    if visitor is None:
        raise Unauthenticated("sign_in", "Sign in to go on.")
    return visitor


def _page(fault: Fault | None = None) -> str:
    visitor = _visitor()
    user = visitor.user
    visits = list_visits(db.session(), user.id)
    return render_template(
        "account/show.html",
        name=user.name,
        email=user.email,
        role=user.role,
        organization=user.organization.name,
        visits=[
            {
                "id": visit.id,
                "words": browser_words(visit.user_agent),
                "phone": "Mobile" in visit.user_agent,
                "begun": visit.created_at,
                "last_seen": visit.last_seen_at,
                "here": visit.id == visitor.visit.id,
            }
            for visit in sorted(visits, key=lambda visit: visit.id != visitor.visit.id)
        ],
        tokens_href=url_for("tokens.index") if "tokens.index" in current_app.view_functions else None,
        min_password=MIN_PASSWORD,
        fault=fault,
    )
