"""An organisation: the wall around everything that its people own."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified


class Organization(Identified, Base):
    """A post house, agency or studio."""

    __tablename__ = "organizations"

    name: Mapped[str] = mapped_column()


class Client(Identified, Base):
    """For whom the projects of a house are made."""

    __tablename__ = "clients"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), index=True)
    name: Mapped[str] = mapped_column()


Index("uq_clients_organization_id_name", Client.organization_id, func.lower(Client.name), unique=True)
