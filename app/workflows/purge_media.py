"""Take the objects of media ids out of every edge's cache."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from app.workflows.edge_events import announce


def purge_media(session: Session, media_ids: Iterable[str], *, forbid: bool = False) -> None:
    """Have connected edges drop all objects of these media ids within a second of the commit.

    Somebody with a living token may make them come again from the storage, so delete them there first.
    With `forbid` no edge serves them to anybody until every token that is out now has ended: for bytes that
    must not be seen again, as the id stays forbidden for a later build too. Call it last in the transaction.
    """
    names = sorted(set(media_ids))
    if forbid:
        announce(session, "deny", names)  # first: what is dropped must not come again in between
    announce(session, "purge", names)
