"""The bins of a project, with what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.models import Asset, Collection


@dataclass(frozen=True)
class Bins:
    """The collections by name with their numbers of assets; `loose` are in none of them."""

    collections: list[tuple[Collection, int]]
    loose: int

    @property
    def total(self) -> int:
        """Every asset of the project."""
        return self.loose + sum(count for _collection, count in self.collections)


def in_collection(collection: Collection | None) -> ColumnElement[bool]:
    """The condition on assets that they are in the collection, or in none."""
    return Asset.collection_id == collection.id if collection else Asset.collection_id.is_(None)


def list_collections(session: Session, project_id: UUID) -> Bins:
    """The collections of a project and how many assets each holds."""
    rows = session.execute(
        select(Asset.collection_id, func.count()).where(Asset.project_id == project_id).group_by(Asset.collection_id)
    )
    counts: Mapping[UUID | None, int] = {row[0]: row[1] for row in rows}
    collections = session.scalars(
        select(Collection).where(Collection.project_id == project_id).order_by(func.lower(Collection.name))
    )
    return Bins([(each, counts.get(each.id, 0)) for each in collections], counts.get(None, 0))
