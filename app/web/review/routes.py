"""The review room: the picture, its frames, and what is said about them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.core.errors import RushesError
from app.core.policy import may
from app.extensions import db
from app.models import Asset, Comment, Version
from app.web import errors
from app.web.fragments import render_fragment
from app.web.playback import playback_of, poster_of
from app.web.room import film_facts, playback_body, posted_remark
from app.web.security import current_principal, requires
from app.web.versions import pick_version, posted_version
from app.web.views import RoomLinks, RoomView, comment_views, project_view, version_view
from app.workflows.list_assets import running_promotions, versions_of
from app.workflows.post_comment import comments_of, delete_comment, post_comment

blueprint = Blueprint("review", __name__)
PAGE = "review/show.html"


@blueprint.get("/assets/<uuid:asset_id>/review")
@requires("preview.view", asset="asset_id")
def show(asset: Asset) -> ResponseReturnValue:
    """The room. Fragments: comments, preview_status."""
    return render_template(PAGE, **_context(asset))


@blueprint.get("/assets/<uuid:asset_id>/review/comments", endpoint="comments")
@requires("comment.view", asset="asset_id")
def show_comments(asset: Asset) -> ResponseReturnValue:
    """The list of comments alone; the fragment polls."""
    return render_fragment(PAGE, "comments", **_context(asset))


@blueprint.get("/assets/<uuid:asset_id>/review/preview-status")
@requires("preview.view", asset="asset_id")
def preview_status(asset: Asset) -> ResponseReturnValue:
    """How far the preview is; the fragment polls until it plays or will not."""
    return render_fragment(PAGE, "preview_status", **_context(asset))


@blueprint.get("/assets/<uuid:asset_id>/review/playback")
@requires("preview.view", asset="asset_id")
def playback(asset: Asset) -> ResponseReturnValue:
    """Signed addresses and how long they live; asked again before they end."""
    chosen = pick_version(versions_of(db.session(), asset))
    granted = playback_of(current_principal(), asset, chosen.preview)
    db.session.commit()
    response = jsonify(playback_body(granted))
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/assets/<uuid:asset_id>/review/comments", endpoint="post_comment")
@requires("comment.create", asset="asset_id")
def post(asset: Asset) -> ResponseReturnValue:
    """Say something about a frame. What was typed stays in the form when it is refused."""
    version = posted_version(asset)
    try:
        remark = posted_remark()
        post_comment(db.session(), current_principal(), version, remark)
        db.session.commit()
    except RushesError as error:
        db.session.rollback()
        return _refused(asset, version, error)
    if errors.is_partial():
        return render_fragment(PAGE, "comments", **_context(asset, version.number))
    target = url_for("review.show", asset_id=asset.id, v=version.number, f=remark.frame_in)
    return redirect(target, code=303)


@blueprint.post("/comments/<uuid:comment_id>/delete", endpoint="delete_comment")
@requires("comment.change_own", comment="comment_id")
def delete(comment: Comment) -> ResponseReturnValue:
    """Take a comment back."""
    version = comment.version
    delete_comment(db.session(), current_principal(), comment)
    db.session.commit()
    if errors.is_partial():
        return render_fragment(PAGE, "comments", **_context(version.asset, version.number))
    return redirect(url_for("review.show", asset_id=version.asset_id, v=version.number), code=303)


def _refused(asset: Asset, version: Version, error: RushesError) -> Response:
    """The form again, with the reason and what was typed."""
    context = _context(
        asset, version.number, comment_error=error.sentence, comment_draft=request.form.get("body", "")[:20_000]
    )
    if errors.is_partial():
        response = render_fragment(PAGE, "comment_error", **context)
    else:
        response = Response(render_template(PAGE, **context))
    response.status_code = errors.status_of(error)
    return response


def _context(
    asset: Asset, number: int | None = None, *, comment_error: str | None = None, comment_draft: str = ""
) -> dict[str, Any]:
    principal = current_principal()
    versions = versions_of(db.session(), asset)
    chosen = next((v for v in versions if v.number == number), None) or pick_version(versions)
    comments = comment_views(principal, chosen, comments_of(db.session(), chosen), _links(asset, chosen))
    room = _room(asset, versions, chosen)
    db.session.commit()
    return {
        "room": room,
        "comments": comments,
        "comment_error": comment_error,
        "comment_draft": comment_draft,
        "frame_in": room.first_frame,
    }


def _room(asset: Asset, versions: list[Version], chosen: Version) -> RoomView:
    principal = current_principal()
    project = asset.project
    running = running_promotions(db.session(), [chosen.id])
    return RoomView(
        asset_id=asset.id,
        title=asset.title,
        project=project_view(principal, project),
        version=version_view(chosen, running.get(chosen.id)),
        versions=[
            (v.number, url_for("review.show", asset_id=asset.id, v=v.number), v.id == chosen.id) for v in versions
        ],
        playback_href=url_for("review.playback", asset_id=asset.id, v=chosen.number),
        poster=poster_of(principal, asset, chosen.preview),
        links=_links(asset, chosen),
        can_comment=may(principal, "comment.create", project_id=project.id, organization_id=project.organization_id),
        **film_facts(chosen.preview),
    )


def _links(asset: Asset, version: Version) -> RoomLinks:
    def here(endpoint: str, frame: int | None = None) -> str:
        return url_for(endpoint, asset_id=asset.id, v=version.number, f=frame)

    return RoomLinks(
        show=lambda frame: here("review.show", frame),
        delete=lambda comment_id: url_for("review.delete_comment", comment_id=comment_id),
        comments=here("review.comments"),
        preview_status=here("review.preview_status"),
        post=url_for("review.post_comment", asset_id=asset.id),
        facts=here("assets.show"),
        retry=url_for("assets.retry", asset_id=asset.id),
    )
