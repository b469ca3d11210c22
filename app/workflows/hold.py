"""Lock a row that was found, and read it again."""

from __future__ import annotations

from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.models import Base


def hold(session: Session, thing: Base, *, shared: bool = False) -> None:
    """Lock the row of `thing` until the transaction ends, and refresh it. Raises NotFound when it is gone.

    `shared` lets others hold it in the same way; it only keeps the row from being changed or deleted.
    """
    try:
        session.refresh(thing, with_for_update={"read": shared})
    except InvalidRequestError:
        raise NotFound("not_found", "It was deleted just now.") from None
