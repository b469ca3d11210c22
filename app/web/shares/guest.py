"""The guest's pages, all under /s/<token>: the gate, the list, the room. Each passes app.web.shares.gate."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.core.errors import Conflict, NotFound, Rejected, RushesError
from app.extensions import db, limiter
from app.models import Asset, Comment, Version
from app.web import errors
from app.web.auth.hashing import matches
from app.web.forms import form_id
from app.web.fragments import render_fragment
from app.web.playback import playback_of
from app.web.room import playback_body, posted_remark
from app.web.services import services
from app.web.shares.gate import Door, Visit, at_the_door, closed, let_in, let_out, requires_share
from app.web.shares.guest_views import (
    downloads_of,
    guest_view,
    links_of,
    room_view,
    sender_view,
    tile_view,
)
from app.web.views import comment_views
from app.workflows.download_master import download_master as give_master
from app.workflows.find_shared import list_shared, locked_version, shown_now, shown_version
from app.workflows.open_share import open_share
from app.workflows.post_comment import comments_of
from app.workflows.post_comment import delete_comment as take_back
from app.workflows.post_comment import post_comment as post

blueprint = Blueprint("guest", __name__, url_prefix="/s/<token>")
ROOM = "shares/room.html"
#: Its fragments are blocks of the member's room, given a guest's links.
FRAGMENTS = "review/show.html"


def _tries() -> str:
    """One counter for a link and an address: a guesser here does not lock out the office next door."""
    token = (request.view_args or {}).get("token", "")
    return f"share:{hashlib.sha256(token.encode()).hexdigest()[:32]}:{request.remote_addr}"


def _failed(response: Response) -> bool:
    return response.status_code >= 400


@blueprint.get("", strict_slashes=False)
@at_the_door
def door(door: Door) -> ResponseReturnValue:
    """The gate; who is inside already goes on to the list, or to the one film."""
    if door.share is None:
        return closed(door.token)
    if door.guest is None:
        return _gate(door)
    return redirect(url_for("guest.index", token=door.token), code=303)


@blueprint.post("", endpoint="enter")
@limiter.limit("60 per minute", deduct_when=_failed)
@limiter.limit("10 per minute", key_func=_tries, deduct_when=_failed)
@at_the_door
def enter(door: Door) -> ResponseReturnValue:
    """Compare the password, take the name. It takes as long where there is nothing behind the link."""
    share = door.share
    stored = share.password_hash if share is not None else None
    right = matches(stored, request.form.get("password", "")[:1024])
    if share is None:
        return closed(door.token)
    name = request.form.get("name", "")
    try:
        guest = open_share(db.session(), share, name=name, right_password=right or stored is None, caller=door.caller)
    except Rejected as error:
        db.session.commit()  # the wrong password is on record
        return _gate(door, error, name[:200]), errors.status_of(error)
    db.session.commit()
    return let_in(redirect(url_for("guest.index", token=door.token), code=303), door.token, guest)


@blueprint.post("/leave")
@requires_share("share.open")
def leave(visit: Visit) -> ResponseReturnValue:
    """End the visit in this browser."""
    return let_out(redirect(url_for("guest.door", token=visit.token), code=303), visit.token)


@blueprint.get("/assets")
@requires_share("asset.view")
def index(visit: Visit) -> ResponseReturnValue:
    """The assets of the share; a single one is opened at once."""
    shared = list_shared(db.session(), visit.principal)
    if len(shared) == 1:
        return redirect(url_for("guest.room", token=visit.token, asset_id=shared[0].asset.id), code=303)
    visit.record("listed", once=True)
    tiles = [tile_view(visit, one) for one in shared]
    db.session.commit()
    return render_template("shares/list.html", guest=guest_view(visit, single=False), tiles=tiles)


@blueprint.get("/assets/<uuid:asset_id>")
@requires_share("preview.view", asset="asset_id", what="viewed")
def room(visit: Visit, asset: Asset) -> ResponseReturnValue:
    """The room of one asset."""
    return render_template(ROOM, **_context(visit, asset))


@blueprint.get("/assets/<uuid:asset_id>/comments")
@requires_share("comment.view", asset="asset_id", what="viewed")
def comments(visit: Visit, asset: Asset) -> ResponseReturnValue:
    """The list of comments alone; the fragment polls."""
    return render_fragment(FRAGMENTS, "comments", **_context(visit, asset))


@blueprint.get("/assets/<uuid:asset_id>/preview-status")
@requires_share("preview.view", asset="asset_id", what="viewed")
def preview_status(visit: Visit, asset: Asset) -> ResponseReturnValue:
    """Whether it plays by now; it polls only until then, and the page is then loaded anew."""
    response = render_fragment(FRAGMENTS, "preview_status", **_context(visit, asset))
    if shown_version(db.session(), asset) is not None:
        response.headers["HX-Refresh"] = "true"
    return response


@blueprint.get("/assets/<uuid:asset_id>/playback")
@requires_share("preview.view", asset="asset_id", what="viewed")
def playback(visit: Visit, asset: Asset) -> ResponseReturnValue:
    """Signed addresses and how long they live; asked again before they end."""
    version = shown_version(db.session(), asset)
    granted = playback_of(visit.principal, asset, version.preview if version else None)
    db.session.commit()
    return jsonify(playback_body(granted))


@blueprint.post("/assets/<uuid:asset_id>/comments", endpoint="post_comment")
@limiter.limit("60 per minute", key_func=_tries)
@requires_share("comment.create", asset="asset_id")
def post_comment(visit: Visit, asset: Asset) -> ResponseReturnValue:
    """Say something about a frame. What was typed stays in the form when it is refused."""
    try:
        remark = posted_remark()
        version = _posted_version(asset)
        comment = post(db.session(), visit.principal, version, remark)
        visit.record("commented", asset_id=asset.id, data={"frame": comment.frame_in})
        db.session.commit()
    except (Rejected, Conflict) as error:
        db.session.rollback()
        return _refused(visit, asset, error)
    if errors.is_partial():
        return render_fragment(FRAGMENTS, "comments", **_context(visit, asset))
    return redirect(links_of(visit, asset).show(remark.frame_in), code=303)


@blueprint.post("/comments/<uuid:comment_id>/delete", endpoint="delete_comment")
@requires_share("comment.change_own", comment="comment_id")
def delete_comment(visit: Visit, comment: Comment) -> ResponseReturnValue:
    """Take one's own comment back."""
    asset = comment.version.asset
    take_back(db.session(), visit.principal, comment)
    visit.record("comment_deleted", asset_id=asset.id, data={"frame": comment.frame_in})
    db.session.commit()
    if errors.is_partial():
        return render_fragment(FRAGMENTS, "comments", **_context(visit, asset))
    return redirect(url_for("guest.room", token=visit.token, asset_id=asset.id), code=303)


