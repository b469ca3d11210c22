"""Where the things are that activities and jobs tell of."""

from __future__ import annotations

from typing import Any

from flask import current_app, url_for

from app.workflows.subjects import Subject


def href_of(kind: str, subject: Subject | None) -> str | None:
    """The page of a subject of that kind; None when it has none."""
    if subject is None:
        return None
    place: tuple[str, dict[str, Any]] | None = None
    if kind == "comment":
        place = "review.show", {"asset_id": subject.asset_id, "v": subject.version, "f": subject.frame}
    elif kind in ("version", "preview"):
        place = "assets.show", {"asset_id": subject.asset_id, "v": subject.version}
    elif kind == "asset":
        place = "assets.show", {"asset_id": subject.asset_id}
    elif kind == "share" and "shares.show" in current_app.view_functions:
        place = "shares.show", {"share_id": subject.share_id}
    elif kind in ("upload", "project", "collection"):
        place = "projects.show", {"project_id": subject.project_id}
    return url_for(place[0], **place[1]) if place else None
