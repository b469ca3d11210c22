"""Lock a row that was found, and read it again."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.models.base import Identified


def hold(session: Session, thing: Identified, *, shared: bool = False) -> None:
    """Lock the row of `thing` until the transaction ends, and refresh it. Raises NotFound when it is gone.

    `shared` lets others hold it in the same way; it only keeps the row from being changed or deleted.
    """
    model = type(thing)
    found = session.scalars(
        select(model)
        .where(model.id == thing.id)
        .with_for_update(read=shared, of=model)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound("not_found", "It was deleted just now.")
