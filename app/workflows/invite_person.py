"""Invite a person by a one-use link, and take an invitation back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Conflict, NotFound, Rejected
from app.core.passwords import hash_token, new_link_token
from app.core.policy import ORGANIZATION_ACTIONS, PROJECT_ACTIONS, Principal
from app.models import Invitation, Project, User, utc_now
from app.workflows.hold import hold

LIFE = timedelta(days=7)


@dataclass(frozen=True)
class Wanted:
    """Whom to invite, as what, and perhaps to a project in which role."""

    email: str
    role: str = "member"
    project: Project | None = None
    project_role: str | None = None


@dataclass(frozen=True)
class Invited:
    """A new invitation and the token of its link, which is known now and never again."""

    invitation: Invitation
    token: str


def invite_person(session: Session, principal: Principal, wanted: Wanted) -> Invited:
    """Make an invitation, where the caller has checked `people.manage`. An earlier one to the address ends.

    Raises Rejected (not an address, no such role, a role without its project) or Conflict (a member already).
    """
    email = clean_email(wanted.email)
    _check_roles(principal, wanted)
    _check_new(session, principal, email)
    for earlier in _open(session, principal, email):
        revoke_invitation(session, principal, earlier)
    token = new_link_token()
    invitation = Invitation(
        organization_id=principal.organization_id,
        email=email,
        role=wanted.role,
        project_id=wanted.project.id if wanted.project else None,
        project_role=wanted.project_role if wanted.project else None,
        token_hash=hash_token(token),
        invited_by=principal.user_id,
        expires_at=utc_now() + LIFE,
    )
    session.add(invitation)
    session.flush()
    _record(session, principal, invitation, "person.invited")
    return Invited(invitation, token)


def revoke_invitation(session: Session, principal: Principal, invitation: Invitation) -> None:
    """Let a link die. Raises Conflict when somebody has joined by it; a dead one stays dead."""
    hold(session, invitation)
    if invitation.accepted_at is not None:
        raise Conflict("invitation_used", "Somebody has joined by this link already. Deactivate the person instead.")
    if invitation.revoked_at is None:
        invitation.revoked_at = utc_now()
        _record(session, principal, invitation, "invitation.revoked")


def clean_email(text: str) -> str:
    """The address in lower case. Raises Rejected."""
    try:
        return validate_email(text.strip(), check_deliverability=False, globally_deliverable=False).normalized.lower()
    except EmailNotValidError:
        sentence = "This is not an email address. It looks like name@example.org."
        raise Rejected("bad_email", sentence, fields={"email": sentence}) from None


def _check_roles(principal: Principal, wanted: Wanted) -> None:
    if wanted.role not in ORGANIZATION_ACTIONS:
        raise Rejected("unknown_role", "Choose member or admin.", fields={"role": "Choose member or admin."})
    if wanted.project is not None and wanted.project.organization_id != principal.organization_id:
        raise NotFound("not_found", "There is nothing here, or it is not yours to see.")
    if wanted.project is not None and wanted.project_role not in PROJECT_ACTIONS:
        sentence = "Say as what the person joins the project."
        raise Rejected("unknown_role", sentence, fields={"project_role": sentence})


def _check_new(session: Session, principal: Principal, email: str) -> None:
    known = session.scalars(
        select(User).where(User.organization_id == principal.organization_id, func.lower(User.email) == email)
    ).one_or_none()
    if known is None:
        return
    active = known.deactivated_at is None
    sentence = (
        f"{known.name} is here already." if active else f"{known.name} was deactivated. Reactivate the account instead."
    )
    raise Conflict("already_here", sentence, fields={"email": sentence})


def _open(session: Session, principal: Principal, email: str) -> list[Invitation]:
    return list(
        session.scalars(
            select(Invitation).where(
                Invitation.organization_id == principal.organization_id,
                Invitation.email == email,
                Invitation.accepted_at.is_(None),
                Invitation.revoked_at.is_(None),
            )
        )
    )


def _record(session: Session, principal: Principal, invitation: Invitation, action: str) -> None:
    audit.record(
        session,
        principal.actor,
        action,
        organization_id=invitation.organization_id,
        project_id=invitation.project_id,
        target_kind="invitation",
        target_id=invitation.id,
        data={"role": invitation.role, "projectRole": invitation.project_role},
    )
