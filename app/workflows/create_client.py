"""For whom projects are made: create, rename, delete a client."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Conflict
from app.core.names import clean_name
from app.core.policy import Principal
from app.models import Client, Project
from app.workflows.hold import hold


def create_client(session: Session, principal: Principal, name: str) -> Client:
    """A new client of the principal's organisation. Raises Rejected or Conflict (the name is taken)."""
    client = Client(organization_id=principal.organization_id, name=clean_name(name, "client"))
    session.add(client)
    _flush(session, client.name)
    _record(session, principal, client, "client.created")
    return client


def rename_client(session: Session, principal: Principal, client: Client, name: str) -> None:
    """Give a client another name. Raises Rejected or Conflict (the name is taken)."""
    client.name = clean_name(name, "client")
    _flush(session, client.name)
    _record(session, principal, client, "client.renamed")


def delete_client(session: Session, principal: Principal, client: Client) -> None:
    """Delete a client that has no projects. Raises Conflict."""
    hold(session, client)
    if session.scalars(select(Project.id).where(Project.client_id == client.id).limit(1)).first() is not None:
        raise Conflict("client_in_use", f"{client.name} has projects. Give them another client first.")
    _record(session, principal, client, "client.deleted")
    session.delete(client)
    session.flush()


def _flush(session: Session, name: str) -> None:
    try:
        session.flush()
    except IntegrityError:
        sentence = f"There is a client called {name} already."
        raise Conflict("name_taken", sentence, fields={"name": sentence}) from None


def _record(session: Session, principal: Principal, client: Client, action: str) -> None:
    audit.record(
        session,
        principal.actor,
        action,
        organization_id=client.organization_id,
        target_kind="client",
        target_id=client.id,
        data={"name": client.name},
    )
