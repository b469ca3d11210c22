"""Which version a request means: by `?v=` in an address, by `version_id` in a form."""

from __future__ import annotations

from uuid import UUID

from flask import request

from app.core.errors import NotFound, Rejected
from app.extensions import db
from app.models import Asset, Version


def pick_version(versions: list[Version]) -> Version:
    """The version that `?v=` names, else the latest (the first). Raises NotFound."""
    wanted = request.args.get("v")
    if not wanted and versions:
        return versions[0]
    for version in versions:
        if str(version.number) == wanted:
            return version
    raise NotFound("not_found", "This asset has no such version.")


def posted_version(asset: Asset) -> Version:
    """The version that the form names. Raises Rejected or NotFound."""
    try:
        version = db.session.get(Version, UUID(request.form.get("version_id", "")))
    except ValueError:
        raise Rejected("bad_version", "The form does not say which version is meant.") from None
    if version is None or version.asset_id != asset.id:
        raise NotFound("not_found", "This asset has no such version.")
    return version
