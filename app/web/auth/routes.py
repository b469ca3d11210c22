"""Sign in and out, and join by an invitation."""

from __future__ import annotations

from urllib.parse import urlsplit

import structlog
from flask import Blueprint, Response, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import logout_user
from sqlalchemy import func, select

from app.core.errors import RushesError
from app.core.passwords import MIN_PASSWORD
from app.extensions import db, limiter
from app.models import Organization, User
from app.web.auth.forms import SignInForm
from app.web.auth.hashing import hashed, matches
from app.web.auth.visits import sign_in_here
from app.web.forms import Fault, refused
from app.web.security import public, this_visitor
from app.workflows.accept_invitation import accept_invitation, open_invitation
from app.workflows.begin_session import end_session

log = structlog.get_logger(__name__)
blueprint = Blueprint("auth", __name__)

WRONG = "Email or password is wrong. After ten tries we wait a minute."


def _account() -> str:
    return f"sign-in:{(request.form.get('email') or '').strip().lower()[:320]}"


@blueprint.get("/sign-in")
@public("nobody is signed in yet")
def sign_in() -> ResponseReturnValue:
    """The form; who is signed in already goes on."""
    if this_visitor() is not None:
        return redirect(_next(), code=303)
    return _page(SignInForm())


@blueprint.post("/sign-in", endpoint="submit_sign_in")
@public("nobody is signed in yet")
@limiter.limit("30 per minute")
@limiter.limit("10 per minute", key_func=_account)
def submit_sign_in() -> ResponseReturnValue:
    """Check address and password; unknown addresses take as long as known ones."""
    form = SignInForm()
    if not form.validate_on_submit():
        return _page(form), 422
    email = (form.email.data or "").strip().lower()
    user = db.session.scalars(select(User).where(func.lower(User.email) == email)).one_or_none()
    active = user is not None and user.deactivated_at is None
    if not matches(user.password_hash if user and active else None, form.password.data or "") or user is None:
        log.info("sign_in_refused")
        return _page(form, WRONG), 422
    target = _next()
    sign_in_here(user)
    return redirect(target, code=303)


@blueprint.post("/sign-out")
@public("signing out twice is harmless")
def sign_out() -> ResponseReturnValue:
    """End this browser's session, here and in the database."""
    visitor = this_visitor()
    if visitor is not None:
        end_session(db.session(), visitor.visit)
        db.session.commit()
    logout_user()
    session.clear()
    return redirect(url_for("auth.sign_in"), code=303)


@blueprint.get("/join/<token>")
@public("the token of the link is the proof")
@limiter.limit("60 per minute")
def join(token: str) -> ResponseReturnValue:
    """Who was invited gives a name and a password. A link that is closed says no more than that."""
    return _sealed(_join_page(token))


@blueprint.post("/join/<token>", endpoint="submit_join")
@public("the token of the link is the proof")
@limiter.limit("20 per minute")
def submit_join(token: str) -> ResponseReturnValue:
    """Make the account, and sign this browser in."""
    try:
        user = accept_invitation(
            db.session(),
            token,
            name=request.form.get("name", ""),
            password=request.form.get("password", ""),
            hasher=hashed,
        )
        sign_in_here(user)
    except RushesError as error:
        return _sealed(refused(error, "join", lambda fault: _join_page(token, fault)))
    log.info("joined", user_id=str(user.id))
    return redirect(url_for("projects.index"), code=303)


def _join_page(token: str, fault: Fault | None = None) -> str:
    invitation = open_invitation(db.session(), token)
    visitor = this_visitor()
    return render_template(
        "auth/join.html",
        organization=db.session.get_one(Organization, invitation.organization_id).name,
        email=invitation.email,
        action=url_for("auth.submit_join", token=token),
        signed_in_as=visitor.email if visitor else None,
        min_password=MIN_PASSWORD,
        fault=fault,
    )


def _sealed(page: str | Response) -> Response:
    """The address is a secret: it goes to no other site, and no search engine keeps it."""
    response = make_response(page)
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _page(form: SignInForm, error: str | None = None) -> str:
    return render_template("auth/sign_in.html", form=form, error=error, organization=None)


def _next() -> str:
    """Where to go after signing in: a path of ours, never another host."""
    target = request.args.get("next", "")
    parts = urlsplit(target)
    if target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme:
        return target
    return url_for("projects.index")
