"""Sign in and out."""

from __future__ import annotations

from urllib.parse import urlsplit

import structlog
from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import logout_user
from sqlalchemy import func, select

from app.extensions import db, limiter
from app.models import User
from app.web.auth.forms import SignInForm
from app.web.auth.hashing import matches
from app.web.auth.visits import sign_in_here
from app.web.security import public, this_visitor
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


def _page(form: SignInForm, error: str | None = None) -> str:
    return render_template("auth/sign_in.html", form=form, error=error, organization=None)


def _next() -> str:
    """Where to go after signing in: a path of ours, never another host."""
    target = request.args.get("next", "")
    parts = urlsplit(target)
    if target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme:
        return target
    return url_for("projects.index")
