"""Bins of a project: create, rename, delete a collection."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Conflict
from app.core.names import clean_name
from app.core.policy import Principal
from app.models import Asset, Collection, Project, Upload
from app.workflows.hold import hold


def create_collection(session: Session, principal: Principal, project: Project, name: str) -> Collection:
    """A new, empty collection, where the caller has checked `collection.change`.

    Raises Rejected or Conflict (the name is taken).
    """
    collection = Collection(project_id=project.id, name=clean_name(name, "collection"))
    session.add(collection)
    _flush(session, collection.name)
    _record(session, principal, collection, "collection.created")
    return collection


def rename_collection(session: Session, principal: Principal, collection: Collection, name: str) -> None:
    """Give a collection another name. Raises Rejected or Conflict (the name is taken)."""
    collection.name = clean_name(name, "collection")
    _flush(session, collection.name)
    _record(session, principal, collection, "collection.renamed")


def delete_collection(session: Session, principal: Principal, collection: Collection) -> None:
    """Delete an empty collection. Raises Conflict while assets are in it or an upload is on its way there."""
    hold(session, collection)
    if session.scalars(select(Asset.id).where(Asset.collection_id == collection.id).limit(1)).first() is not None:
        raise Conflict("collection_not_empty", f"{collection.name} is not empty. Move its assets elsewhere first.")
    coming = select(Upload.id).where(
        Upload.project_id == collection.project_id,
        Upload.state == "open",
        Upload.mapping["collectionId"].astext == str(collection.id),
    )
    if session.scalars(coming.limit(1)).first() is not None:
        raise Conflict("upload_on_its_way", f"An upload to {collection.name} is not complete yet. Wait, or cancel it.")
    _record(session, principal, collection, "collection.deleted")
    session.delete(collection)
    session.flush()


def _flush(session: Session, name: str) -> None:
    try:
        session.flush()
    except IntegrityError:
        sentence = f"There is a collection called {name} already."
        raise Conflict("name_taken", sentence, fields={"name": sentence}) from None


def _record(session: Session, principal: Principal, collection: Collection, action: str) -> None:
    audit.record(
        session,
        principal.actor,
        action,
        organization_id=principal.organization_id,
        project_id=collection.project_id,
        target_kind="collection",
        target_id=collection.id,
        data={"name": collection.name},
    )
