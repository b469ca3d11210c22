"""Where the things are that activities and jobs tell of."""

from __future__ import annotations

from flask import current_app, url_for

from app.workflows.subjects import Subject


def href_of(kind: str, subject: Subject | None) -> str | None:
    """The page of a subject of that kind; None when it has none."""
    if subject is None:
        return None
    if kind == "comment" and subject.asset_id:
        return url_for("review.show", asset_id=subject.asset_id, v=subject.version, f=subject.frame)
    if kind in ("version", "preview") and subject.asset_id:
        return url_for("assets.show", asset_id=subject.asset_id, v=subject.version)
    if kind == "asset" and subject.asset_id:
        return url_for("assets.show", asset_id=subject.asset_id)
    if kind == "share" and subject.share_id and "shares.show" in current_app.view_functions:
        return url_for("shares.show", share_id=subject.share_id)
    if kind in ("upload", "project", "collection") and subject.project_id:
        return url_for("projects.show", project_id=subject.project_id)
    return None
