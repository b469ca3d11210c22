"""Which Rushes a subcommand works on: the instance in a folder, or the one that the environment describes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from app.core.errors import ConfigurationError, NotFound, Rejected, Unavailable
from app.core.settings import DatabaseSettings, Settings, load
from app.core.telemetry import configure_logging

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from app.core.database import UnitOfWork
    from app.core.policy import Principal
    from app.models import Organization, User

S = TypeVar("S", bound=Settings)


def environment(args: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, str]:
    """Every variable: the instance's in `--instance`, where the environment wins; without one, the environment.

    Raises ConfigurationError when `state.json` cannot be read.
    """
    configure_logging("rushes", level="WARNING", form="console")  # to stderr: standard output is for answers
    state = Path(args.instance).resolve() / "state.json"
    if not state.exists():
        return dict(environ)
    from app.stack.instance import Instance
    from app.stack.state import State

    instance = Instance(state.parent, environ)
    try:
        instance.state = State.model_validate(json.loads(state.read_text()))
        return dict(instance.values)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(
            [f"{state} cannot be read ({type(error).__name__}): is it yours, did it start once?"]
        ) from None


def settings(cls: type[S], args: argparse.Namespace, environ: Mapping[str, str]) -> S:
    """Settings of one kind for that place. Raises ConfigurationError, which says how to name a place."""
    try:
        return load(cls, environment(args, environ))
    except ConfigurationError as error:
        hint = f"there is no instance in {args.instance}: name its folder with --instance, or set what is missing"
        here = (Path(args.instance) / "state.json").exists()
        raise ConfigurationError(error.faults if here else [*error.faults, hint]) from None


def database(args: argparse.Namespace, environ: Mapping[str, str]) -> UnitOfWork:
    """Units of work on its database. Raises ConfigurationError, or Unavailable when it does not answer."""
    from app.core.database import make_engine, make_unit_of_work
    from app.core.queue import RedisSender

    known = settings(DatabaseSettings, args, environ)
    url = known.database_url.get_secret_value()
    return answering(
        make_unit_of_work(make_engine(url, pool_size=2), RedisSender(known.redis_url.get_secret_value())), url
    )


def answering(unit_of_work: UnitOfWork, url: str) -> UnitOfWork:
    """The same units of work, after one has worked. Raises Unavailable."""
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError, OperationalError

    where = urlsplit(url)
    try:
        with unit_of_work() as session:
            session.execute(text("select version_num from alembic_version"))
    except OperationalError:
        server = f"{where.hostname}:{where.port or 5432}"
        raise Unavailable(
            "database_unavailable", f"PostgreSQL does not answer at {server}. Start it: bin/up, or your own server."
        ) from None
    except DBAPIError:
        raise Unavailable("database_empty", "The database has no tables of Rushes. Run: rushes migrate") from None
    return unit_of_work


@contextmanager
def session_of(args: argparse.Namespace, environ: Mapping[str, str]) -> Iterator[Session]:
    """One transaction on its database."""
    with database(args, environ)() as session:
        yield session


def organization(session: Session, name: str | None) -> Organization:
    """The organisation of that name or id; without one, the only one. Raises NotFound or Rejected."""
    from sqlalchemy import select

    from app.models import Organization

    found = session.scalars(select(Organization).order_by(Organization.created_at)).all()
    if name is not None:
        found = [each for each in found if name in (each.name, str(each.id))]
        if not found:
            raise NotFound("no_organization", f"There is no organisation “{name}”.")
    if len(found) != 1:
        names = ", ".join(each.name for each in found) or "none"
        raise Rejected("which_organization", f"Say which organisation with --organization: {names}.")
    return found[0]


def person(session: Session, email: str) -> User:
    """The person with that address. Raises NotFound."""
    from sqlalchemy import func, select

    from app.models import User

    user = session.scalars(select(User).where(func.lower(User.email) == email.strip().lower())).one_or_none()
    if user is None:
        raise NotFound("no_person", f"There is nobody with the address {email}. List them: rushes user list")
    return user


def operator(organization_id: UUID) -> Principal:
    """Who acts by this command: whoever may read the instance's secrets is an admin of all of it."""
    from app.core.audit import SYSTEM
    from app.core.policy import Principal

    return Principal(SYSTEM, organization_id, "admin")


def uuid(text: str) -> UUID:
    """An id of the command line. Raises Rejected."""
    try:
        return UUID(text)
    except ValueError:
        raise Rejected("bad_id", f"“{text}” is not an id; lists show them.") from None


def show(rows: list[dict[str, Any]], columns: Mapping[str, str], *, as_json: bool, empty: str) -> None:
    """A table for people with these columns (key → title), or all fields as JSON, one array."""
    if as_json:
        print(json.dumps(rows, indent=1, default=str))
        return
    if not rows:
        print(empty)
        return
    table = [list(columns.values()), *([_cell(row[key]) for key in columns] for row in rows)]
    widths = [max(len(line[at]) for line in table) for at in range(len(columns))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def new_password(args: argparse.Namespace) -> tuple[str, bool]:
    """A password: made up with --generate, typed at a terminal, else the first line of standard input.

    The flag says whether it was made up, and so has to be shown. It never stands in the command line, which
    everybody on the machine may read.
    """
    import getpass
    import secrets

    if args.generate:
        return secrets.token_urlsafe(15), True
    if sys.stdin.isatty():
        return getpass.getpass("New password (12 characters or more): "), False
    return sys.stdin.readline().rstrip("\r\n"), False


def _cell(value: object) -> str:
    if value is None:
        return "–"
    text = value.strftime("%Y-%m-%d %H:%M") if hasattr(value, "strftime") else str(value)
    return " ".join(text.split())[:80]
