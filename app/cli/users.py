"""`rushes user …`: accounts, from the machine itself."""

from __future__ import annotations

import argparse
import os

from app.cli import place


def add_arguments(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """add, list, deactivate, reactivate, password."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    add = verbs.add_parser("add", help="make an account", description="Make an account. Asks for the password.")
    add.add_argument("email")
    add.add_argument("--name", help="how others see them (made of the address)")
    add.add_argument("--role", choices=("member", "admin"), default="member", help="in the organisation (member)")
    add.add_argument("--organization", help="its name or id, where there are several")
    add.add_argument("--project", action="append", default=[], metavar="ID:ROLE", help="let them into a project, as "
                     "admin, editor, reviewer or viewer; may be given several times")  # fmt: skip
    listing = verbs.add_parser("list", help="everybody, with role and when last seen")
    listing.add_argument("--organization", help="its name or id, where there are several")
    listing.add_argument("--json", action="store_true", help="as JSON")
    for name, text in (
        ("deactivate", "shut somebody out: sessions, tokens and media end at once"),
        ("reactivate", "let somebody in again"),
        ("password", "give somebody a new password and sign them out everywhere"),
    ):
        verbs.add_parser(name, help=text, description=text).add_argument("email")
    for each in (add, verbs.choices["password"]):
        each.add_argument("--generate", action="store_true", help="make a password up and print it")
    return list(verbs.choices.values())


def run(args: argparse.Namespace) -> int:
    """Do it; 0. Raises NotFound, Conflict, Rejected, Unavailable."""
    {"add": _add, "list": _list, "password": _password}.get(args.verb, _switch)(args)
    return 0


def _add(args: argparse.Namespace) -> None:
    from app.core.errors import Rejected
    from app.models import Project
    from app.workflows.add_user import add_user
    from app.workflows.change_membership import add_member

    password, made_up = place.new_password(args)
    with place.session_of(args, os.environ) as session:
        house = place.organization(session, args.organization)
        principal = place.operator(house.id)
        name = args.name or args.email.partition("@")[0].replace(".", " ").title()
        user = add_user(session, principal, email=args.email, name=name, role=args.role, password=password)
        for entry in args.project:
            key, _, role = entry.partition(":")
            project = session.get(Project, place.uuid(key))
            if project is None or not role:
                raise Rejected("bad_project", f"--project {entry}: write the id of a project, a colon and a role.")
            add_member(session, principal, project, user, role)
        print(f"{user.name} <{user.email}> is {user.role} of {house.name}.")
    if made_up:
        print(f"Password: {password}")


def _list(args: argparse.Namespace) -> None:
    from app.workflows.list_people import list_people

    with place.session_of(args, os.environ) as session:
        house = place.organization(session, args.organization)
        rows = [
            {
                "id": person.user.id,
                "email": person.user.email,
                "name": person.user.name,
                "role": person.user.role,
                "state": "deactivated" if person.user.deactivated_at else "active",
                "projects": person.projects,
                "lastSeen": person.last_seen,
            }
            for person in list_people(session, house.id)
        ]
    columns = {"email": "Address", "name": "Name", "role": "Role", "state": "State", "projects": "Projects",
               "lastSeen": "Last seen (UTC)"}  # fmt: skip
    place.show(rows, columns, as_json=args.json, empty="Nobody yet.")


def _switch(args: argparse.Namespace) -> None:
    from app.workflows.deactivate_user import deactivate_user, reactivate_user

    change = deactivate_user if args.verb == "deactivate" else reactivate_user
    with place.session_of(args, os.environ) as session:
        user = place.person(session, args.email)
        change(session, place.operator(user.organization_id), user)
        print(f"{user.name} <{user.email}> is {'deactivated' if user.deactivated_at else 'active'}.")


def _password(args: argparse.Namespace) -> None:
    from app.workflows.add_user import set_password

    password, made_up = place.new_password(args)
    with place.session_of(args, os.environ) as session:
        user = place.person(session, args.email)
        ended = set_password(session, place.operator(user.organization_id), user, password)
        print(f"{user.name} <{user.email}> has a new password; {ended} browsers were signed out.")
    if made_up:
        print(f"Password: {password}")
