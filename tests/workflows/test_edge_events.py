"""What edges hear: in the order of the commits, nothing left out, nothing kept for ever."""

from __future__ import annotations

import threading
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import create_engine, event, text, update
from sqlalchemy.orm import Session

from app.core import signing
from app.models import EdgeEvent, MediaScope, utc_now
from app.workflows.context import Context
from app.workflows.deny_scope import deny_scopes
from app.workflows.edge_events import BATCH, CHANNEL, Feed, announce, events_after
from app.workflows.purge_media import purge_media
from tests.factories import make_house

MEDIA = "ab" * 32


@pytest.fixture(autouse=True)
def nothing_told(context: Context) -> None:
    """Each test begins without events; ids go on."""
    with context.unit_of_work() as session:
        session.execute(text("delete from edge_events"))


def deny(context: Context, *names: str) -> None:
    with context.unit_of_work() as session:
        deny_scopes(session, names)


def feed(context: Context, cursor: int) -> Feed:
    with context.unit_of_work() as session:
        return events_after(session, cursor)


def subjects(found: Feed) -> list[str]:
    return [each.subject for each in found.events]


def begin(context: Context) -> int:
    """The cursor of an edge that has caught up."""
    deny(context, "vbegin00000000")
    return feed(context, 0).cursor


def test_a_denial_marks_the_scope_and_lives_as_long_as_any_token_of_it(context: Context) -> None:
    with context.unit_of_work() as session:
        house = make_house(session)
        handle = signing.new_scope("m")
        session.add(MediaScope(handle=handle, user_id=house.user.id, project_id=house.project.id))
    with context.unit_of_work() as session:
        row = session.get_one(MediaScope, handle)
        assert row.denied_at is None
        deny_scopes(session, [handle, handle])
        assert row.denied_at is not None
    with context.unit_of_work() as session:
        [told] = session.query(EdgeEvent).all()
        assert (told.kind, told.subject) == ("deny", handle)
        longest = timedelta(seconds=signing.MAX_LIFE + signing.SKEW)
        assert longest < told.until - utc_now() < longest + timedelta(minutes=2)


def test_nothing_is_told_when_the_transaction_fails(context: Context) -> None:
    cursor = begin(context)

    def fail() -> None:
        with context.unit_of_work() as session:
            deny_scopes(session, ["vnever00000000"])
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert feed(context, cursor) == Feed([], cursor)
    deny(context, "vlater00000000")  # the id in between is lost, and nobody takes that for something missed
    assert subjects(feed(context, cursor)) == ["vlater00000000"]
    assert not feed(context, cursor).resync


def test_purges_and_what_is_forbidden_too(context: Context) -> None:
    cursor = begin(context)
    with context.unit_of_work() as session:
        purge_media(session, [MEDIA])
        purge_media(session, ["cd" * 32], forbid=True)
        purge_media(session, [])
        deny_scopes(session, [])
    told = [(each.kind, each.subject) for each in feed(context, cursor).events]
    assert told == [("purge", MEDIA), ("deny", "cd" * 32), ("purge", "cd" * 32)]


def test_no_event_becomes_visible_behind_a_later_one(environment: dict[str, str]) -> None:
    """Two at once: who drew an id first has committed before the other one draws."""
    engine = create_engine(environment["DATABASE_URL"])
    blocked, done = threading.Event(), threading.Event()

    def second() -> None:
        with Session(engine) as session:
            blocked.set()
            deny_scopes(session, ["vsecond0000000"])
            session.commit()
        done.set()

    with Session(engine) as first, Session(engine) as reader:
        start = events_after(reader, 0).cursor
        reader.rollback()
        deny_scopes(first, ["vfirst00000000"])
        other = threading.Thread(target=second)
        other.start()
        assert blocked.wait(5)
        assert not done.wait(0.5), "the second one must wait"
        assert subjects(events_after(reader, start)) == []
        reader.rollback()
        first.commit()
        assert done.wait(5)
        other.join()
        told = events_after(reader, start).events
        assert [each.subject for each in told] == ["vfirst00000000", "vsecond0000000"]
        assert told[0].id < told[1].id
    engine.dispose()


