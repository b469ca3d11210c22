"""Who asks, from where, and may they: host check, sign-in, policy on every route, headers.

A view declares its policy with `requires` or `public`; a test fails for a route that has none.
"""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, g, request, url_for
from flask_login import current_user
from flask_wtf.csrf import generate_csrf
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response as AnyResponse

from app.core.audit import Actor
from app.core.errors import Unauthenticated
from app.core.passwords import hash_token
from app.core.policy import PROJECT_ACTIONS, Principal, check_organization, check_scope
from app.core.settings import WebSettings
from app.extensions import csrf, db, login_manager
from app.models import ApiToken, Membership, User, UserSession, utc_now
from app.web import errors
from app.web.services import services
from app.workflows import find, find_people, list_jobs

V = TypeVar("V", bound=Callable[..., Any])

_SEEN_EVERY = timedelta(minutes=5)
_PROJECT_ACTIONS = frozenset().union(*PROJECT_ACTIONS.values())

#: What `requires(action, name="url_argument")` loads, as far as the principal may do the action.
LOADERS: Mapping[str, Callable[[Session, Principal, uuid.UUID, str], Any]] = {
    "project": find.find_project,
    "job": list_jobs.find_job,
    "asset": find.find_asset,
    "version": find.find_version,
    "share": find.find_share,
    "upload": lambda session, principal, key, _action: find.find_upload(session, principal, key),
    "comment": lambda session, principal, key, action: find.find_comment(
        session, principal, key, change=action != "comment.view"
    ),
    "person": find_people.find_user,
    "invitation": find_people.find_invitation,
    "client": find_people.find_client,
    "membership": find_people.find_membership,
    "collection": find_people.find_collection,
    "visit": find_people.find_visit,
    "token": lambda session, principal, key, _action: find.find_token(session, principal, key),
}


class SignedIn:
    """The signed-in person of this browser, as Flask-Login wants it. Its id is the session row's."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, visit: UserSession) -> None:
        self.visit = visit
        self.user = visit.user
        self.name, self.email = visit.user.name, visit.user.email

    @property
    def is_admin(self) -> bool:
        """Whether the pages of the organisation's admins are theirs."""
        return self.user.role == "admin"

    @property
    def initials(self) -> str:
        """Two letters for a face."""
        words = self.name.split() or [self.email]
        return (words[0][0] + (words[-1][0] if len(words) > 1 else words[0][1:2])).upper()

    def get_id(self) -> str:
        """The id of the session row."""
        return str(self.visit.id)


def public(why: str) -> Callable[[V], V]:
    """Declare a route that anybody may call, and why."""

    def declare(view: V) -> V:
        cast(Any, view).policy = f"public: {why}"
        return view

    return declare


def requires(action: str, **loads: str) -> Callable[[V], V]:
    """Declare a route's policy and enforce it.

    `requires("asset.view", asset="asset_id")` replaces the URL argument `asset_id` by the asset, found as far
    as the principal may do the action there. Without a thing to load, an action of the organisation is checked
    here; an action of a project is checked by the view, which gets its project from the request's body.
    """

    def declare(view: V) -> V:
        @wraps(view)
        def checked(**arguments: Any) -> Any:
            principal = current_principal()
            check_scope(principal, action)
            if not loads and action not in _PROJECT_ACTIONS:
                check_organization(principal, action)
            for name, argument in loads.items():
                arguments[name] = LOADERS[name](db.session(), principal, arguments.pop(argument), action)
            return view(**arguments)

        cast(Any, checked).policy = action
        return cast(V, checked)

    return declare


def current_principal() -> Principal:
    """Who asks. Raises Unauthenticated."""
    if "principal" not in g:
        g.principal = _from_token() if bearer_token() is not None else _from_session()
    return cast(Principal, g.principal)


def bearer_token() -> str | None:
    """The API token of the request, as it was sent; None without one."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def _from_token() -> Principal:
    token = db.session.scalars(
        select(ApiToken)
        .where(ApiToken.token_hash == hash_token(bearer_token() or ""))
        .options(joinedload(ApiToken.user))
    ).one_or_none()
    now = utc_now()
    if token is None or token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= now):
        raise Unauthenticated("bad_token", "This API token is not known, was revoked or has expired. Make a new one.")
    if token.last_used_at is None or token.last_used_at < now - _SEEN_EVERY:
        token.last_used_at = now
        db.session.commit()
    scopes = None if token.scopes is None else frozenset(map(str, token.scopes))
    return _principal(token.user, "token", scopes)


def _from_session() -> Principal:
    signed_in = this_visitor()
    if signed_in is None:
        raise Unauthenticated("sign_in", "Sign in to go on.")
    return _principal(signed_in.user, "user")


def this_visitor() -> SignedIn | None:
    """The person signed in by this browser's cookie."""
    user: Any = current_user
    return user._get_current_object() if user.is_authenticated else None


