"""What people say, kept against whole frames."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.asset import Version
from app.models.base import Base, Identified
from app.models.share import Guest
from app.models.user import User


class Comment(Identified, Base):
    """A remark on one frame or on a range (both ends included), optionally at a point of the picture."""

    __tablename__ = "comments"
    __table_args__ = (
        Index("ix_comments_asset_id_timecode", "asset_id", "frame_in", "id"),
        CheckConstraint("(author_id is null) <> (guest_id is null)", name="author"),
        CheckConstraint("frame_in >= 0", name="frame_in"),
        CheckConstraint("frame_out is null or frame_out >= frame_in", name="frame_out"),
        CheckConstraint("anchor_x between 0 and 1 and anchor_y between 0 and 1", name="anchor"),
    )

    asset_id: Mapped[UUID] = mapped_column(ForeignKey("assets.id"))
    version_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id"), index=True)
    author_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    guest_id: Mapped[UUID | None] = mapped_column(ForeignKey("guests.id"))
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("comments.id"))
    frame_in: Mapped[int] = mapped_column()
    frame_out: Mapped[int | None] = mapped_column()
    anchor_x: Mapped[float | None] = mapped_column()
    anchor_y: Mapped[float | None] = mapped_column()
    body: Mapped[str] = mapped_column()
    edited_at: Mapped[datetime | None] = mapped_column()
    deleted_at: Mapped[datetime | None] = mapped_column()

    author: Mapped[User | None] = relationship()
    guest: Mapped[Guest | None] = relationship()
    version: Mapped[Version] = relationship()

    @property
    def by(self) -> str:
        """The name of its author: a member's, or the one that a guest gave."""
        person = self.author or self.guest
        return person.name if person is not None else ""
