"""Prove the activity log of an organisation: every row against the chain, the chain against its published head.

What is proven: no row up to the published head was changed, removed, added or moved since that head was written.
What is not: rows behind it, and rows that were never committed. Erased personal fields are no fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from app.core import heads
from app.core.chain import ORIGIN, link, people_digest
from app.core.heads import Head, Published
from app.core.storage import Storage
from app.models import Activity
from app.workflows.publish_heads import hash_at

BATCH = 2_000


@dataclass(frozen=True)
class Fault:
    """The first thing that is wrong. `row` is None where the row itself is gone."""

    kind: str
    sequence: int
    row: UUID | None
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """What a log is worth.

    `sealed` rows are in the chain, `unsealed` wait for it; `erased` have lost their personal fields. `head` is the
    last row of the chain as far as it is whole, `published` the head in docs that it was compared with.
    """

    organization_id: UUID
    sealed: int
    unsealed: int
    erased: int
    head: Head
    published: Published | None
    fault: Fault | None

    @property
    def proven(self) -> int:
        """How many rows the published head proves: all up to it, unless something is wrong."""
        return self.published.sequence if self.published and self.fault is None else 0

    @property
    def not_yet(self) -> int:
        """How many rows there are behind the published head."""
        return self.sealed - self.proven + self.unsealed


@dataclass
class _Walk:
    """How far the chain was followed."""

    head: Head
    sealed: int = 0
    erased: int = 0


def verify_audit(
    session: Session, storage: Storage | None, organization_id: UUID, *, kept: Head | None = None
) -> Verdict:
    """Follow the chain from its first row and compare it with the published head, and with a head that was `kept`.

    Without `storage` the chain is only compared with itself. Raises Unavailable when docs does not answer.
    """
    published = heads.read(storage, organization_id) if storage else None
    walk = _Walk(Head(0, ORIGIN))
    fault = next(filter(None, (_check(session, row, walk) for row in _rows(session, organization_id))), None)
    verdict = Verdict(
        organization_id,
        sealed=walk.sealed,
        unsealed=_unsealed(session, organization_id),
        erased=walk.erased,
        head=walk.head,
        published=published,
        fault=fault,
    )
    if fault is None:
        verdict = replace(verdict, fault=_compare(session, storage, published, verdict, kept))
    return verdict


def _rows(session: Session, organization_id: UUID) -> Iterator[Activity]:
    """Every sealed row in the order of the chain, some at a time."""
    after: int | None = None
    while True:
        query = (
            select(Activity)
            .where(Activity.organization_id == organization_id, Activity.sequence.is_not(None))
            .options(joinedload(Activity.people))
            .order_by(Activity.sequence)
            .limit(BATCH)
        )
        rows = session.scalars(query if after is None else query.where(Activity.sequence > after)).all()
        yield from rows
        if len(rows) < BATCH:
            return
        after = rows[-1].sequence
        session.expunge_all()


def _check(session: Session, row: Activity, walk: _Walk) -> Fault | None:
    """Take one row into the walk, or say what is wrong with it."""
    sequence, expected = row.sequence or 0, walk.head.sequence + 1
    if sequence < expected:
        return Fault("added", sequence, row.id, f"Row {sequence} ({row.id}) was put before the first one.")
    if sequence > expected:
        stray = _stray(session, row.organization_id, walk.head, None)
        if stray:
            return _moved(expected, stray)
        return Fault("removed", expected, None, f"Row {expected} was removed; the next one there is row {sequence}.")
    hash_ = link(walk.head.hash, row, sequence)
    if row.hash != hash_:
        stray = _stray(session, row.organization_id, walk.head, row.hash)
        if stray and stray.id != row.id:
            return _moved(expected, stray)
        return Fault("changed", sequence, row.id, f"Row {sequence} ({row.id}, {row.action}) was changed.")
    walk.head = Head(sequence, hash_)
    walk.sealed += 1
    return _check_people(row, walk)


def _check_people(row: Activity, walk: _Walk) -> Fault | None:
    people = row.people
    if people is None:
        walk.erased += row.people_digest is not None
    elif row.people_digest != people_digest(people.salt, people.data):
        sequence = row.sequence or 0
        return Fault("changed", sequence, row.id, f"The personal fields of row {sequence} ({row.id}) were changed.")
    return None


def _stray(session: Session, organization_id: UUID, head: Head, hash_here: str | None) -> Activity | None:
    """The row that belongs behind `head` but stands elsewhere: its content there gives its hash, or the one there."""
    for row in _rows(session, organization_id):
        if link(head.hash, row, head.sequence + 1) in (row.hash, hash_here):
            return row
    return None


def _moved(sequence: int, row: Activity) -> Fault:
    return Fault(
        "reordered", sequence, row.id, f"Row {sequence} ({row.id}) was moved; it stands as row {row.sequence}."
    )


def _compare(
    session: Session, storage: Storage | None, published: Published | None, verdict: Verdict, kept: Head | None
) -> Fault | None:
    """A chain that is whole in itself: is it the one that was published, and the one whose head was kept?"""
    wanted = [Head(published.sequence, published.hash)] if published else []
    for head in sorted([*wanted, *([kept] if kept else [])], key=lambda head: head.sequence):
        last = verdict.head.sequence
        if head.sequence > last:
            rows = (
                f"Row {head.sequence} was" if head.sequence == last + 1 else f"Rows {last + 1} to {head.sequence} were"
            )
            sentence = f"{rows} removed from the end: there is a head at row {head.sequence}."
            return Fault("truncated", last + 1, None, sentence)
        if hash_at(session, verdict.organization_id, head.sequence) != head.hash:
            right = _last_right(session, storage, verdict.organization_id, published)
            sentence = (
                f"A row of {right + 1} to {head.sequence} was changed and all behind it were sealed again: "
                f"the head of row {head.sequence} is another one."
            )
            return Fault("rewritten", right + 1, None, sentence)
    return None


def _last_right(session: Session, storage: Storage | None, organization_id: UUID, published: Published | None) -> int:
    """The last row at which an earlier head in docs agrees with the log; 0 when none does."""
    while storage and published and published.previous:
        before = published.previous
        if hash_at(session, organization_id, before.sequence) == before.hash:
            return before.sequence
        published = heads.read(storage, organization_id, before.sequence)
    return 0


def _unsealed(session: Session, organization_id: UUID) -> int:
    query = select(func.count()).where(Activity.organization_id == organization_id, Activity.sequence.is_(None))
    return session.scalar(query) or 0