def _principal(user: User, kind: str, scopes: frozenset[str] | None = None) -> Principal:
    if user.deactivated_at is not None:
        raise Unauthenticated("deactivated", "This account was deactivated. Ask an admin of your organisation.")
    roles = db.session.execute(
        select(Membership.project_id, Membership.role).where(Membership.user_id == user.id)
    ).all()
    mine = {row.project_id: row.role for row in roles}
    return Principal(Actor(cast(Any, kind), user.id), user.organization_id, user.role, mine, scopes)


def register(app: Flask, settings: WebSettings) -> None:
    """Install the checks before each request and the headers after it."""
    policy = content_security_policy(settings)
    app.before_request(_name_request)
    app.before_request(lambda: _check_host(settings))
    app.before_request(_check_csrf)
    app.after_request(lambda response: _headers(response, policy))
    login_manager.init_app(app)
    login_manager.session_protection = None  # the session row is the truth, not the address
    login_manager.user_loader(_load_visit)
    csrf.init_app(app)


def _load_visit(visit_id: str) -> SignedIn | None:
    try:
        key = uuid.UUID(visit_id)
    except ValueError:
        return None
    visit = db.session.scalars(
        select(UserSession).where(UserSession.id == key).options(joinedload(UserSession.user))
    ).one_or_none()
    if visit is None or visit.revoked_at is not None or visit.user.deactivated_at is not None:
        return None
    if visit.last_seen_at < utc_now() - _SEEN_EVERY:
        visit.last_seen_at = utc_now()
        db.session.commit()
    return SignedIn(visit)


def _name_request() -> None:
    g.request_id = uuid.uuid4().hex[:16]
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)
    asset_id = (request.view_args or {}).get("asset_id")
    if asset_id is not None:
        structlog.contextvars.bind_contextvars(asset_id=str(asset_id))


def _check_host(settings: WebSettings) -> Response | None:
    if request.endpoint in ("health.healthz", "health.readyz", "health.metrics"):
        return None  # a platform's probes call by address
    host = urlsplit(f"//{request.host}").hostname or ""
    if is_loopback(host) or host in allowed_hosts(settings):
        return None
    return errors.answer(
        421,
        "unknown_host",
        f"This server does not answer for “{host[:100]}”. "
        f"Its operator can add TRUSTED_HOSTS={host[:100]} to the environment.",
    )


def allowed_hosts(settings: WebSettings) -> frozenset[str]:
    """Host names of the environment: TRUSTED_HOSTS and that of PUBLIC_URL."""
    named = {urlsplit(f"//{host}").hostname or "" for host in settings.trusted_hosts}
    if settings.public_url:
        named.add(urlsplit(settings.public_url).hostname or "")
    return frozenset(named - {""})


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine; any port of it is allowed, for tunnels."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_csrf() -> None:
    """Every mutation by a cookie needs the token; a bearer token is no cookie and needs none."""
    if request.method in ("GET", "HEAD", "OPTIONS", "TRACE") or request.endpoint is None or bearer_token() is not None:
        return
    if request.blueprint == "api" and this_visitor() is None:
        return  # nobody's cookie to misuse: the view answers 401
    csrf.protect()


def content_security_policy(settings: WebSettings) -> str:
    """Scripts and styles from ourselves alone; media from the edge, parts to S3."""
    edge = settings.edge_base_url or ""
    storage = settings.s3_public_endpoint or ""
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "font-src": "'self'",
        "img-src": f"'self' data: {edge}",
        "media-src": f"'self' blob: {edge}",
        "connect-src": f"'self' {edge} {storage}",
        "worker-src": "'self'",
        "manifest-src": "'self'",
        # Browsers check where a form's answer redirects to: downloads are posted, so that each is recorded.
        "form-action": f"'self' {edge} {storage}",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {' '.join(value.split())}" for name, value in rules.items())


def _headers(response: AnyResponse, policy: str) -> AnyResponse:
    if request.endpoint == "static" and request.path.endswith("hash-worker.js"):
        # Only the hashing worker compiles WebAssembly; pages stay without it.
        policy = policy.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")
    response.headers.setdefault("Content-Security-Policy", policy)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if errors.is_guest_path():
        response.headers["Referrer-Policy"] = "no-referrer"  # the address of the page is the key
        response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
    response.headers["X-Request-Id"] = g.get("request_id", "")
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    elif "v" not in request.args:
        # Modules import one another by plain names: without a digest in the address they are asked for each time.
        response.headers["Cache-Control"] = "no-cache"
    return response


def page_context() -> dict[str, Any]:
    """What every template may use."""
    return {"csrf_token": generate_csrf, "sign_in_url": url_for("auth.sign_in"), "services": services}
