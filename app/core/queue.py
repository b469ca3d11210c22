"""Jobs: insert the row in the caller's transaction, send the message after its commit, by name.

`app` never imports the actors. A message that is lost (a crash between commit and send, FLUSHALL) is sent
again by the reconciler, since the row is still due; a message that comes twice finds the row leased or done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy import event
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, sessionmaker

from app.core.ids import new_id
from app.models.base import utc_now
from app.models.job import Job

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class JobKind:
    """Where a kind of job goes and how often it may be begun. Smaller priority numbers go first."""

    queue: str
    max_attempts: int = 5
    priority: int = 50


#: Every kind of job; the actor has the kind's name (a test compares this with the declared actors).
KINDS: Mapping[str, JobKind] = {
    "promote_version": JobKind("promote", max_attempts=20, priority=10),
    "plan_preview": JobKind("preview", priority=10),
    "make_poster": JobKind("preview", priority=15),
    "encode_audio": JobKind("preview", priority=20),
    "encode_chunk": JobKind("chunks", priority=50),
    "publish_preview": JobKind("preview", max_attempts=20, priority=5),
    "make_mp4": JobKind("extras", priority=60),
    "make_storyboard": JobKind("extras", priority=55),
    "analyse_master": JobKind("extras", priority=55),
    "clean_staging": JobKind("upkeep", max_attempts=50, priority=80),
}
#: Actors that the scheduler sends; they have no row.
UPKEEP = {
    "resend_due": "upkeep",
    "back_up": "upkeep",
    "expire_uploads": "upkeep",
    "delete_builds": "upkeep",
    "forget_answers": "upkeep",
    "publish_heads": "upkeep",
}


class Sender(Protocol):
    """Carries a nudge to the workers. Never raises: what is lost is sent again."""

    def __call__(self, kind: str, job_id: UUID) -> None: ...


class RedisSender:
    """Sends by Dramatiq's Redis broker without knowing the actors."""

    def __init__(self, redis_url: str) -> None:
        client = redis.Redis.from_url(redis_url, socket_connect_timeout=2, socket_timeout=5)
        self._broker = RedisBroker(client=client, middleware=[])

    def __call__(self, kind: str, job_id: UUID) -> None:
        self.later(kind, job_id, 0)

    def later(self, kind: str, job_id: UUID, seconds: float) -> None:
        """Send a nudge that is heard after `seconds`."""
        message: dramatiq.Message[None] = dramatiq.Message(
            queue_name=KINDS[kind].queue, actor_name=kind, args=(str(job_id),), kwargs={}, options={}
        )
        try:
            self._broker.enqueue(message, delay=int(seconds * 1000) or None)
        except (redis.RedisError, dramatiq.ConnectionError) as error:
            log.warning("job_not_sent", kind=kind, job_id=str(job_id), error=type(error).__name__)

    def waiting(self, queue: str) -> int | None:
        """How many messages wait in a queue; None when Redis does not say."""
        try:
            return int(self._broker.client.llen(f"{self._broker.namespace}:{queue}"))
        except (redis.RedisError, dramatiq.ConnectionError):
            return None


def enqueue(
    session: Session,
    kind: str,
    *,
    target_id: UUID | None = None,
    organization_id: UUID | None = None,
    payload: Mapping[str, Any] | None = None,
    dedupe_key: str | None = None,
    priority: int | None = None,
    delay: timedelta = timedelta(0),
) -> UUID | None:
    """Insert a job in the session's transaction; its message is sent after the commit.

    With a `delay` the reconciler sends it when it is due. Returns its id, or None
    when an unfinished job with the same `dedupe_key` is there already.
    """
    description = KINDS[kind]
    row = {
        "id": new_id(),
        "created_at": utc_now(),
        "kind": kind,
        "target_id": target_id,
        "organization_id": organization_id,
        "payload": dict(payload or {}),
        "dedupe_key": dedupe_key,
        "priority": description.priority if priority is None else priority,
        "due_at": utc_now() + delay,
        "sent_at": None if delay else utc_now(),
        "max_attempts": description.max_attempts,
    }
    statement = insert(Job).values(row).on_conflict_do_nothing().returning(Job.id)
    job_id = session.execute(statement).scalar_one_or_none()
    if job_id is not None and not delay:
        session.info.setdefault("outbox", []).append((kind, job_id))
    return job_id


def requeue(session: Session, job: Job) -> None:
    """Make a job that has ended due again, with all its attempts; its message is sent after the commit."""
    job.finished_at = job.outcome = job.error_code = job.error = job.step = None
    job.lease_owner = job.lease_until = None
    job.cancel_requested, job.attempts, job.progress = False, 0, 0
    job.due_at = job.sent_at = utc_now()
    session.flush()
    session.info.setdefault("outbox", []).append((job.kind, job.id))


def send_after_commit(sessions: sessionmaker[Session] | type[Session] | Session | Any) -> None:
    """Send what a session has enqueued once it has committed; forget it when it rolled back."""

    @event.listens_for(sessions, "after_commit")
    def _send(session: Session) -> None:
        if session.in_nested_transaction():
            return  # a savepoint was released: nothing is committed yet
        for kind, job_id in session.info.pop("outbox", ()):
            session.info["sender"](kind, job_id)

    @event.listens_for(sessions, "after_rollback")
    def _forget(session: Session) -> None:
        session.info.pop("outbox", None)
