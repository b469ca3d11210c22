"""A page of the comments of a version, in frame order."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, joinedload

from app.core.cursor import decode_frame, encode
from app.models import Comment, Version


@dataclass(frozen=True)
class CommentsPage:
    """Some comments, and the cursor of the next page."""

    items: list[Comment]
    next_cursor: str | None


def list_comments(session: Session, version: Version, cursor: str | None, *, limit: int) -> CommentsPage:
    """The comments behind `cursor`, where the caller has checked `comment.view`. Raises Rejected for a bad cursor."""
    query = (
        select(Comment)
        .where(Comment.asset_id == version.asset_id, Comment.version_id == version.id, Comment.deleted_at.is_(None))
        .options(joinedload(Comment.author), joinedload(Comment.guest))
        .order_by(Comment.frame_in, Comment.id)
        .limit(limit + 1)
    )
    if cursor is not None:
        query = query.where(tuple_(Comment.frame_in, Comment.id) > tuple_(*decode_frame(cursor)))
    found = list(session.scalars(query))
    items = found[:limit]
    return CommentsPage(items, encode(items[-1].frame_in, items[-1].id) if len(found) > limit else None)
