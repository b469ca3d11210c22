"""API tokens: the keys of one's own programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from app.core.errors import Rejected
from app.extensions import db
from app.models import ApiToken, User, utc_now
from app.web.security import current_principal, requires
from app.web.tokens.forms import SCOPES, TokenForm
from app.workflows.make_token import is_live, make_token, tokens_of
from app.workflows.revoke_token import revoke_token

blueprint = Blueprint("tokens", __name__, url_prefix="/account/tokens")

_NEW = "new_token"
_SOON = timedelta(days=7)


@dataclass(frozen=True)
class TokenView:
    """A row of the list."""

    id: UUID
    name: str
    scopes: str
    created: datetime
    last_used: datetime | None
    expires: datetime | None
    live: bool
    ends_soon: bool


@blueprint.get("")
@requires("token.manage")
def index() -> ResponseReturnValue:
    """One's tokens, and, right after it was made, the secret of a new one."""
    return _page(TokenForm())


@blueprint.post("")
@requires("token.manage")
def create() -> ResponseReturnValue:
    """Make a token. Its secret waits in the session's cookie for the next page, and only for that."""
    form = TokenForm()
    if not form.validate_on_submit():
        return _page(form), 422
    principal = current_principal()
    try:
        token, secret = make_token(
            db.session(),
            principal.actor,
            _owner(),
            name=form.name.data or "",
            scopes=form.chosen_scopes,
            expires_at=form.expires_at,
        )
    except Rejected as error:
        return _page(form, error.sentence), 422
    db.session.commit()
    session[_NEW] = {"name": token.name, "secret": secret}
    return redirect(url_for("tokens.index"), code=303)


@blueprint.post("/<uuid:token_id>/revoke")
@requires("token.manage", token="token_id")  # noqa: S106  the name of an argument
def revoke(token: ApiToken) -> ResponseReturnValue:
    """End a token; what uses it is refused from now on."""
    revoke_token(db.session(), current_principal().actor, token)
    db.session.commit()
    flash(f"“{token.name}” is revoked. Programs that use it are refused from now on.", "ok")
    return redirect(url_for("tokens.index"), code=303)


def _owner() -> User:
    return db.session.get_one(User, current_principal().user_id)


def _page(form: TokenForm, error: str | None = None) -> str:
    context: dict[str, Any] = {
        "form": form,
        "error": error,
        "scopes": SCOPES,
        "tokens": [_view(token) for token in tokens_of(db.session(), _owner())],
        "new": session.pop(_NEW, None),
        "address": request.host_url.rstrip("/"),
    }
    return render_template("tokens/index.html", **context)


def _view(token: ApiToken) -> TokenView:
    words = {value: name for value, name, _ in SCOPES}
    live = is_live(token)
    return TokenView(
        id=token.id,
        name=token.name,
        scopes=words["all"] if token.scopes is None else ", ".join(words.get(scope, scope) for scope in token.scopes),
        created=token.created_at,
        last_used=token.last_used_at,
        expires=token.expires_at,
        live=live,
        ends_soon=live and token.expires_at is not None and token.expires_at < utc_now() + _SOON,
    )
