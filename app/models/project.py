"""A project, who works in it, and its collections."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, false, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Identified
from app.models.organization import Client, Organization


class Project(Identified, Base):
    """A job of the house: a film, a campaign, a season."""

    __tablename__ = "projects"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), index=True)
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("clients.id"))
    name: Mapped[str] = mapped_column()
    #: Whether sources of that size get a 2160 rendition.
    wants_2160: Mapped[bool] = mapped_column(default=False, server_default=false())

    organization: Mapped[Organization] = relationship()
    client: Mapped[Client | None] = relationship()


class Membership(Identified, Base):
    """A person's role in one project."""

    __tablename__ = "memberships"
    __table_args__ = (
        UniqueConstraint("user_id", "project_id"),
        CheckConstraint("role in ('admin', 'editor', 'reviewer', 'viewer')", name="role"),
    )

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), index=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    role: Mapped[str] = mapped_column()

    project: Mapped[Project] = relationship()


class Collection(Identified, Base):
    """A bin of assets within a project."""

    __tablename__ = "collections"

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), index=True)
    name: Mapped[str] = mapped_column()


Index("uq_collections_project_id_name", Collection.project_id, func.lower(Collection.name), unique=True)
