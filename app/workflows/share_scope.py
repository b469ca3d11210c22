"""The handle that stands in the edge tokens of a share's guests."""

from __future__ import annotations

from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.core import signing
from app.core.errors import NotFound
from app.core.policy import ShareGrant
from app.models import MediaScope, Share


def share_scope(session: Session, grant: ShareGrant) -> str:
    """The handle of a share at the generation of this visit, made when there is none: letter d where its guests
    may download the proxy, else v.

    Raises NotFound when the share has changed meanwhile: a request that was let in just before must not make a
    handle that nobody denies.
    """
    current = select(MediaScope.handle).where(
        MediaScope.share_id == grant.share_id,
        MediaScope.generation == grant.generation,
        MediaScope.denied_at.is_(None),
    )
    found = session.scalar(current)
    if found is not None:
        return found
    # Whoever changes the share holds its row for update (app.workflows.share_terms.hold_share) and denies what
    # is there: this row is either seen by them, or not made.
    unchanged = (Share.id == grant.share_id, Share.generation == grant.generation, Share.revoked_at.is_(None))
    session.execute(select(Share.id).where(*unchanged).with_for_update(read=True))
    letter = "d" if grant.allows("proxy.download") else "v"
    row = select(
        literal(signing.new_scope(letter)).label("handle"), Share.id, Share.project_id, Share.generation
    ).where(*unchanged)
    session.execute(
        insert(MediaScope)
        .from_select(["handle", "share_id", "project_id", "generation"], row)
        .on_conflict_do_nothing(index_elements=["share_id", "generation"])
    )
    made = session.scalars(current).one_or_none()
    if made is None:
        raise NotFound("share_closed", "This link has just been changed or closed. Open it again.")
    return made
