"""The bodies of API requests: camelCase outside, checked, nothing unknown."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar
from uuid import UUID

from flask import request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel
from werkzeug.exceptions import HTTPException

from app.core.errors import Rejected

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, StringConstraints(max_length=300)]


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
    type: Annotated[str, StringConstraints(max_length=200)] = "application/octet-stream"
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


B = TypeVar("B", bound=Body)


def read(kind: type[B]) -> B:
    """The request's JSON as a body. Raises Rejected with a sentence for each field."""
    try:
        data: Any = request.get_json(force=True, silent=False) if request.content_length != 0 else {}
    except HTTPException as error:
        if error.code == 413:
            raise
        raise Rejected("bad_json", "The body is not JSON.") from None
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        fields = {
            ".".join(map(str, fault["loc"])) or "body": str(fault["msg"])
            for fault in error.errors(include_url=False, include_input=False, include_context=False)
        }
        first = next(iter(fields.items()))
        raise Rejected("bad_body", f"{first[0]}: {first[1]}.", fields=fields) from None
