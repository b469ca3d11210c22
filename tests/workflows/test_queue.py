"""A job is sent when its row is committed, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.core.database import make_engine
from app.core.queue import enqueue, send_after_commit
from app.models import Job

Sent = list[tuple[str, UUID]]


@pytest.fixture
def sent() -> Sent:
    return []


@pytest.fixture
def session(environment: dict[str, str], sent: Sent) -> Iterator[Session]:
    engine = make_engine(environment["DATABASE_URL"], pool_size=1)
    sessions = sessionmaker(engine, info={"sender": lambda kind, job_id: sent.append((kind, job_id))})
    send_after_commit(sessions)
    with sessions() as session:
        yield session
    engine.dispose()


def test_after_the_commit(session: Session, sent: Sent) -> None:
    job_id = enqueue(session, "clean_staging", target_id=uuid4())
    assert sent == []
    session.commit()
    assert sent == [("clean_staging", job_id)]
    session.commit()
    assert len(sent) == 1


def test_never_after_a_rollback(session: Session, sent: Sent) -> None:
    job_id = enqueue(session, "clean_staging", target_id=uuid4())
    session.rollback()
    session.commit()
    assert sent == []
    assert session.get(Job, job_id) is None


def test_not_when_a_savepoint_is_released(session: Session, sent: Sent) -> None:
    with session.begin_nested():
        enqueue(session, "clean_staging", target_id=uuid4())
    assert sent == []
    session.commit()
    assert len(sent) == 1


def test_two_with_one_key_are_one_until_the_first_has_ended(session: Session, sent: Sent) -> None:
    key = f"once:{uuid4()}"
    first = enqueue(session, "clean_staging", target_id=uuid4(), dedupe_key=key)
    assert enqueue(session, "clean_staging", target_id=uuid4(), dedupe_key=key) is None
    session.commit()
    assert [job_id for _, job_id in sent] == [first]
