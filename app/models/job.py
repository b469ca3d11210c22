"""Work that is due. The row is the truth; the message in Redis is only a nudge."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified, utc_now


class Job(Identified, Base):
    """One piece of work on one target.

    A job is due when it is not finished, `due_at` has come and no lease holds it. Attempts are counted when
    the lease is taken, before the work, so that a job that kills its worker stops after its limit.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("outcome in ('done', 'failed', 'cancelled')", name="outcome"),
        Index("ix_jobs_due", "due_at", postgresql_where=text("finished_at is null")),
        Index("ix_jobs_target", "target_id", "kind"),
        Index("ix_jobs_organization_id_finished_at", "organization_id", "finished_at"),
    )

    kind: Mapped[str] = mapped_column()
    organization_id: Mapped[UUID | None] = mapped_column()
    target_id: Mapped[UUID | None] = mapped_column()
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: Two jobs with one key are one job; the key is free again when the job has ended.
    dedupe_key: Mapped[str | None] = mapped_column()
    priority: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(default=utc_now)
    sent_at: Mapped[datetime | None] = mapped_column()
    attempts: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int] = mapped_column(default=5)
    lease_owner: Mapped[str | None] = mapped_column()
    lease_until: Mapped[datetime | None] = mapped_column()
    #: Who has, or had, it in hand last.
    worker: Mapped[str | None] = mapped_column()
    progress: Mapped[int] = mapped_column(default=0)
    step: Mapped[str | None] = mapped_column()
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    started_at: Mapped[datetime | None] = mapped_column()
    finished_at: Mapped[datetime | None] = mapped_column()
    outcome: Mapped[str | None] = mapped_column()
    error_code: Mapped[str | None] = mapped_column()
    error: Mapped[str | None] = mapped_column()


Index(
    "uq_jobs_dedupe_key",
    Job.dedupe_key,
    unique=True,
    postgresql_where=text("finished_at is null and dedupe_key is not null"),
)
