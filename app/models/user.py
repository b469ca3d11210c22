"""People, their visits, and the tokens of their programs."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Identified
from app.models.organization import Organization


class User(Identified, Base):
    """A person of an organisation. `role` is the organisation's: admin sees every project, member only theirs."""

    __tablename__ = "users"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), index=True)
    email: Mapped[str] = mapped_column()
    name: Mapped[str] = mapped_column()
    role: Mapped[str] = mapped_column(default="member")
    password_hash: Mapped[str | None] = mapped_column()
    deactivated_at: Mapped[datetime | None] = mapped_column()

    organization: Mapped[Organization] = relationship()


Index("uq_users_email", func.lower(User.email), unique=True)
User.__table__.append_constraint(CheckConstraint("role in ('admin', 'member')", name="role"))  # type: ignore[attr-defined]


class UserSession(Identified, Base):
    """One signed-in browser. The cookie holds this row's id, signed; revoking the row signs it out."""

    __tablename__ = "sessions"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    last_seen_at: Mapped[datetime] = mapped_column()
    revoked_at: Mapped[datetime | None] = mapped_column()
    user_agent: Mapped[str] = mapped_column(default="")

    user: Mapped[User] = relationship()


class ApiToken(Identified, Base):
    """A program's key, acting as its owner. Only its SHA-256 is kept."""

    __tablename__ = "api_tokens"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column()
    token_hash: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime | None] = mapped_column()
    last_used_at: Mapped[datetime | None] = mapped_column()
    revoked_at: Mapped[datetime | None] = mapped_column()
    #: Names of scopes (app.core.policy.TOKEN_SCOPES) that narrow what its owner may do; None is no limit.
    scopes: Mapped[list[Any] | None] = mapped_column()

    user: Mapped[User] = relationship()


class Invitation(Identified, Base):
    """A one-use link by which a person joins the organisation, and a project of it. Only its hash is kept."""

    __tablename__ = "invitations"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), index=True)
    email: Mapped[str] = mapped_column()
    role: Mapped[str] = mapped_column(default="member")
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("projects.id"))
    project_role: Mapped[str | None] = mapped_column()
    token_hash: Mapped[str] = mapped_column(unique=True)
    invited_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    expires_at: Mapped[datetime] = mapped_column()
    accepted_at: Mapped[datetime | None] = mapped_column()
    accepted_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    revoked_at: Mapped[datetime | None] = mapped_column()
