"""The one way in for guests: every route of theirs passes `requires_share`, and nothing else lets them in.

| link                                  | a page               | the player, a fragment, a form |
|---------------------------------------|----------------------|--------------------------------|
| unknown, revoked, past its end        | the closed page, 404 | 404                            |
| open, but this browser has no visit   | to the gate, 303     | 401                            |
| open, the table does not allow it     | 404                  | 404                            |
| open, another share's asset or comment| 404                  | 404                            |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast
from uuid import UUID

from flask import Response, current_app, redirect, request, url_for
from itsdangerous import BadData, URLSafeSerializer
from werkzeug.wrappers import Response as AnyResponse

from app.core.policy import Principal
from app.extensions import db
from app.models import Guest, Share
from app.web import errors
from app.workflows.find_shared import find_shared_asset, find_shared_comment
from app.workflows.open_share import CLOSED, find_open_share, guest_of, principal_of
from app.workflows.record_access import Caller, record_access

V = TypeVar("V", bound=Callable[..., Any])

COOKIE = "rushes_guest"
#: A browser forgets a visit after this long; the server ends it with the share's generation.
COOKIE_LIFE = 30 * 24 * 3600


@dataclass(frozen=True)
class Door:
    """A link before anybody came in. `share` None: there is nothing behind it."""

    token: str
    share: Share | None
    guest: Guest | None
    caller: Caller


@dataclass(frozen=True)
class Visit:
    """A guest inside a share, and what the table allows them."""

    token: str
    share: Share
    guest: Guest
    principal: Principal
    caller: Caller

    def may(self, action: str) -> bool:
        """Does the share allow `action`?"""
        return self.principal.share is not None and self.principal.share.allows(action)

    def record(
        self, what: str, *, asset_id: UUID | None = None, data: dict[str, Any] | None = None, once: bool = False
    ) -> None:
        """Write what the guest has done, in the transaction of the act."""
        record_access(db.session(), self.share, self.guest, what, self.caller, asset_id=asset_id, data=data, once=once)


def requires_share(action: str, *, what: str | None = None, **loads: str) -> Callable[[V], V]:
    """Declare a guest's route, and let in only whom the table allows `action`.

    The view gets a Visit for the URL argument `token`, and by `asset="asset_id"` or `comment="comment_id"` the
    thing, if it is part of the share. `what` is recorded as an access, once in a quarter of an hour.
    """

    def declare(view: V) -> V:
        @wraps(view)
        def checked(token: str, **arguments: Any) -> Any:
            door = _knock(token)
            if door.share is None:
                return closed(token)
            if door.guest is None:
                return _to_gate(token)
            visit = Visit(token, door.share, door.guest, principal_of(door.share, door.guest), door.caller)
            if not visit.may(action):
                raise CLOSED
            for name, argument in loads.items():
                arguments[name] = _LOADERS[name](db.session(), visit.principal, arguments.pop(argument))
            if what is not None:
                asset = arguments.get("asset")
                key = asset.id if asset is not None else None
                visit.record(what, asset_id=key, once=True)
                db.session.commit()
            return view(visit, **arguments)

        cast(Any, checked).policy = action
        return cast(V, checked)

    return declare


def at_the_door(view: V) -> V:
    """Declare a route of the gate itself: it gets a Door, open or not, and answers for both in the same time."""

    @wraps(view)
    def checked(token: str) -> Any:
        return view(_knock(token))

    cast(Any, checked).policy = "share.open"
    return cast(V, checked)


_LOADERS: dict[str, Callable[..., Any]] = {"asset": find_shared_asset, "comment": find_shared_comment}


def _knock(token: str) -> Door:
    session = db.session()
    share = find_open_share(session, token)
    guest = guest_of(session, share, _guest_id()) if share is not None else None
    return Door(token, share, guest, _caller())


def _caller() -> Caller:
    """The address that the trusted proxy names (ProxyFix, TRUSTED_PROXIES), never a header of the guest's own."""
    return Caller(request.remote_addr or "", request.user_agent.string or "")


def closed(token: str) -> Response:
    """The closed page. A page that is open in a browser goes there too, instead of keeping what it shows."""
    response = errors.answer(404, CLOSED.code, CLOSED.sentence)
    if errors.is_partial():
        response.headers["HX-Redirect"] = url_for("guest.door", token=token)
    return response


def _to_gate(token: str) -> AnyResponse:
    gate = url_for("guest.door", token=token)
    if request.method in ("GET", "HEAD") and not errors.wants_json() and not errors.is_partial():
        return redirect(gate, code=303)
    response = errors.answer(401, "come_in_first", "Open the link again and come in by its first page.")
    if errors.is_partial():
        response.headers["HX-Redirect"] = gate
    return response


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="guest of a share")


def _guest_id() -> UUID | None:
    try:
        return UUID(_serializer().loads(request.cookies.get(COOKIE, "")))
    except (BadData, ValueError, TypeError, AttributeError):
        return None


def let_in(response: AnyResponse, token: str, guest: Guest) -> AnyResponse:
    """Give the browser its cookie: for this link's pages only, and worth nothing after the share's generation."""
    response.set_cookie(
        COOKIE,
        _serializer().dumps(str(guest.id)),
        max_age=COOKIE_LIFE,
        path=url_for("guest.door", token=token),
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )
    return response


def let_out(response: AnyResponse, token: str) -> AnyResponse:
    """Take the cookie back."""
    response.delete_cookie(COOKIE, path=url_for("guest.door", token=token))
    return response
