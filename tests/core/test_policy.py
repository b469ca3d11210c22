"""The policy table, row by row."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from app.core.audit import Actor
from app.core.errors import Denied, NotFound
from app.core.policy import (
    ALL_ACTIONS,
    GUEST_ACTIONS,
    PROJECT_ACTIONS,
    Principal,
    ShareGrant,
    check,
    check_organization,
    may,
)

OURS, THEIRS = uuid4(), uuid4()
PROJECT, OTHER = uuid4(), uuid4()

EXPECTED = {
    "project.view": "vrea", "asset.view": "vrea", "comment.view": "vrea", "preview.view": "vrea",
    "comment.create": "rea", "comment.change_own": "rea",
    "upload.create": "ea", "upload.change_own": "ea", "version.promote": "ea", "version.retry": "ea",
    "preview.build": "ea",
    "asset.change": "ea", "collection.change": "ea", "activity.view": "ea",
    "share.view": "ea", "share.create": "ea", "share.change": "ea", "master.download": "ea",
    "comment.change_any": "a", "upload.change_any": "a", "project.manage": "a",
}  # fmt: skip
ROLES = {"v": "viewer", "r": "reviewer", "e": "editor", "a": "admin"}


def someone(role: str | None = None, *, organization: UUID = OURS, organization_role: str = "member") -> Principal:
    roles = {PROJECT: role} if role else {}
    return Principal(Actor("user", uuid4()), organization, organization_role, roles)


@pytest.mark.parametrize("action", sorted(EXPECTED))
@pytest.mark.parametrize("letter", ROLES)
def test_every_cell(action: str, letter: str) -> None:
    principal = someone(ROLES[letter])
    assert may(principal, action, project_id=PROJECT, organization_id=OURS) == (letter in EXPECTED[action])


def test_the_table_has_no_other_action() -> None:
    assert frozenset().union(*PROJECT_ACTIONS.values()) == set(EXPECTED)


def test_an_admin_of_the_organisation_is_admin_of_its_projects_only() -> None:
    admin = someone(organization_role="admin")
    assert may(admin, "upload.change_any", project_id=OTHER, organization_id=OURS)
    assert not may(admin, "project.view", project_id=OTHER, organization_id=THEIRS)


def test_strangers_and_outsiders_see_nothing_members_are_told() -> None:
    for principal in (
        someone(),
        someone("admin", organization=THEIRS),
        someone(organization=THEIRS, organization_role="admin"),
    ):
        with pytest.raises(NotFound):
            check(principal, "project.view", project_id=PROJECT, organization_id=OURS)
    with pytest.raises(Denied):
        check(someone("viewer"), "comment.create", project_id=PROJECT, organization_id=OURS)


def test_organisation_actions() -> None:
    check_organization(someone(organization_role="admin"), "projects.create")
    with pytest.raises(Denied):
        check_organization(someone(), "projects.create")


def guest(*lets: str) -> Principal:
    grant = ShareGrant(uuid4(), PROJECT, 1, frozenset(lets))
    return Principal(Actor("guest", uuid4()), OURS, "guest", share=grant)


@pytest.mark.parametrize("action", sorted(ALL_ACTIONS))
def test_a_guest_has_no_role_in_any_project(action: str) -> None:
    everything = guest(*GUEST_ACTIONS)
    assert not may(everything, action, project_id=PROJECT, organization_id=OURS)
    with pytest.raises(NotFound):
        check(everything, action, project_id=PROJECT, organization_id=OURS)
    with pytest.raises(LookupError):
        _ = everything.user_id


def test_what_a_share_lets_its_guests_do() -> None:
    watch = {"share.open", "asset.view", "preview.view"}
    comment = {"comment.view", "comment.create", "comment.change_own"}
    for lets, allowed in (
        (("watch",), watch),
        (("watch", "comment"), watch | comment),
        (("watch", "proxy"), watch | {"proxy.download"}),
        (("watch", "master"), watch | {"proxy.download", "master.download"}),
    ):
        grant = guest(*lets).share
        assert grant is not None
        assert {action for action in ALL_ACTIONS if grant.allows(action)} == allowed


def test_whose_a_comment_is() -> None:
    member, visitor = someone("reviewer"), guest("watch", "comment")
    assert member.wrote(member.user_id, None)
    assert visitor.wrote(None, visitor.actor.id)
    for principal in (member, visitor):
        assert not principal.wrote(None, None)
        assert not principal.wrote(uuid4(), uuid4())
    assert not member.wrote(None, member.user_id)
    assert not visitor.wrote(visitor.actor.id, None)
