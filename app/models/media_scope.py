"""The handles that stand in edge tokens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, utc_now


class MediaScope(Base):
    """Whom a token was minted for: a member in a project, at one generation.

    Raising the generation (a changed role, a removed member) makes a new handle and denies the old one.
    """

    __tablename__ = "media_scopes"
    __table_args__ = (UniqueConstraint("user_id", "project_id", "generation"),)

    handle: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), index=True)
    generation: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    denied_at: Mapped[datetime | None] = mapped_column()
