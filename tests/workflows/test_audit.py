"""The sealed activity log: one gapless chain an organisation, proven against heads under lock, attacked with SQL."""

from __future__ import annotations

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.core import audit, heads, keys
from app.core.audit import SYSTEM, Actor
from app.core.chain import ORIGIN, canonical, canonical_row, link, people_digest
from app.core.errors import Rejected
from app.core.heads import Head, LockFor
from app.core.storage import Storage
from app.models import Activity, ActivityPeople, utc_now
from app.workflows.context import Context
from app.workflows.erase_personal import erase_personal
from app.workflows.publish_heads import publish_heads
from app.workflows.seal_activities import head_of, seal_activities
from app.workflows.verify_audit import Verdict, verify_audit
from tests.factories import make_house

LOCK = LockFor("GOVERNANCE", 1)


def house_with(context: Context, rows: int) -> UUID:
    """An organisation with so many activities, each with personal fields, none sealed."""
    with context.unit_of_work() as session:
        organization_id = make_house(session).organization.id
        add(session, organization_id, rows)
    return organization_id


def add(session: Session, organization_id: UUID, rows: int) -> None:
    for number in range(rows):
        audit.record(
            session, Actor("user", organization_id), "comment.posted", organization_id=organization_id,
            target_kind="comment", target_id=None, data={"frameIn": number, "title": "Café “Ω” 🎬"},
            people={"ip": "192.0.2.7", "watched": [1, 2]},
        )  # fmt: skip


def verify(context: Context, storage: Storage | None, organization_id: UUID, kept: Head | None = None) -> Verdict:
    with context.unit_of_work() as session:
        return verify_audit(session, storage, organization_id, kept=kept)


def attack(context: Context, statement: str, **values: object) -> None:
    with context.unit_of_work() as session:
        changed = session.execute(text(statement), values)
        assert changed.rowcount, "the attack hit nothing"  # type: ignore[attr-defined]


@pytest.fixture
def log(context: Context, storage: Storage) -> UUID:
    """Nine sealed rows with a published head at the ninth, and one sealed row behind it."""
    organization_id = house_with(context, 9)
    seal_activities(context.unit_of_work)
    publish_heads(context.unit_of_work, storage, LOCK)
    with context.unit_of_work() as session:
        add(session, organization_id, 1)
    seal_activities(context.unit_of_work)
    return organization_id


def test_the_canonical_form_is_stable() -> None:
    """Worked by hand from the description in app/core/chain.py: who verifies elsewhere relies on it."""
    assert canonical({"b": [1, True, None], "a": 'é"\n'}) == b'{"a":"\xc3\xa9\\"\\n","b":[1,true,null]}'
    row = Activity(
        id=UUID(int=1), organization_id=UUID(int=2), actor_kind="system", action="version.promoted",
        target_kind="version", target_id=None, data={"z": 1, "a": "x"},
        created_at=utc_now().replace(2026, 1, 2, 3, 4, 5, 6),
    )  # fmt: skip
    expected = (
        '{"action":"version.promoted","actorId":null,"actorKind":"system","createdAt":"2026-01-02T03:04:05.000006+00:00",'
        '"data":{"a":"x","z":1},"id":"00000000-0000-0000-0000-000000000001",'
        '"organizationId":"00000000-0000-0000-0000-000000000002","peopleDigest":null,"projectId":null,'
        '"sequence":7,"targetId":null,"targetKind":"version"}'
    )
    assert canonical_row(row, 7).decode() == expected
    assert link(ORIGIN, row, 7) == hashlib.sha256((ORIGIN + expected).encode()).hexdigest()
    assert people_digest("00ff", {"ip": "::1"}) == hashlib.sha256(b'00ff{"ip":"::1"}').hexdigest()