@blueprint.get("/assets/<uuid:asset_id>/preview-file", endpoint="download_proxy")
@requires_share("proxy.download", asset="asset_id")
def download_proxy(visit: Visit, asset: Asset) -> ResponseReturnValue:
    """Send the browser to the MP4 on the edge; recorded each time."""
    version = shown_version(db.session(), asset)
    granted = playback_of(visit.principal, asset, version.preview if version else None)
    if granted is None or granted.mp4 is None:
        raise Conflict("not_built_yet", "The preview file is still being built. Try again in a few minutes.")
    visit.record("proxy_downloaded", asset_id=asset.id)
    db.session.commit()
    return redirect(granted.mp4, code=303)


@blueprint.post("/assets/<uuid:asset_id>/master", endpoint="download_master")
@requires_share("master.download", asset="asset_id")
def download_master(visit: Visit, asset: Asset) -> ResponseReturnValue:
    """Record the download, then send the browser to an address of the master that lives for a minute."""
    version = shown_version(db.session(), asset) or locked_version(db.session(), asset)
    if version is None:
        raise Conflict("no_master", "There is no locked master here yet. Try again in a few minutes.")
    have = services()
    address = give_master(db.session(), have.storage, have.download_signer(), visit.principal, version)
    visit.record("master_downloaded", asset_id=asset.id)
    db.session.commit()
    return redirect(address, code=303)


def _gate(door: Door, error: RushesError | None = None, name: str = "") -> str:
    """The first page. While a password guards it, it says nothing of what lies behind."""
    share = door.share
    if share is None:
        raise NotFound("share_closed", "There is nothing behind this link.")
    locked = share.password_hash is not None
    return render_template(
        "shares/gate.html",
        locked=locked,
        title=None if locked else share.name,
        sender=None if locked else sender_view(share),
        count=None if locked else len(share.assets),
        until=None if locked else share.expires_at,
        fields=error.fields if error else {},
        name=name,
        action=url_for("guest.enter", token=door.token),
    )


def _posted_version(asset: Asset) -> Version:
    version_id = form_id("version_id")
    if version_id is None:
        raise Rejected("bad_version", "The form does not say which version is meant.")
    return shown_now(db.session(), asset, version_id)


def _refused(visit: Visit, asset: Asset, error: RushesError) -> Response:
    """The form again, with the reason and what was typed."""
    context = _context(visit, asset, comment_error=error.sentence, comment_draft=request.form.get("body", "")[:20_000])
    if errors.is_partial():
        response = render_fragment(FRAGMENTS, "comment_error", **context)
    else:
        response = Response(render_template(ROOM, **context))
    response.status_code = 422  # also for a conflict: the composer shows what comes under this status
    return response


def _context(
    visit: Visit, asset: Asset, *, comment_error: str | None = None, comment_draft: str = ""
) -> dict[str, Any]:
    room, version = room_view(visit, asset)
    listed = comments_of(db.session(), version) if version is not None and visit.may("comment.view") else []
    downloads = downloads_of(visit, asset, version)
    context = {
        "guest": guest_view(visit, single=len(visit.share.assets) == 1),
        "room": room,
        "downloads": downloads,
        "comments": comment_views(visit.principal, version, listed, room.links) if version is not None else [],
        "comment_error": comment_error,
        "comment_draft": comment_draft,
        "frame_in": room.first_frame,
    }
    db.session.commit()
    return context
