"""Shares by HTTP."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from flask import jsonify
from flask.typing import ResponseReturnValue
from pydantic import AwareDatetime, Field, StringConstraints
from typing_extensions import TypedDict

from app.extensions import db
from app.models import Share
from app.models.base import utc_now
from app.web.api.answers import Id, Moment, Url
from app.web.api.blueprint import blueprint
from app.web.api.bodies import Body, read, read_query
from app.web.api.contract import contract
from app.web.api.json_views import iso
from app.web.auth.hashing import hashed
from app.web.security import current_principal, requires
from app.web.services import services
from app.web.shares.views import link_of
from app.workflows.change_share import change_share
from app.workflows.create_share import create_share
from app.workflows.find import find_project
from app.workflows.list_shares import ShareRow, list_shares, rows_of
from app.workflows.revoke_share import revoke_share
from app.workflows.share_terms import DEFAULT_LIFE, Keep, Terms

Download = Literal["none", "proxy", "master"]
Name = Annotated[str, StringConstraints(max_length=300)]
Password = Annotated[str, StringConstraints(max_length=1000)]


class SharesQuery(Body):
    project_id: UUID | None = None


class ShareBody(Body):
    """A new share. Without `expiresAt` it ends after thirty days; null is no end."""

    project_id: UUID
    name: Name
    asset_ids: list[UUID] = Field(min_length=1, max_length=200)
    password: Password | None = None
    expires_at: AwareDatetime | None = Field(default_factory=lambda: utc_now() + DEFAULT_LIFE)
    may_comment: bool = True
    download: Download = "none"


class ShareChange(Body):
    """What is not given stays. A password of null takes the password away."""

    name: Name | None = None
    asset_ids: list[UUID] | None = Field(None, min_length=1, max_length=200)
    password: Password | None = None
    expires_at: AwareDatetime | None = None
    may_comment: bool | None = None
    download: Download | None = None


class SharedAsset(TypedDict):
    """An asset that a share opens."""

    id: Id
    title: str


class ShareAnswer(TypedDict):
    """A share. `link` is null when the server's key was changed since the link was made, or the share is revoked."""

    id: Id
    projectId: Id
    name: str
    state: Literal["open", "expired", "revoked"]
    link: Url | None
    assets: list[SharedAsset]
    hasPassword: bool
    expiresAt: Moment | None
    mayComment: bool
    download: Download
    createdAt: Moment
    revokedAt: Moment | None
    visits: int
    lastVisitAt: Moment | None


class ShareList(TypedDict):
    """Shares, newest first."""

    items: list[ShareAnswer]
    nextCursor: str | None


@blueprint.get("/shares")
@requires("share.view")
@contract({200: ShareList}, query=SharesQuery, errors=(403, 404))
def shares() -> ResponseReturnValue:
    """The shares of `?projectId=`, or of all projects whose shares one may see; newest first, 500 at most."""
    principal = current_principal()
    project_id = read_query(SharesQuery).project_id
    if project_id is not None:
        find_project(db.session(), principal, project_id, "share.view")
    rows = list_shares(db.session(), principal, project_id=project_id)
    body: ShareList = {"items": [share_json(row) for row in rows], "nextCursor": None}
    return jsonify(body)


@blueprint.post("/shares", endpoint="create_share")
@requires("share.create")
@contract({201: ShareAnswer}, body=ShareBody, errors=(403, 404))
def new_share() -> ResponseReturnValue:
    """Make a link to some assets of a project."""
    body = read(ShareBody)
    principal = current_principal()
    project = find_project(db.session(), principal, body.project_id, "share.create")
    terms = Terms(body.name, body.asset_ids, body.password, body.expires_at, body.may_comment, body.download)
    secret = services().settings.secret_key.get_secret_value().encode()
    share = create_share(db.session(), secret, principal, project, terms, hasher=hashed)
    db.session.commit()
    return jsonify(_one(share)), 201


@blueprint.patch("/shares/<uuid:share_id>", endpoint="change_share")
@requires("share.change", share="share_id")
@contract({200: ShareAnswer}, body=ShareChange, errors=(403, 404, 409))
def patch_share(share: Share) -> ResponseReturnValue:
    """Change what a link opens; the link stays."""
    body = read(ShareChange)
    change_share(db.session(), current_principal(), share, _changed(share, body), hasher=hashed)
    db.session.commit()
    return jsonify(_one(share))


@blueprint.delete("/shares/<uuid:share_id>", endpoint="revoke_share")
@requires("share.change", share="share_id")
@contract({204: None}, errors=(403, 404))
def delete_share(share: Share) -> ResponseReturnValue:
    """Revoke a link: its pages and media die within a second. What was done by it stays listed."""
    revoke_share(db.session(), current_principal(), share)
    db.session.commit()
    return "", 204


def _changed(share: Share, body: ShareChange) -> Terms:
    given = body.model_fields_set
    return Terms(
        name=body.name if body.name is not None else share.name,
        asset_ids=body.asset_ids if body.asset_ids is not None else [asset.id for asset in share.assets],
        password=body.password if "password" in given else Keep.PASSWORD,
        expires_at=body.expires_at if "expires_at" in given else share.expires_at,
        may_comment=body.may_comment if body.may_comment is not None else share.may_comment,
        download=body.download if body.download is not None else share.download,
    )


def _one(share: Share) -> ShareAnswer:
    return share_json(rows_of(db.session(), [share])[0])


def share_json(row: ShareRow) -> ShareAnswer:
    """A share as the API tells of it."""
    share = row.share
    return {
        "id": str(share.id),
        "projectId": str(share.project_id),
        "name": share.name,
        "state": row.state,
        "link": link_of(share) if share.revoked_at is None else None,
        "assets": [{"id": str(asset.id), "title": asset.title} for asset in share.assets],
        "hasPassword": share.password_hash is not None,
        "expiresAt": iso(share.expires_at) if share.expires_at else None,
        "mayComment": share.may_comment,
        "download": share.download,  # type: ignore[typeddict-item]  # a check constraint of the table
        "createdAt": iso(share.created_at),
        "revokedAt": iso(share.revoked_at) if share.revoked_at else None,
        "visits": row.visits,
        "lastVisitAt": iso(row.last_at) if row.last_at else None,
    }