def test_rows_get_a_gapless_sequence_in_the_order_of_their_making(context: Context) -> None:
    organization_id = house_with(context, 7)
    assert seal_activities(context.unit_of_work) >= 7
    with context.unit_of_work() as session:
        rows = session.scalars(
            select(Activity).where(Activity.organization_id == organization_id).order_by(Activity.sequence)
        ).all()
        assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
        assert [row.id for row in rows] == sorted(row.id for row in rows)
        previous = ORIGIN
        for row in rows:
            previous = link(previous, row, row.sequence or 0)
            assert row.hash == previous
    assert seal_activities(context.unit_of_work) == 0


def test_sealers_and_writers_at_once_make_one_chain(context: Context) -> None:
    """Six sealers against writers that hold their transactions open: no gap, no fork, nothing left."""
    organization_id = house_with(context, 0)
    done = threading.Event()

    def write(number: int) -> None:
        for _ in range(10):
            with context.unit_of_work() as session:
                add(session, organization_id, 1 + number % 3)
                session.flush()
                session.execute(text("select pg_sleep(0.01)"))

    def seal() -> None:
        while not done.is_set():
            seal_activities(context.unit_of_work)

    with ThreadPoolExecutor(12) as pool:
        sealers = [pool.submit(seal) for _ in range(6)]
        for writer in [pool.submit(write, number) for number in range(6)]:
            writer.result()
        done.set()
        for sealer in sealers:
            sealer.result()
    seal_activities(context.unit_of_work)
    verdict = verify(context, None, organization_id)
    assert verdict.fault is None
    assert (verdict.sealed, verdict.unsealed) == (120, 0)


