"""`rushes user` and `rushes token`: accounts and keys from the machine itself."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.passwords import hash_token, password_matches
from app.models import Activity, ApiToken, Membership, User, UserSession, utc_now
from tests.cli.conftest import Rushes
from tests.factories import House, make_house, make_user


@pytest.fixture
def house(rows: Session) -> House:
    """An organisation that a command must name, as there are several."""
    made = make_house(rows)
    rows.commit()
    return made


def found(rows: Session, email: str) -> User:
    rows.rollback()
    return rows.scalars(select(User).where(User.email == email).execution_options(populate_existing=True)).one()


def test_the_exit_codes_stand_in_the_help(rushes: Rushes) -> None:
    for arguments in (("--help",), ("user", "--help"), ("doctor", "--help"), ("audit", "--help")):
        answer = rushes(*arguments)
        assert answer.code == 0
        assert "Exit codes: 0 done" in answer.out
    assert rushes("user").code == 2


def test_an_account_is_made_with_a_typed_password_and_a_role_in_a_project(
    rushes: Rushes, rows: Session, house: House
) -> None:
    email = f"ada-{house.organization.id.hex}@example.org"
    answer = rushes(
        "user", "add", email.upper(), "--name", "Ada Lovelace", "--organization", str(house.organization.id),
        "--project", f"{house.project.id}:editor", typed="correct horse battery\n",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert "horse" not in answer.out + answer.err
    user = found(rows, email)
    assert (user.name, user.role) == ("Ada Lovelace", "member")
    assert password_matches(user.password_hash, "correct horse battery")
    membership = rows.scalars(select(Membership).where(Membership.user_id == user.id)).one()
    assert (membership.project_id, membership.role) == (house.project.id, "editor")
    deeds = rows.scalars(
        select(Activity.action).where(Activity.organization_id == house.organization.id).order_by(Activity.id)
    )
    assert list(deeds) == ["person.added", "member.added"]

    again = rushes("user", "add", email, "--generate", "--organization", str(house.organization.id))
    assert again.code == 1
    assert "already" in again.err


def test_wrong_input_ends_with_a_sentence_and_makes_nothing(rushes: Rushes, rows: Session, house: House) -> None:
    here = ("--organization", str(house.organization.id))
    for arguments, typed, sentence in (
        (("user", "add", "nobody", *here), "long enough password", "not an email address"),
        (("user", "add", "x@example.org", *here), "short", "12 characters"),
        (("user", "add", "x@example.org", *here, "--project", "x"), "long enough password", "not an id"),
        (("user", "add", "x@example.org", "--organization", "None Such"), "long enough password", "no organisation"),
        (("user", "deactivate", "none@example.org"), "", "nobody with the address"),
        (("token", "revoke", "12"), "", "not an id"),
        (("jobs", "retry", str(house.project.id)), "", "no such job"),
    ):
        answer = rushes(*arguments, typed=typed)
        assert (answer.code, answer.out) == (1, "")
        assert sentence in answer.err
    rows.rollback()
    assert rows.scalars(select(User).where(User.email == "x@example.org")).all() == []


def test_a_new_password_signs_out_and_a_deactivated_person_is_out(rushes: Rushes, rows: Session, house: House) -> None:
    user = make_user(rows, house.organization)
    visit = UserSession(user_id=user.id, last_seen_at=utc_now())
    rows.add(visit)
    rows.commit()
    answer = rushes("user", "password", user.email, "--generate")
    assert answer.code == 0, answer.err
    assert "1 browsers were signed out" in answer.out
    password = answer.out.split("Password: ")[1].strip()
    assert password_matches(found(rows, user.email).password_hash, password)

    assert rushes("user", "deactivate", user.email).code == 0
    assert found(rows, user.email).deactivated_at is not None
    assert rushes("user", "reactivate", user.email).code == 0
    assert found(rows, user.email).deactivated_at is None
    last_admin = rushes("user", "deactivate", house.user.email)
    assert last_admin.code == 1
    assert "only admin" in last_admin.err


def test_everybody_is_listed_for_people_and_for_programs(rushes: Rushes, rows: Session, house: House) -> None:
    here = ("--organization", str(house.organization.id))
    plain = rushes("user", "list", *here)
    assert house.user.email in plain.out
    people = json.loads(rushes("user", "list", *here, "--json").out)
    assert [(each["email"], each["role"], each["state"]) for each in people] == [(house.user.email, "admin", "active")]


def test_a_token_is_printed_alone_listed_and_revoked(rushes: Rushes, rows: Session, house: House) -> None:
    made = rushes("token", "make", house.user.email, "--name", "camera", "--scope", "upload", "--days", "3")
    assert made.code == 0, made.err
    secret = made.out.strip()
    assert secret.startswith("rsh_")
    token = rows.scalars(select(ApiToken).where(ApiToken.token_hash == hash_token(secret))).one()
    assert token.scopes == ["upload"]
    listed = rushes("token", "list", house.user.email)
    assert "camera" in listed.out
    assert secret not in listed.out
    assert rushes("token", "revoke", str(token.id)).code == 0
    assert "There are no tokens" in rushes("token", "list", house.user.email).out
    assert rushes("token", "make", house.user.email, "--name", "x", "--scope", "everything").code == 1
