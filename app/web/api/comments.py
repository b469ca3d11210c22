"""Comments by HTTP."""

from __future__ import annotations

from uuid import UUID

from flask import jsonify, request
from flask.typing import ResponseReturnValue

from app.core.errors import Rejected
from app.extensions import db
from app.models import Comment
from app.web.api.blueprint import blueprint
from app.web.api.bodies import CommentBody, CommentChange, read
from app.web.api.json_views import comment_json
from app.web.security import current_principal, requires
from app.workflows.find import find_version
from app.workflows.post_comment import Remark, comments_of, delete_comment, edit_comment, post_comment


@blueprint.get("/comments")
@requires("comment.view")
def comments() -> ResponseReturnValue:
    """The comments of `?versionId=`, in frame order."""
    try:
        version_id = UUID(request.args.get("versionId", ""))
    except ValueError:
        raise Rejected("bad_id", "Say whose comments: ?versionId=…", fields={"versionId": "is not a UUID"}) from None
    version = find_version(db.session(), current_principal(), version_id, "comment.view")
    return jsonify(items=[comment_json(c) for c in comments_of(db.session(), version)], nextCursor=None)


@blueprint.post("/comments")
@requires("comment.create")
def create_comment() -> ResponseReturnValue:
    """Say something about a frame or a range."""
    body = read(CommentBody)
    principal = current_principal()
    version = find_version(db.session(), principal, body.version_id, "comment.create")
    anchor = (body.anchor.x, body.anchor.y) if body.anchor else None
    remark = Remark(body.frame_in, body.body, body.frame_out, anchor, body.parent_id)
    comment = post_comment(db.session(), principal, version, remark)
    db.session.commit()
    return jsonify(comment_json(comment)), 201


@blueprint.patch("/comments/<uuid:comment_id>")
@requires("comment.change_own", comment="comment_id")
def change_comment(comment: Comment) -> ResponseReturnValue:
    """Replace the text."""
    edit_comment(db.session(), current_principal(), comment, read(CommentChange).body)
    db.session.commit()
    return jsonify(comment_json(comment))


@blueprint.delete("/comments/<uuid:comment_id>", endpoint="delete_comment")
@requires("comment.change_own", comment="comment_id")
def remove_comment(comment: Comment) -> ResponseReturnValue:
    """Take a comment back."""
    delete_comment(db.session(), current_principal(), comment)
    db.session.commit()
    return "", 204
