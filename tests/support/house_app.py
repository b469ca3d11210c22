"""The web in this process on real PostgreSQL, Redis and S3, with a house of people, films and comments in it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.core.passwords import hash_password, hash_token, new_token
from app.core.settings import WebSettings, load
from app.factory import create_app
from app.models import ApiToken, Asset, Comment, Master, Organization, Preview, Project, User, Version, utc_now
from tests.factories import House, make_house, make_user

FRAMES = 250
PASSWORD = "a few words are fine"


def make_app(environment: Mapping[str, str], **more: str) -> Flask:
    """The app as gunicorn would load it, but for `more`."""
    return create_app(load(WebSettings, {**environment, "API_RATE_PER_MINUTE": "1000000", **more}))


@dataclass
class Caller:
    """A client of the app with a bearer token; answers are werkzeug's."""

    app: Flask
    token: str | None
    user_id: UUID
    http: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.http = self.app.test_client(use_cookies=False)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and JSON of one call; underscores of header names become hyphens."""
        answer = self.open(method, path, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})
        return answer.status_code, answer.get_json(silent=True)

    def open(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **given: Any) -> Any:
        """One call, as it is."""
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if given.get("json", "") is None:
            del given["json"]
        return self.http.open(path, method=method, headers={**sent, **(headers or {})}, **given)


def make_token_row(session: Session, user: User, **columns: Any) -> str:
    """A token of a person, as a row; its secret."""
    secret = new_token()
    session.add(
        ApiToken(
            organization_id=user.organization_id, user_id=user.id, name="test", token_hash=hash_token(secret), **columns
        )
    )
    session.commit()
    return secret


def make_person(session: Session, house: House, role: str = "member", *, project_role: str = "viewer") -> User:
    """A person with a password; a member has a role in the project of the house."""
    organization = session.get_one(Organization, house.organization.id)
    project = session.get_one(Project, house.project.id) if role == "member" else None
    user = make_user(session, organization, role=role, project=project, project_role=project_role)
    user.password_hash = hash_password(PASSWORD)
    session.commit()
    return user


def make_film(session: Session, house: House, title: str, *, comments: int = 0) -> tuple[Asset, Version]:
    """An asset whose only version is locked, and whose preview plays (in the database; nothing lies in S3)."""
    digest = secrets.token_hex(32)
    master = Master(
        organization_id=house.organization.id, sha256=digest, size=10_000, key=f"sha256/{digest}", etag='"e-1"',
        composite_sha256="c-1", part_size=8_388_608, lock_mode="GOVERNANCE", retain_until=utc_now(),
        verified_at=utc_now(), manifest_key="m.json",
    )  # fmt: skip
    preview = Preview(
        organization_id=house.organization.id, sha256=digest, media=secrets.token_hex(32), state="ready",
        build=secrets.token_hex(6), rate_num=25, rate_den=1, frame_count=FRAMES, has_poster=True, progress=100,
        plan={"has_timeline": True}, probe={"video": {"width": 1920, "height": 1080}},
    )  # fmt: skip
    asset = Asset(project_id=house.project.id, title=title, created_by=house.user.id)
    session.add_all([master, preview, asset])
    session.flush()
    version = Version(
        asset_id=asset.id, number=1, file_name=f"{title}.mov", size=10_000, sha256=digest, state="promoted",
        master_id=master.id, preview_id=preview.id, created_by=house.user.id,
    )  # fmt: skip
    session.add(version)
    session.flush()
    session.add_all(
        Comment(
            asset_id=asset.id, version_id=version.id, author_id=house.user.id, frame_in=number * 7 % FRAMES,
            body=f"remark {number}", parent_id=None,
        )
        for number in range(comments)
    )  # fmt: skip
    session.commit()
    return asset, version


def make_callers(session: Session, app: Flask) -> tuple[House, Caller]:
    """A new house and its admin."""
    house = make_house(session, f"House {uuid4().hex[:8]}")
    session.commit()
    return house, Caller(app, make_token_row(session, house.user), house.user.id)
