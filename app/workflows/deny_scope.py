"""Take back what edge tokens open: everything that was signed for a scope's handle."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.models import MediaScope, utc_now
from app.workflows.edge_events import announce


def deny_scopes(session: Session, handles: Iterable[str]) -> None:
    """Deny scopes by their handles, in the caller's transaction, which also writes the activity.

    Connected edges refuse their tokens within a second of the commit. Call it last: until the commit all
    other denials wait. The row keeps its generation; whoever still has the right gets a new one. Handles that
    were denied before are announced again, which changes nothing.
    """
    names = sorted(set(handles))
    if not names:
        return
    session.execute(
        update(MediaScope)
        .where(MediaScope.handle.in_(names), MediaScope.denied_at.is_(None))
        .values(denied_at=utc_now())
        .execution_options(synchronize_session="fetch")
    )
    announce(session, "deny", names)
