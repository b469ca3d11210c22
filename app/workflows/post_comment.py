"""Say something about a frame, and take it back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.core import audit
from app.core.errors import Conflict, Rejected
from app.core.policy import Principal
from app.models import Comment, Version, utc_now

MAX_BODY = 10_000
#: Control characters but tab and line feed; NUL cannot be stored and the others cannot be seen.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Remark:
    """What somebody says: of one frame, or of `frame_in` to `frame_out`, both included."""

    frame_in: int
    body: str
    frame_out: int | None = None
    anchor: tuple[float, float] | None = None
    parent_id: UUID | None = None


def post_comment(session: Session, principal: Principal, version: Version, remark: Remark) -> Comment:
    """Add a comment to a version, where the caller has checked `comment.create`.

    Raises Rejected (empty, too long, frame outside the film, a range turned round, unknown parent) or
    Conflict (the version has no frames to comment on yet).
    """
    body = clean_body(remark.body)
    _check_frames(version, remark)
    if remark.parent_id is not None:
        _check_parent(session, version, remark.parent_id)
    x, y = remark.anchor or (None, None)
    comment = Comment(
        asset_id=version.asset_id,
        version_id=version.id,
        author_id=None if principal.share else principal.user_id,
        guest_id=principal.actor.id if principal.share else None,
        parent_id=remark.parent_id,
        frame_in=remark.frame_in,
        frame_out=remark.frame_out,
        anchor_x=x,
        anchor_y=y,
        body=body,
    )
    session.add(comment)
    session.flush()
    _record(session, principal, version, comment, "comment.posted")
    return comment


def edit_comment(session: Session, principal: Principal, comment: Comment, body: str) -> None:
    """Replace the text, where the caller has checked that the principal may. Raises Rejected."""
    comment.body = clean_body(body)
    comment.edited_at = utc_now()
    _record(session, principal, comment.version, comment, "comment.edited")


def delete_comment(session: Session, principal: Principal, comment: Comment) -> None:
    """Take a comment back; the row stays for the history. The caller has checked that the principal may."""
    comment.deleted_at = utc_now()
    _record(session, principal, comment.version, comment, "comment.deleted")


def comments_of(session: Session, version: Version) -> list[Comment]:
    """The comments of a version in frame order."""
    return list(
        session.scalars(
            select(Comment)
            .where(Comment.asset_id == version.asset_id, Comment.version_id == version.id, Comment.deleted_at.is_(None))
            .options(joinedload(Comment.author), joinedload(Comment.guest))
            .order_by(Comment.frame_in, Comment.id)
        )
    )


def clean_body(body: str) -> str:
    """The text as it is kept: line feeds only, no other control characters. Raises Rejected."""
    clean = _CONTROL.sub("", body.replace("\r\n", "\n")).strip()
    if not clean:
        raise Rejected("empty_comment", "Write something before you post.", fields={"body": "is empty"})
    if len(clean) > MAX_BODY:
        raise Rejected(
            "comment_too_long",
            f"This comment has {len(clean):,} characters; the limit is {MAX_BODY:,}. Shorten it or attach a file.",
            fields={"body": "is too long"},
        )
    return clean


def _check_frames(version: Version, remark: Remark) -> None:
    preview = version.preview
    count = preview.frame_count if preview is not None else None
    if count is None:
        raise Conflict("no_frames_yet", "The frames of this version are not known yet. Wait for the preview.")
    last = count - 1
    if not 0 <= remark.frame_in <= last:
        raise Rejected(
            "frame_outside",
            f"This film has the frames 0 to {last}; {remark.frame_in} is not one of them.",
            fields={"frame_in": "is outside of the film"},
        )
    if remark.frame_out is not None and not remark.frame_in <= remark.frame_out <= last:
        raise Rejected(
            "range_outside",
            f"The range must end at its beginning or later, and at frame {last} at the latest.",
            fields={"frame_out": "is outside"},
        )
    if remark.anchor is not None and not all(0 <= value <= 1 for value in remark.anchor):
        raise Rejected("anchor_outside", "A point of the picture lies between 0 and 1 in both directions.")


def _check_parent(session: Session, version: Version, parent_id: UUID) -> None:
    parent = session.get(Comment, parent_id)
    if parent is None or parent.version_id != version.id or parent.deleted_at is not None:
        raise Rejected("unknown_parent", "The comment that this one answers is no longer there.")


def _record(session: Session, principal: Principal, version: Version, comment: Comment, action: str) -> None:
    project = version.asset.project
    audit.record(
        session,
        principal.actor,
        action,
        organization_id=project.organization_id,
        project_id=project.id,
        target_kind="comment",
        target_id=comment.id,
        data={"frameIn": comment.frame_in},
    )
