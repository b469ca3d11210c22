"""Comments by HTTP."""

from __future__ import annotations

from typing import Any

from flask import jsonify
from flask.typing import ResponseReturnValue

from app.extensions import db
from app.models import Comment
from app.web.api.answers import CommentAnswer, CommentPage
from app.web.api.blueprint import blueprint
from app.web.api.bodies import CommentBody, CommentChange, CommentsQuery, read, read_query
from app.web.api.contract import contract
from app.web.api.idempotency import answers_once
from app.web.api.json_views import comment_json
from app.web.security import current_principal, requires
from app.workflows.find import find_version
from app.workflows.list_comments import list_comments
from app.workflows.post_comment import Remark, delete_comment, edit_comment, post_comment


@blueprint.get("/comments")
@requires("comment.view")
@contract({200: CommentPage}, query=CommentsQuery, errors=(404,))
def comments() -> ResponseReturnValue:
    """The comments of a version, in frame order."""
    query = read_query(CommentsQuery)
    version = find_version(db.session(), current_principal(), query.version_id, "comment.view")
    page = list_comments(db.session(), version, query.cursor, limit=query.limit)
    body: CommentPage = {"items": [comment_json(comment) for comment in page.items], "nextCursor": page.next_cursor}
    return jsonify(body)


@blueprint.post("/comments")
@requires("comment.create")
@contract({201: CommentAnswer}, body=CommentBody, errors=(404, 409), idempotent=True)
@answers_once
def create_comment() -> tuple[Any, int]:
    """Say something about a frame, or about the range up to `frameOut`."""
    body = read(CommentBody)
    principal = current_principal()
    version = find_version(db.session(), principal, body.version_id, "comment.create")
    anchor = (body.anchor.x, body.anchor.y) if body.anchor else None
    remark = Remark(body.frame_in, body.body, body.frame_out, anchor, body.parent_id)
    return comment_json(post_comment(db.session(), principal, version, remark)), 201


@blueprint.patch("/comments/<uuid:comment_id>")
@requires("comment.change_own", comment="comment_id")
@contract({200: CommentAnswer}, body=CommentChange)
def change_comment(comment: Comment) -> ResponseReturnValue:
    """Replace the text."""
    edit_comment(db.session(), current_principal(), comment, read(CommentChange).body)
    db.session.commit()
    return jsonify(comment_json(comment))


@blueprint.delete("/comments/<uuid:comment_id>", endpoint="delete_comment")
@requires("comment.change_own", comment="comment_id")
@contract({204: None})
def remove_comment(comment: Comment) -> ResponseReturnValue:
    """Take a comment back."""
    delete_comment(db.session(), current_principal(), comment)
    db.session.commit()
    return "", 204