def test_a_sealer_that_is_killed_leaves_no_half(context: Context) -> None:
    """Its transaction ends with its connection; the next one seals the same rows."""
    organization_id = house_with(context, 5)

    def dying() -> None:
        with context.unit_of_work() as session:
            head = head_of(session, organization_id)
            rows = session.scalars(select(Activity).where(Activity.organization_id == organization_id)).all()
            rows[0].sequence, rows[0].hash = 1, link(head.hash, rows[0], 1)
            session.flush()
            session.execute(text("select pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(Exception, match=r"terminat|closed|lost"):
        dying()
    seal_activities(context.unit_of_work)
    assert verify(context, None, organization_id).fault is None


def test_an_untouched_log_is_proven_up_to_its_head(context: Context, storage: Storage, log: UUID) -> None:
    with context.unit_of_work() as session:
        add(session, log, 2)
    verdict = verify(context, storage, log)
    assert verdict.fault is None
    assert (verdict.proven, verdict.sealed, verdict.unsealed, verdict.not_yet) == (9, 10, 2, 3)


def test_the_head_is_under_lock(context: Context, storage: Storage, log: UUID) -> None:
    """As the storage itself tells it; and who writes heads can neither replace nor delete one."""
    key, bucket = keys.audit_head(log, 9), storage.bucket("docs")
    head = storage["bootstrap"].head_object(Bucket=bucket, Key=key)
    assert head["ObjectLockMode"] == "GOVERNANCE"
    assert head["ObjectLockRetainUntilDate"] > utc_now() + timedelta(hours=23)
    for role in ("docs-writer", "bootstrap"):
        with pytest.raises(Exception, match=r"Denied|denied|WORM|lock"):
            storage[role].delete_object(Bucket=bucket, Key=key, VersionId=head["VersionId"])  # type: ignore[index]
    published = heads.read(storage, log)
    assert published is not None
    assert published.locked_until == head["ObjectLockRetainUntilDate"]


def put(change: str, where: str) -> str:
    return f"update activities set {change} where organization_id = :o and sequence {where}"


def put_people(change: str, where: str) -> str:
    ids = f"select id from activities where organization_id = :o and sequence {where}"
    return f"update activity_people set {change} where activity_id in ({ids})"


def take_out(where: str) -> str:
    """The rows and their personal fields, in one statement."""
    return (
        f"with gone as (select id from activities where organization_id = :o and sequence {where}), "
        "people as (delete from activity_people where activity_id in (select id from gone)) "
        "delete from activities where id in (select id from gone)"
    )


FORGED = (
    "insert into activities "
    "(id, created_at, organization_id, actor_kind, action, target_kind, data, sequence, hash) "
    "values (gen_random_uuid(), now(), :o, 'system', 'x.y', 'x', '{}', 0, repeat('0', 64))"
)
#: What is done → how it is called, the first bad row, the statement.
ATTACKS = {
    "a field": ("changed", 4, put("action = 'comment.deleted'", "= 4")),
    "a number within": ("changed", 1, put("data = data || '{\"frameIn\": 99}'", "= 1")),
    "who": ("changed", 5, put("actor_id = null", "= 5")),
    "when": ("changed", 6, put("created_at = created_at + interval '1 microsecond'", "= 6")),
    "a hash": ("changed", 3, put("hash = repeat('a', 64)", "= 3")),
    "where somebody was": ("changed", 2, put_people('data = \'{"ip": "198.51.100.1"}\'', "= 2")),
    "a salt": ("changed", 2, put_people("salt = '00'", "= 2")),
    "one taken out": ("removed", 5, take_out("= 5")),
    "the first taken out": ("removed", 1, take_out("= 1")),
    "one moved to the end": ("reordered", 4, put("sequence = 11", "= 4")),
    "the end cut off": ("truncated", 8, take_out(">= 8")),
    "the end unsealed": ("truncated", 9, put("sequence = null, hash = null", ">= 9")),
    "one put before": ("added", 0, FORGED),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_by_sql_is_named_with_its_first_bad_row(
    context: Context, storage: Storage, log: UUID, name: str
) -> None:
    kind, sequence, statement = ATTACKS[name]
    attack(context, statement, o=log)
    verdict = verify(context, storage, log)
    assert verdict.fault is not None
    assert (verdict.fault.kind, verdict.fault.sequence) == (kind, sequence)
    assert verdict.proven == 0


@pytest.mark.parametrize("with_hashes", [False, True])
def test_two_rows_exchanged_are_named(context: Context, storage: Storage, log: UUID, with_hashes: bool) -> None:
    with context.unit_of_work() as session:
        third, fifth = session.scalars(
            select(Activity).where(Activity.organization_id == log, Activity.sequence.in_((3, 5)))
            .order_by(Activity.sequence)
        ).all()  # fmt: skip
        session.execute(text("update activities set sequence = 99 where id = :id"), {"id": third.id})
        session.execute(text("update activities set sequence = 3 where id = :id"), {"id": fifth.id})
        session.execute(text("update activities set sequence = 5 where id = :id"), {"id": third.id})
        if with_hashes:
            session.execute(
                text("update activities set hash = case id when :a then :b else :c end where id in (:a, :d)"),
                {"a": third.id, "b": fifth.hash, "c": third.hash, "d": fifth.id},
            )
    fault = verify(context, storage, log).fault
    assert fault is not None
    assert (fault.kind, fault.sequence, fault.row) == ("reordered", 3, third.id)


def test_a_log_that_was_rewritten_and_sealed_again_contradicts_its_head(
    context: Context, storage: Storage, log: UUID
) -> None:
    """The attacker knows the arithmetic: only the head under lock tells, and earlier heads tell from where."""
    publish_heads(context.unit_of_work, storage, LOCK)  # at row 10; before it at row 9
    with context.unit_of_work() as session:
        add(session, log, 5)
    seal_activities(context.unit_of_work)
    publish_heads(context.unit_of_work, storage, LOCK)  # at row 15
    _rewrite(context, log, 12)
    assert verify(context, None, log).fault is None, "the attack is perfect within the database"
    fault = verify(context, storage, log).fault
    assert fault is not None
    assert (fault.kind, fault.sequence) == ("rewritten", 11)


def test_a_head_that_was_noted_elsewhere_proves_as_well(context: Context, log: UUID) -> None:
    with context.unit_of_work() as session:
        noted = head_of(session, log)
    assert verify(context, None, log, noted).fault is None
    _rewrite(context, log, 2)
    assert verify(context, None, log).fault is None
    fault = verify(context, None, log, noted).fault
    assert fault is not None
    assert fault.kind == "rewritten"


def test_nothing_is_published_over_a_contradiction(context: Context, storage: Storage, log: UUID) -> None:
    before = heads.read(storage, log)
    _rewrite(context, log, 3)
    with context.unit_of_work() as session:
        add(session, log, 1)
    seal_activities(context.unit_of_work)
    assert log in publish_heads(context.unit_of_work, storage, LOCK)
    assert heads.read(storage, log) == before


def test_publishing_is_harmless_to_repeat_and_to_cut_off(context: Context, storage: Storage, log: UUID) -> None:
    first = heads.read(storage, log)
    assert log not in publish_heads(context.unit_of_work, storage, LOCK)
    head = heads.read(storage, log)
    assert head is not None
    assert first is not None
    assert (head.sequence, head.previous) == (10, Head(first.sequence, first.hash))
    heads.write_latest(storage, log, first)  # as if the run had died between its two writes
    assert log not in publish_heads(context.unit_of_work, storage, LOCK)
    again = heads.read(storage, log)
    assert again is not None
    assert (again.sequence, again.hash, again.locked_until) == (10, head.hash, head.locked_until)


def test_a_quiet_log_keeps_a_locked_head(context: Context, storage: Storage, log: UUID) -> None:
    """Nothing new for long: the lock of the last head goes on."""
    publish_heads(context.unit_of_work, storage, LOCK)
    publish_heads(context.unit_of_work, storage, LockFor("GOVERNANCE", 4))
    head = storage["bootstrap"].head_object(Bucket=storage.bucket("docs"), Key=keys.audit_head(log, 10))
    assert head["ObjectLockRetainUntilDate"] > utc_now() + timedelta(days=3)
    published = heads.read(storage, log)
    assert published is not None
    assert published.locked_until == head["ObjectLockRetainUntilDate"]


def test_erasing_personal_fields_leaves_the_chain_whole(context: Context, storage: Storage, log: UUID) -> None:
    with context.unit_of_work() as session:
        assert erase_personal(session, SYSTEM, log, of=log) == 10
        left = session.scalar(
            select(func.count()).select_from(ActivityPeople).join(Activity, Activity.id == ActivityPeople.activity_id)
            .where(Activity.organization_id == log)
        )  # fmt: skip
        assert left == 0
        with pytest.raises(Rejected):
            erase_personal(session, SYSTEM, log)
    seal_activities(context.unit_of_work)
    verdict = verify(context, storage, log)
    assert verdict.fault is None
    assert (verdict.proven, verdict.erased, verdict.sealed) == (9, 10, 11)


def test_the_chain_holds_no_personal_field(context: Context, log: UUID) -> None:
    with context.unit_of_work() as session:
        for row in session.scalars(select(Activity).where(Activity.organization_id == log)):
            assert "192.0.2.7" not in canonical_row(row, row.sequence or 0).decode()
            assert row.people_digest


def test_organisations_have_chains_of_their_own(context: Context, storage: Storage, log: UUID) -> None:
    other = house_with(context, 3)
    seal_activities(context.unit_of_work)
    attack(context, "update activities set action = 'x.y' where organization_id = :o", o=other)
    assert verify(context, storage, log).fault is None
    assert verify(context, storage, other).fault is not None


def test_the_published_document_says_what_it_is(context: Context, storage: Storage, log: UUID) -> None:
    body = storage["docs-writer"].get_object(Bucket=storage.bucket("docs"), Key=keys.audit_head(log, 9))["Body"].read()
    document = json.loads(body)
    assert document["format"] == "rushes-audit-head/1"
    assert document["organizationId"] == str(log)
    assert document["previous"] is None


def _rewrite(context: Context, organization_id: UUID, sequence: int) -> None:
    """Change one row and seal it and all behind it anew, as somebody would who owns the database."""
    with context.unit_of_work() as session:
        rows = session.scalars(
            select(Activity)
            .where(Activity.organization_id == organization_id, Activity.sequence.is_not(None))
            .order_by(Activity.sequence)
        ).all()
        previous = ORIGIN
        for row in rows:
            if row.sequence == sequence:
                row.action = "comment.invented"
            row.hash = previous = link(previous, row, row.sequence or 0)
