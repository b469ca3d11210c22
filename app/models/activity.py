"""Who did what. Rows are appended in the transaction of the act and sealed into a hash chain later."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Identified


class Activity(Identified, Base):
    """One act. `data` holds no personal field: address, user agent and the like stand in `activity_people`."""

    __tablename__ = "activities"
    __table_args__ = (
        UniqueConstraint("organization_id", "sequence"),
        Index("ix_activities_project_id_created_at", "project_id", "created_at"),
        Index("ix_activities_organization_id_created_at", "organization_id", "created_at"),
        Index("ix_activities_unsealed", "organization_id", "id", postgresql_where=text("sequence is null")),
    )

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    project_id: Mapped[UUID | None] = mapped_column()
    actor_kind: Mapped[str] = mapped_column()
    actor_id: Mapped[UUID | None] = mapped_column()
    action: Mapped[str] = mapped_column()
    target_kind: Mapped[str] = mapped_column()
    target_id: Mapped[UUID | None] = mapped_column()
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    sequence: Mapped[int | None] = mapped_column(BigInteger)
    hash: Mapped[str | None] = mapped_column()
    #: SHA-256 of the salt and the personal fields in `activity_people`, so that these may be erased later.
    people_digest: Mapped[str | None] = mapped_column()

    people: Mapped[ActivityPeople | None] = relationship(uselist=False)


class ActivityPeople(Base):
    """The personal fields of an activity (address, user agent, what was watched). May be erased."""

    __tablename__ = "activity_people"

    activity_id: Mapped[UUID] = mapped_column(ForeignKey("activities.id"), primary_key=True)
    salt: Mapped[str] = mapped_column()
    data: Mapped[dict[str, Any]] = mapped_column()
