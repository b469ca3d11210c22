"""The column beside a project's pages: its collections and its other pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from flask import current_app, url_for

from app.core.policy import Principal, may
from app.extensions import db
from app.models import Asset, Project
from app.workflows.list_collections import Bins, list_collections
from app.workflows.list_people import count_members

#: Pages of a project: (key, label, icon, endpoint, action that opens it).
_PAGES = (
    ("shares", "Shares", "link", "shares.index", "share.view"),
    ("people", "People", "user", "projects.members", "project.manage"),
    ("activity", "Activity", "clock", "activity.show", "activity.view"),
    ("settings", "Settings", "filter", "projects.settings", "project.manage"),
)


@dataclass(frozen=True)
class NavLink:
    """One row: where it leads, what stands behind it, and whether one is there."""

    key: str
    label: str
    icon: str
    href: str
    count: int | None = None
    here: bool = False


@dataclass(frozen=True)
class ProjectNav:
    """The whole column. `create_href` is None for those who may not make collections."""

    collections: list[NavLink]
    pages: list[NavLink] = field(default_factory=list)
    create_href: str | None = None
    here: str = "Everything"


def project_nav(principal: Principal, project: Project, here: str, bins: Bins | None = None) -> ProjectNav:
    """The column of a project. `here` is the key of a page, the id of a collection, "everything" or "none"."""
    bins = bins or list_collections(db.session(), project.id)
    collections = _collections(project, here, bins)
    pages = []
    for key, label, icon, endpoint, action in _PAGES:
        # A page of another blueprint is listed as soon as there is one.
        if endpoint in current_app.view_functions and _may(principal, action, project):
            count = count_members(db.session(), project.id) if key == "people" else None
            pages.append(NavLink(key, label, icon, url_for(endpoint, project_id=project.id), count, here=key == here))
    return ProjectNav(
        collections,
        pages,
        create_href=url_for("projects.create_collection", project_id=project.id)
        if _may(principal, "collection.change", project)
        else None,
        here=next((link.label for link in (*collections, *pages) if link.here), "Everything"),
    )


def _collections(project: Project, here: str, bins: Bins) -> list[NavLink]:
    href = url_for("projects.show", project_id=project.id)
    links = [NavLink("everything", "Everything", "stack", href, bins.total, here=here == "everything")]
    for collection, count in bins.collections:
        key = str(collection.id)
        target = url_for("projects.show", project_id=project.id, collection=key)
        links.append(NavLink(key, collection.name, "bin", target, count, here=here == key))
    if bins.collections and (bins.loose or here == "none"):
        target = url_for("projects.show", project_id=project.id, collection="none")
        links.append(NavLink("none", "In no collection", "ring", target, bins.loose, here=here == "none"))
    return links


def _may(principal: Principal, action: str, project: Project) -> bool:
    return may(principal, action, project_id=project.id, organization_id=project.organization_id)


@dataclass(frozen=True)
class Place:
    """Where an asset lies, for those who may move and rename it."""

    collection_id: UUID | None
    collection: str | None
    collections: list[tuple[UUID, str]]


def place_of(principal: Principal, asset: Asset) -> Place | None:
    """The place of an asset; None for who may not change it."""
    if not _may(principal, "asset.change", asset.project):
        return None
    bins = [(each.id, each.name) for each, _count in list_collections(db.session(), asset.project_id).collections]
    return Place(asset.collection_id, dict(bins).get(asset.collection_id) if asset.collection_id else None, bins)
