"""What every edge must hear, in the order in which it became true.

The cursor of an edge is the id of the last event that it heard, so no event may ever become visible behind a
later one. Ids are drawn under a lock that is held until the commit: PostgreSQL makes a transaction visible
before it gives its locks back, and the next id is drawn after that. A horizon of running transactions would
do without the lock, but one long transaction anywhere in the database would then hold back every denial.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from app.core import signing
from app.models import EdgeEvent, utc_now

#: PostgreSQL tells this channel when an event is committed.
CHANNEL = "edge_events"
#: The life of an event: that of the longest token, clocks apart, and the transactions under way at its time.
LIFE = timedelta(seconds=signing.MAX_LIFE + signing.SKEW + 60)
#: Events that one answer holds at most.
BATCH = 1000

#: Two numbers of our own: pg_advisory_xact_lock(int, int) has its own space.
_LOCK = (0x52757368, 1)


@dataclass(frozen=True)
class Feed:
    """Events after a cursor in their order, and the cursor of one who has applied them.

    With `resync` they are all live denials instead: who asked may have missed events that are forgotten, so
    it must drop what it holds and begin anew.
    """

    events: list[EdgeEvent]
    cursor: int
    resync: bool = False


def announce(session: Session, kind: Literal["deny", "purge"], subjects: Iterable[str]) -> None:
    """Add an event for each subject; edges hear of it within a second of the commit.

    Make it the last statement of a transaction: from here to its end, all others who announce wait.
    """
    names = list(dict.fromkeys(subjects))
    if not names:
        return
    now = utc_now()
    session.flush()  # what the caller has changed takes its row locks before ours, never while we hold it
    session.execute(select(func.pg_advisory_xact_lock(*_LOCK)))
    session.execute(
        insert(EdgeEvent),
        [{"kind": kind, "subject": name, "created_at": now, "until": now + LIFE} for name in names],
    )
    _forget_expired(session)
    session.execute(select(func.pg_notify(CHANNEL, "")))


def events_after(session: Session, cursor: int) -> Feed:
    """What an edge that has heard all up to `cursor` (0: nothing) must hear now."""
    newest = newest_event(session)
    if not newest:
        return Feed([], 0, resync=cursor > 0)
    oldest = session.scalars(select(func.min(EdgeEvent.id))).one()
    if cursor > newest or cursor < oldest - 1:  # of another life of this database, or of long ago
        return Feed(_denials(session, newest), newest, resync=True)
    events = list(session.scalars(select(EdgeEvent).where(EdgeEvent.id > cursor).order_by(EdgeEvent.id).limit(BATCH)))
    return Feed(events, events[-1].id if events else cursor)


def newest_event(session: Session) -> int:
    """The id of the newest event, 0 if there is none."""
    return session.scalar(select(func.max(EdgeEvent.id))) or 0


def _denials(session: Session, newest: int) -> list[EdgeEvent]:
    live = (EdgeEvent.kind == "deny", EdgeEvent.until > utc_now(), EdgeEvent.id <= newest)
    return list(session.scalars(select(EdgeEvent).where(*live).order_by(EdgeEvent.id)))


def _forget_expired(session: Session) -> None:
    """Delete what concerns no living token; the newest of them stays, as it says how far back we remember."""
    expired = EdgeEvent.until <= utc_now()
    newest = select(func.max(EdgeEvent.id)).where(expired).scalar_subquery()
    session.execute(
        delete(EdgeEvent).where(expired, EdgeEvent.id < newest).execution_options(synchronize_session=False)
    )
