"""Links for people without an account, who came by them, and what they did."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.asset import Asset
from app.models.base import Base, Identified
from app.models.project import Project


class Share(Identified, Base):
    """A link to some assets of a project.

    The token in the link is derived from the id and `link_generation`, so it can be shown again, and only its
    hash is kept for the look-up. `generation` stands for what the link opens: what takes something away raises
    it, and with it the signed addresses of media end (docs/decisions/0005).
    """

    __tablename__ = "shares"
    __table_args__ = (CheckConstraint("download in ('none', 'proxy', 'master')", name="download"),)

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), index=True)
    name: Mapped[str] = mapped_column()
    token_hash: Mapped[str] = mapped_column(unique=True)
    generation: Mapped[int] = mapped_column(default=1)
    link_generation: Mapped[int] = mapped_column(default=1, server_default="1")
    password_hash: Mapped[str | None] = mapped_column()
    expires_at: Mapped[datetime | None] = mapped_column()
    may_comment: Mapped[bool] = mapped_column(default=True)
    download: Mapped[str] = mapped_column(default="none")
    created_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    revoked_at: Mapped[datetime | None] = mapped_column()

    project: Mapped[Project] = relationship()
    assets: Mapped[list[Asset]] = relationship(secondary="share_assets", order_by=Asset.title)


class ShareAsset(Base):
    """An asset that a share holds."""

    __tablename__ = "share_assets"

    share_id: Mapped[UUID] = mapped_column(ForeignKey("shares.id", ondelete="CASCADE"), primary_key=True)
    asset_id: Mapped[UUID] = mapped_column(ForeignKey("assets.id"), primary_key=True, index=True)


class Guest(Identified, Base):
    """A person who came by a share and gave a name; known again by the cookie of their browser."""

    __tablename__ = "guests"

    share_id: Mapped[UUID] = mapped_column(ForeignKey("shares.id", ondelete="CASCADE"), index=True)
    generation: Mapped[int] = mapped_column()
    name: Mapped[str] = mapped_column()

    share: Mapped[Share] = relationship()


class ShareAccess(Identified, Base):
    """One access by a share, for its owner: when, from where, what."""

    __tablename__ = "share_accesses"
    __table_args__ = (Index("ix_share_accesses_share_id_created_at", "share_id", "created_at"),)

    share_id: Mapped[UUID] = mapped_column(ForeignKey("shares.id", ondelete="CASCADE"))
    guest_id: Mapped[UUID | None] = mapped_column(ForeignKey("guests.id", ondelete="SET NULL"))
    what: Mapped[str] = mapped_column()
    asset_id: Mapped[UUID | None] = mapped_column()
    ip: Mapped[str] = mapped_column(default="")
    user_agent: Mapped[str] = mapped_column(default="")
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
