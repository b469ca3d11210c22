"""People of two organisations on the running instance, each with a token for the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from app.core.passwords import hash_token, new_token
from app.core.settings import WebSettings, load
from app.factory import create_app
from app.models import ApiToken, Organization, Project, User
from tests.factories import House, make_house, make_user
from tests.support.api import Api, client
from tests.support.coded_film import write_film
from tests.support.guests import ISSUED, NAME, TITLE, Link, MakeShare, Visitor
from tests.support.pages import Browser
from tests.support.running import Running


@dataclass(frozen=True)
class Known:
    """Somebody with a client of the API, and a project of their organisation."""

    api: Api
    user_id: str
    project_id: str


@pytest.fixture(scope="session")
def database(stack: Running) -> Iterator[Session]:
    """The instance's own database."""
    engine = create_engine(stack.database_url().replace("postgresql://", "postgresql+psycopg://"))
    with Session(engine, expire_on_commit=False) as session:
        yield session
    engine.dispose()


@pytest.fixture(scope="session")
def admin(stack: Running) -> Api:
    """The first admin."""
    return client(stack)


@pytest.fixture(scope="session")
def stranger(stack: Running, database: Session) -> Known:
    """An admin of another organisation."""
    house = make_house(database, "Wren Pictures")
    return _known(stack, database, house.user, house.project)


@pytest.fixture(scope="session")
def member(stack: Running, database: Session) -> Callable[[str], Known]:
    """Makes a member of the admin's organisation with a role in its demo project."""

    def make(role: str) -> Known:
        project = database.get_one(Project, stack.project_id)
        organization = database.get_one(Organization, project.organization_id)
        user = make_user(database, organization, project=project, project_role=role)
        return _known(stack, database, user, project)

    return make


@pytest.fixture(scope="session")
def asset(admin: Api, stack: Running, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A film of 60 frames that is ready."""
    film = write_film(tmp_path_factory.mktemp("film") / "short.mp4", frames=60, size=(320, 180))
    done = admin.send(film.read_bytes(), project_id=stack.project_id, title="Short")
    assert admin.wait(done["assetId"])["state"] == "complete"
    return str(done["assetId"])


def _known(stack: Running, database: Session, user: User, project: Project) -> Known:
    token = new_token()
    database.add(
        ApiToken(organization_id=user.organization_id, user_id=user.id, name="test", token_hash=hash_token(token))
    )
    database.commit()
    return Known(Api(stack.url, token), str(user.id), str(project.id))


@pytest.fixture(scope="module")
def pages_app(environment: dict[str, str]) -> Flask:
    """The app in this process, on the servers and a database of this module."""
    return create_app(load(WebSettings, environment))


@pytest.fixture
def rows(environment: dict[str, str]) -> Iterator[Session]:
    """The database of `pages_app`."""
    engine = create_engine(environment["DATABASE_URL"])
    with Session(engine, expire_on_commit=False) as session:
        yield session
    engine.dispose()


@pytest.fixture
def house(rows: Session) -> House:
    """A new organisation with an admin and a project."""
    made = make_house(rows)
    rows.commit()
    return made


@pytest.fixture
def boss(pages_app: Flask, rows: Session, house: House) -> Browser:
    """The admin's browser."""
    browser = Browser(pages_app)
    browser.be(rows, house.user)
    return browser


# Shares: what is shared, what is not, and who visits.


@pytest.fixture(scope="session")
def film(admin: Api, stack: Running, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An asset that plays, under a title that appears nowhere else."""
    file = write_film(tmp_path_factory.mktemp("film") / "short.mp4", frames=60, size=(320, 180))
    done = admin.send(file.read_bytes(), project_id=stack.project_id, name="short_v07.mp4", title=TITLE)
    assert admin.wait(done["assetId"])["state"] == "complete"
    return str(done["assetId"])


@pytest.fixture(scope="session")
def other_film(admin: Api, stack: Running, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Another asset of the same project."""
    file = write_film(tmp_path_factory.mktemp("other") / "other.mp4", frames=30, size=(320, 180))
    done = admin.send(file.read_bytes(), project_id=stack.project_id, title="Never shown to anybody")
    assert admin.wait(done["assetId"])["state"] == "complete"
    return str(done["assetId"])


@pytest.fixture(scope="session")
def share(admin: Api, stack: Running, film: str) -> MakeShare:
    """Makes a share of the film by the API."""

    def make(**terms: object) -> Link:
        body = {"projectId": stack.project_id, "name": NAME, "assetIds": [film], **terms}
        status, made = admin.call("POST", "/api/shares", body)
        assert status == 201, made
        link = Link(made["id"], made["link"])
        ISSUED.append(link.token)
        return link

    return make


@pytest.fixture
def visitor(stack: Running) -> Visitor:
    """A browser that was nowhere yet."""
    return Visitor(stack.url)


@pytest.fixture
def fresh(database: Session) -> Iterator[Session]:
    """The database as it is now."""
    database.rollback()
    yield database
    database.rollback()
