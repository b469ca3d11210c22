"""Forms that were sent: what they say, and the page again when they were refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from flask import Response, make_response, request

from app.core.errors import Conflict, Rejected, RushesError
from app.extensions import db
from app.web import errors

#: Never shown again.
_SECRET = frozenset({"password", "present", "new", "csrf_token"})


@dataclass(frozen=True)
class Fault:
    """What was wrong with one form of a page, and what had been typed into it.

    `fields` has a sentence for each input concerned; `sentence` is for the form as a whole. A page with several
    forms tells by `form` which one it was.
    """

    form: str
    sentence: str
    fields: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)


def refused(error: RushesError, form: str, page: Callable[[Fault], str]) -> Response:
    """The page with the form again, under the error's status. Other errors than a person can mend are raised."""
    if not isinstance(error, Rejected | Conflict):
        raise error
    db.session.rollback()
    values = {name: value for name, value in request.form.items() if name not in _SECRET}
    response = make_response(page(Fault(form, error.sentence, error.fields, values)))
    response.status_code = errors.status_of(error)
    return response


def form_id(name: str) -> UUID | None:
    """The id in a field; None when it is empty. Raises Rejected."""
    return _uuid(request.form.get(name, "").strip(), name)


def form_ids(name: str) -> list[UUID]:
    """The ids in a field that may be given several times. Raises Rejected."""
    return [key for text in request.form.getlist(name) if (key := _uuid(text.strip(), name)) is not None]


def _uuid(text: str, name: str) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise Rejected("bad_choice", "Choose one of the list.", fields={name: "Choose one of the list."}) from None
