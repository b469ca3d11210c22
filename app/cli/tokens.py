"""`rushes token …`: keys of programs."""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime, timedelta

from app.cli import place


def add_arguments(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """make, list, revoke."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    make = verbs.add_parser(
        "make",
        help="make a token of a person and print it, this once",
        description="Make a token of a person. Only the token itself goes to standard output.",
    )
    make.add_argument("email")
    make.add_argument("--name", required=True, help="the program or machine that will use it")
    make.add_argument("--scope", action="append", metavar="SCOPE", help="read, upload or comment; may be given several "
                      "times; all that the person may without")  # fmt: skip
    make.add_argument("--days", type=int, help="ends after so many days (never)")
    listing = verbs.add_parser("list", help="the tokens that were not revoked")
    listing.add_argument("email", nargs="?", help="of this person alone")
    listing.add_argument("--json", action="store_true", help="as JSON")
    verbs.add_parser("revoke", help="end a token at once").add_argument("id", help="as `token list` shows it")
    return list(verbs.choices.values())


def run(args: argparse.Namespace) -> int:
    """Do it; 0. Raises NotFound, Rejected, Unavailable."""
    {"make": _make, "list": _list, "revoke": _revoke}[args.verb](args)
    return 0


def _make(args: argparse.Namespace) -> None:
    from app.core.audit import SYSTEM
    from app.workflows.make_token import make_token

    ends = datetime.now(UTC) + timedelta(days=args.days) if args.days is not None else None
    with place.session_of(args, os.environ) as session:
        owner = place.person(session, args.email)
        _token, secret = make_token(session, SYSTEM, owner, name=args.name, scopes=args.scope, expires_at=ends)
    print(secret)


def _list(args: argparse.Namespace) -> None:
    from sqlalchemy import select
    from sqlalchemy.orm import joinedload

    from app.models import ApiToken

    with place.session_of(args, os.environ) as session:
        query = select(ApiToken).where(ApiToken.revoked_at.is_(None)).options(joinedload(ApiToken.user))
        if args.email:
            query = query.where(ApiToken.user_id == place.person(session, args.email).id)
        rows = [
            {
                "id": token.id,
                "owner": token.user.email,
                "name": token.name,
                "may": ", ".join(token.scopes) if token.scopes is not None else "all",
                "lastUsed": token.last_used_at,
                "ends": token.expires_at,
            }
            for token in session.scalars(query.order_by(ApiToken.created_at))
        ]
    columns = {"id": "Id", "owner": "Owner", "name": "Name", "may": "May", "lastUsed": "Last used (UTC)",
               "ends": "Ends (UTC)"}  # fmt: skip
    place.show(rows, columns, as_json=args.json, empty="There are no tokens.")


def _revoke(args: argparse.Namespace) -> None:
    from app.core.audit import SYSTEM
    from app.core.errors import NotFound
    from app.models import ApiToken
    from app.workflows.revoke_token import revoke_token

    with place.session_of(args, os.environ) as session:
        token = session.get(ApiToken, place.uuid(args.id))
        if token is None:
            raise NotFound("no_token", "There is no such token. List them: rushes token list")
        revoke_token(session, SYSTEM, token)
        print(f"The token “{token.name}” opens nothing any more.")
