"""What edges are told: denied scopes and purged media ids, by a long poll.

An edge of this machine asks at the web's own address; one elsewhere asks through the front door, so the way
is open to everybody and the key alone decides. Without CONTROL_KEY there is nothing here.
"""

from __future__ import annotations

import hmac
import select
import socket
from typing import cast

from flask import Blueprint, current_app, jsonify, request
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from app.core.errors import NotFound, Rejected, Unauthenticated
from app.extensions import db, limiter
from app.models import EdgeEvent
from app.web.control.watcher import Watcher
from app.web.security import public
from app.web.services import services
from app.workflows.edge_events import Feed, events_after

blueprint = Blueprint("control", __name__)

#: Seconds that an answer is kept back for; proxies on the way must wait longer than that.
WAIT = 25
_DIGITS = 18  # of a bigint


@blueprint.record_once
def _prepare(state: BlueprintSetupState) -> None:
    url = state.app.extensions["rushes"].settings.database_url.get_secret_value()
    state.app.extensions["control"] = Watcher(url)


@blueprint.get("/control/events")
@public("authenticated by CONTROL_KEY")
@limiter.exempt
def events() -> ResponseReturnValue:
    """`{events: [{id, kind, subject, until}], cursor}` after `cursor`, at once or within `wait` seconds.

    `until` in Unix seconds. With `resync: true` the events are all live denials: the edge drops what it has.
    Raises Unauthenticated, Rejected, and NotFound without CONTROL_KEY.
    """
    _check_key()
    cursor, wait = _number("cursor"), min(_number("wait"), WAIT)
    feed = events_after(db.session(), cursor)
    if not feed.events and not feed.resync and wait:
        db.session.remove()  # no connection of the pool is held while waiting
        watcher = cast(Watcher, current_app.extensions["control"])
        if watcher.wait(cursor, wait, over=_client_is_gone):
            feed = events_after(db.session(), cursor)
    return jsonify(_shown(feed))


def _check_key() -> None:
    key = services().settings.control_key
    if key is None:
        raise NotFound("no_control", "This server tells edges nothing: CONTROL_KEY is not set.")
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    right = hmac.compare_digest(given.strip().encode(), key.get_secret_value().encode())
    if kind.lower() != "bearer" or not right:
        raise Unauthenticated("bad_control_key", "This is not the key of the control channel.")


def _number(name: str) -> int:
    given = request.args.get(name, "0")
    if not (given.isascii() and given.isdecimal() and len(given) <= _DIGITS):
        raise Rejected("bad_number", f"“{name}” must be a whole number from 0 on.", fields={name: "is no number"})
    return int(given)


def _client_is_gone() -> bool:
    """Whether the edge has hung up, as far as the server lets us see its connection."""
    connection = request.environ.get("gunicorn.socket")
    if connection is None:
        return False
    try:
        if not select.select([connection], [], [], 0)[0]:
            return False
        return not connection.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):
        return True


def _shown(feed: Feed) -> dict[str, object]:
    body: dict[str, object] = {"events": [_event(event) for event in feed.events], "cursor": feed.cursor}
    return {**body, "resync": True} if feed.resync else body


def _event(event: EdgeEvent) -> dict[str, object]:
    return {"id": event.id, "kind": event.kind, "subject": event.subject, "until": int(event.until.timestamp()) + 1}
