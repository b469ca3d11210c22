"""The handles that stand in edge tokens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, utc_now


class MediaScope(Base):
    """Whom a token was minted for: a member in a project, or a share, at one generation.

    Raising the generation (a changed role, a removed member) makes a new handle and denies the old one.
    """

    __tablename__ = "media_scopes"
    __table_args__ = (
        UniqueConstraint("user_id", "project_id", "generation"),
        UniqueConstraint("share_id", "generation"),
        CheckConstraint("(user_id is null) <> (share_id is null)", name="holder"),
    )

    handle: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), index=True)
    share_id: Mapped[UUID | None] = mapped_column(ForeignKey("shares.id", ondelete="CASCADE"))
    generation: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    denied_at: Mapped[datetime | None] = mapped_column()


class EdgeEvent(Base):
    """What every edge must hear, in order: a scope denied, a media id purged. `id` is the cursor."""

    __tablename__ = "edge_events"
    __table_args__ = (CheckConstraint("kind in ('deny', 'purge')", name="kind"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column()
    #: A scope handle, or a media id.
    subject: Mapped[str] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    #: When the last token that it concerns has ended, and it may be forgotten.
    until: Mapped[datetime] = mapped_column()
