"""An organisation: the wall around everything that its people own."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified


class Organization(Identified, Base):
    """A post house, agency or studio."""

    __tablename__ = "organizations"

    name: Mapped[str] = mapped_column()
