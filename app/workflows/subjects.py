"""What the things are called that activities and jobs are about, looked up together: one query a kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from app.core.timecode import Timecode
from app.models import (
    ApiToken,
    Asset,
    Client,
    Collection,
    Comment,
    Guest,
    Invitation,
    Organization,
    Preview,
    Project,
    Share,
    Upload,
    User,
    Version,
)

#: A thing by its kind ("version") and key.
Key = tuple[str, UUID]


@dataclass(frozen=True)
class Subject:
    """A thing's name, and what it takes to link to it. `by` is who sent it, `state` a version's or a preview's."""

    text: str
    asset_id: UUID | None = None
    version: int | None = None
    frame: int | None = None
    project_id: UUID | None = None
    share_id: UUID | None = None
    by: str | None = None
    state: str | None = None


def subjects_of(session: Session, wanted: Iterable[Key]) -> dict[Key, Subject]:
    """The names of things; those that are gone, or of a kind without a name, are missing."""
    by_kind: dict[str, set[UUID]] = {}
    for kind, key in wanted:
        by_kind.setdefault(kind, set()).add(key)
    found: dict[Key, Subject] = {}
    for kind, keys in by_kind.items():
        if kind in _READERS:
            query, make = _READERS[kind]
            rows = session.execute(query(sorted(keys))).all()
            found |= {(kind, row[0]): make(row) for row in rows}
    return found


def actors_of(session: Session, wanted: Iterable[Key]) -> dict[Key, str]:
    """The names of people and guests by the kind and id of an actor; a token is called as its owner."""
    keys = set(wanted)
    people = {key for kind, key in keys if kind in ("user", "token")}
    guests = {key for kind, key in keys if kind == "guest"}
    names: dict[UUID, str] = dict(session.execute(select(User.id, User.name).where(User.id.in_(people))).all())
    found = {(kind, key): names[key] for kind, key in keys if kind in ("user", "token") and key in names}
    for key, name in session.execute(select(Guest.id, Guest.name).where(Guest.id.in_(guests))):
        found["guest", key] = name
    return found


def _versions(keys: Sequence[UUID]) -> Any:
    return (
        select(Version.id, Version.number, Asset.id, Asset.title, Asset.project_id, User.name, Version.state)
        .join(Asset, Asset.id == Version.asset_id)
        .outerjoin(User, User.id == Version.created_by)
        .where(Version.id.in_(keys))
    )


def _previews(keys: Sequence[UUID]) -> Any:
    """A preview is called as the latest version that it shows."""
    return (
        select(Version.preview_id, Version.number, Asset.id, Asset.title, Asset.project_id, User.name, Preview.state)
        .join(Asset, Asset.id == Version.asset_id)
        .join(Preview, Preview.id == Version.preview_id)
        .outerjoin(User, User.id == Version.created_by)
        .where(Version.preview_id.in_(keys))
        .ext(distinct_on(Version.preview_id))
        .order_by(Version.preview_id, Version.created_at.desc())
    )


def _version(row: Any) -> Subject:
    _key, number, asset_id, title, project_id, by, state = row
    return Subject(f"v{number} of {title}", asset_id, number, project_id=project_id, by=by, state=state)


def _comments(keys: Sequence[UUID]) -> Any:
    return (
        select(
            Comment.id, Comment.frame_in, Version.number, Asset.id, Asset.title, Asset.project_id,
            Preview.rate_num, Preview.rate_den, Preview.drop_frame, Preview.start_frame,
        )
        .join(Asset, Asset.id == Comment.asset_id)
        .join(Version, Version.id == Comment.version_id)
        .outerjoin(Preview, Preview.id == Version.preview_id)
        .where(Comment.id.in_(keys))
    )  # fmt: skip


def _comment(row: Any) -> Subject:
    _key, frame, number, asset_id, title, project_id, rate, per, drop, start = row
    place = Timecode(Fraction(rate, per), drop, start).label(frame) if rate and per else f"frame {frame}"
    return Subject(f"{title} at {place}", asset_id, number, frame, project_id)


def _named(name: Any, project: Any = None) -> tuple[Callable[[Sequence[UUID]], Any], Callable[[Any], Subject]]:
    """How to read things that have a column `name`, and a column `project` where they belong to one."""
    key = name.class_.id
    columns = (key, name) if project is None else (key, name, project)

    def make(row: Any) -> Subject:
        return Subject(row[1], project_id=row[2] if project is not None else None)

    return lambda keys: select(*columns).where(key.in_(keys)), make


def _with(field: str, reader: tuple[Any, Callable[[Any], Subject]]) -> tuple[Any, Callable[[Any], Subject]]:
    """The same, with the thing's own key in a field of the subject."""
    query, make = reader
    return query, lambda row: replace(make(row), **{field: row[0]})


_READERS: Mapping[str, tuple[Callable[[Sequence[UUID]], Any], Callable[[Any], Subject]]] = {
    "version": (_versions, _version),
    "preview": (_previews, _version),
    "comment": (_comments, _comment),
    "asset": _with("asset_id", _named(Asset.title, Asset.project_id)),
    "share": _with("share_id", _named(Share.name, Share.project_id)),
    "project": _with("project_id", _named(Project.name)),
    "upload": _named(Upload.name, Upload.project_id),
    "collection": _named(Collection.name, Collection.project_id),
    "client": _named(Client.name),
    "user": _named(User.name),
    "invitation": _named(Invitation.email),
    "token": _named(ApiToken.name),
    "organization": _named(Organization.name),
}
