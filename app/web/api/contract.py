"""What a call takes and answers, declared beside its view; openapi.json is made of it (app.web.api.openapi)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from app.web.api.bodies import Body

V = TypeVar("V", bound=Callable[..., Any])


@dataclass(frozen=True)
class Contract:
    """One call. `answers` maps a status to the type of its JSON (None: no body); `errors` are further statuses.

    401, 422, 429 and, where they can be, 403, 404, 413 and 415 need no mention.
    """

    answers: Mapping[int, Any]
    body: type[Body] | None = None
    query: type[Body] | None = None
    errors: tuple[int, ...] = ()
    idempotent: bool = False


def contract(
    answers: Mapping[int, Any],
    *,
    body: type[Body] | None = None,
    query: type[Body] | None = None,
    errors: tuple[int, ...] = (),
    idempotent: bool = False,
) -> Callable[[V], V]:
    """Declare a view's contract. Stands below `requires`, above `answers_once`."""

    def declare(view: V) -> V:
        cast(Any, view).contract = Contract(dict(answers), body, query, errors, idempotent)
        return view

    return declare
