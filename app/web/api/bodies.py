"""The bodies and queries of API requests: camelCase outside, checked, nothing unknown."""

from __future__ import annotations

from typing import Annotated, TypeVar
from uuid import UUID

from flask import request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel
from werkzeug.exceptions import UnsupportedMediaType

from app.core.errors import Rejected

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
#: PostgreSQL keeps no NUL.
Text = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00]*$")]
#: Of a page of a list.
LIMIT = 50
MAX_LIMIT = 200


class Body(BaseModel):
    """Base of all bodies."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=False, extra="forbid", hide_input_in_errors=True
    )


class PartBody(Body):
    number: int = Field(ge=1, le=10_000)
    size: int = Field(ge=1)
    sha256: Sha256 | None = None


class MappingBody(Body):
    project_id: UUID
    collection_id: UUID | None = None
    asset_id: UUID | None = None
    title: Text | None = None


class PresignBody(Body):
    project_id: UUID
    name: Annotated[str, StringConstraints(max_length=1000)]
    size: int = Field(ge=0, le=2**53)
    type: Annotated[str, StringConstraints(max_length=200, pattern=r"^[ -~]*$")] = "application/octet-stream"
    sha256: Sha256 | None = None
    mapping: MappingBody | None = None
    parts: list[PartBody] = Field(default_factory=list, max_length=100)


class PartsBody(Body):
    parts: list[PartBody] = Field(min_length=1, max_length=100)


class CompleteBody(Body):
    sha256: Sha256 | None = None


class PromoteBody(Body):
    staging_key: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    mapping: MappingBody
    sha256: Sha256 | None = None


class PreviewBody(Body):
    version_sha: Sha256


class AnchorBody(Body):
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)


class CommentBody(Body):
    version_id: UUID
    frame_in: int
    frame_out: int | None = None
    anchor: AnchorBody | None = None
    body: str
    parent_id: UUID | None = None


class CommentChange(Body):
    body: str


class AssetChange(Body):
    title: str


class ProjectBody(Body):
    name: str
    client_id: UUID | None = None


class PageQuery(Body):
    """Which page of a list: `cursor` is the `nextCursor` of the one before."""

    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None
    limit: int = Field(LIMIT, ge=1, le=MAX_LIMIT)


class AssetsQuery(PageQuery):
    project_id: UUID | None = None


class CommentsQuery(PageQuery):
    version_id: UUID


B = TypeVar("B", bound=Body)


def read(kind: type[B]) -> B:
    """The request's JSON as a body, by JSON's own types ("3" is no number).

    Raises Rejected with a sentence for each field, UnsupportedMediaType for what is declared as something else.
    """
    if request.mimetype not in ("", "application/json"):
        raise UnsupportedMediaType("Send the body as JSON, with Content-Type: application/json.")
    try:
        return kind.model_validate_json(request.get_data() or b"{}", strict=True)
    except ValidationError as error:
        raise _rejected(error) from None


def read_query(kind: type[B]) -> B:
    """The request's query. Raises Rejected with a sentence for each name that is wrong, unknown, or given twice."""
    given = request.args
    twice = {name: "is given twice" for name, values in given.lists() if len(values) > 1}
    if twice:
        raise Rejected("bad_query", f"{next(iter(twice))} is given twice.", fields=twice)
    try:
        return kind.model_validate(given.to_dict())
    except ValidationError as error:
        raise _rejected(error, "bad_query") from None


def _rejected(error: ValidationError, code: str = "bad_body") -> Rejected:
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    if faults[0]["type"] == "json_invalid":
        return Rejected("bad_json", "The body is not JSON.")
    fields = {".".join(map(str, fault["loc"])) or "body": str(fault["msg"]) for fault in faults}
    first = next(iter(fields.items()))
    return Rejected(code, f"{first[0]}: {first[1]}.", fields=fields)