def test_a_reader_who_follows_the_cursor_hears_all_of_many_writers(environment: dict[str, str]) -> None:
    """Eight writers with pauses before their commits, some roll back; a reader that never looks back."""
    engine = create_engine(environment["DATABASE_URL"], pool_size=10)
    wanted = {f"v{writer}x{number:02d}000000000"[:14] for writer in range(8) for number in range(25)}
    told: list[str] = []
    over = threading.Event()

    def write(writer: int) -> None:
        for number in range(25):
            with Session(engine) as session:
                name = f"v{writer}x{number:02d}000000000"[:14]
                deny_scopes(session, [name])
                session.execute(text(f"select pg_sleep({(writer * number) % 5 / 1000})"))
                if number % 7 == 3:
                    session.rollback()
                    deny_scopes(session, [name])
                session.commit()

    def read() -> None:
        cursor, rounds_after = 0, 0
        while rounds_after < 2:
            rounds_after += over.is_set()
            with Session(engine) as session:
                found = events_after(session, cursor)
                if not found.resync or cursor == 0:
                    told.extend(each.subject for each in found.events)
                cursor = found.cursor

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for each in (reader, *writers):
        each.start()
    for each in writers:
        each.join()
    over.set()
    reader.join()
    assert set(told) == wanted
    assert len(told) == len(wanted), "each is heard once"
    engine.dispose()


def test_without_the_lock_the_reader_would_miss_one(environment: dict[str, str]) -> None:
    """That the test above tests something: the race is there as soon as the lock is not taken."""
    engine = create_engine(environment["DATABASE_URL"])

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def without(_c: object, _u: object, statement: str, parameters: object, _x: object, _m: bool) -> tuple[str, object]:
        return statement.replace("pg_advisory_xact_lock(", "pg_try_advisory_xact_lock_shared("), parameters

    with Session(engine) as slow, Session(engine) as quick, Session(engine) as reader:
        deny_scopes(slow, ["vslow000000000"])
        deny_scopes(quick, ["vquick00000000"])
        quick.commit()
        cursor = events_after(reader, 0).cursor
        reader.rollback()
        slow.commit()
        assert subjects(events_after(reader, cursor)) == []  # missed for ever
    engine.dispose()


def test_who_asks_from_before_what_is_forgotten_gets_all_live_denials(context: Context) -> None:
    deny(context, "vold0000000000")
    deny(context, "vold0000000001")
    long_ago = feed(context, 0).cursor - 2
    with context.unit_of_work() as session:
        session.execute(update(EdgeEvent).values(until=utc_now() - timedelta(seconds=1)))
    deny(context, "vlive000000000")  # forgets the expired, but for the newest of them
    with context.unit_of_work() as session:
        purge_media(session, [MEDIA])
    found = feed(context, long_ago)
    assert found.resync
    assert subjects(found) == ["vlive000000000"]  # the edge drops all media ids anyway
    after = feed(context, long_ago + 2)
    assert not after.resync
    assert subjects(after) == ["vlive000000000", MEDIA]
    with context.unit_of_work() as session:
        assert session.query(EdgeEvent).count() == 3


def test_a_cursor_of_another_life_of_the_database(context: Context) -> None:
    cursor = begin(context)
    assert feed(context, cursor + 1000).resync
    with context.unit_of_work() as session:
        session.execute(text("delete from edge_events"))
    assert feed(context, cursor) == Feed([], 0, resync=True)
    assert feed(context, 0) == Feed([], 0)


def test_many_at_once_come_in_several_answers(context: Context) -> None:
    cursor = begin(context)
    deny(context, *(f"v{number:013d}" for number in range(BATCH + 5)))
    first = feed(context, cursor)
    second = feed(context, first.cursor)
    assert (len(first.events), len(second.events)) == (BATCH, 5)
    assert not second.resync


def test_the_database_says_when_there_is_something(context: Context, environment: dict[str, str]) -> None:
    url = environment["DATABASE_URL"].replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"listen {CHANNEL}")
        with context.unit_of_work() as session:
            announce(session, "deny", ["vtold000000000"])
            assert not list(connection.notifies(timeout=0.2, stop_after=1))
        assert list(connection.notifies(timeout=2, stop_after=1))
