"""Every from × to pair of the three states, on the database."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

from app.core import lifecycle
from app.core.audit import SYSTEM
from app.core.errors import Conflict
from app.core.lifecycle import STATES, TRANSITIONS, advance, shown
from app.models import Activity, Asset, Preview, Upload, Version, utc_now
from tests.factories import House, make_house

PAIRS = [(model, before, to) for model, states in STATES.items() for before, to in product(states, states)]
#: Written out again, so that a slip in the table shows.
EXPECTED = {
    "Upload": {"open>completed", "open>aborted", "open>expired"},
    "Version": {"received>promoted", "received>rejected", "received>failed", "failed>received"},
    "Preview": {
        "pending>building", "pending>unsupported", "pending>failed", "building>playable", "building>unsupported",
        "building>failed", "playable>ready", "playable>failed", "failed>pending",
        "unsupported>pending",
    },
}  # fmt: skip


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    engine = create_engine(database_url)
    with Session(engine) as session:
        session.info["sender"] = lambda *_: None
        yield session
    engine.dispose()


def make(session: Session, house: House, model: type, state: str) -> Upload | Version | Preview:
    if model is Preview:
        thing: Upload | Version | Preview = Preview(
            organization_id=house.organization.id, sha256=uuid4().hex * 2, media=uuid4().hex * 2, state=state
        )
    elif model is Upload:
        thing = Upload(
            organization_id=house.organization.id, project_id=house.project.id, user_id=house.user.id, name="a", size=1,
            content_type="", part_size=1, storage_upload_id="x", state=state, last_part_at=utc_now(),
        )  # fmt: skip
    else:
        asset = Asset(project_id=house.project.id, title="a")
        session.add(asset)
        session.flush()
        thing = Version(asset_id=asset.id, number=1, file_name="a", size=1, state=state)
    session.add(thing)
    session.flush()
    return thing


@pytest.mark.parametrize(("model", "before", "to"), PAIRS, ids=lambda value: getattr(value, "__name__", value))
def test_pair(session: Session, model: type, before: str, to: str) -> None:
    house = make_house(session)
    thing = make(session, house, model, before)
    legal = f"{before}>{to}" in EXPECTED[model.__name__]
    if legal:
        advance(session, thing, to, actor=SYSTEM, organization_id=house.organization.id)
        assert thing.state == to
    else:
        with pytest.raises(Conflict):
            advance(session, thing, to, actor=SYSTEM, organization_id=house.organization.id)
        assert thing.state == before
    written = session.scalar(
        select(func.count()).where(Activity.target_id == thing.id, Activity.action == f"{model.__name__.lower()}.{to}")
    )
    assert written == (1 if legal else 0)


def test_the_table_is_the_expected_one() -> None:
    assert {model.__name__: {f"{a}>{b}" for a, b in pairs} for model, pairs in TRANSITIONS.items()} == EXPECTED


def test_of_two_that_race_one_wins(session: Session, database_url: str) -> None:
    house = make_house(session)
    version = make(session, house, Version, "received")
    session.commit()
    engine = create_engine(database_url)
    with Session(engine) as other:
        same = other.get_one(Version, version.id)
        advance(other, same, "promoted", actor=SYSTEM, organization_id=house.organization.id)
        other.commit()
    engine.dispose()
    with pytest.raises(Conflict, match="somebody else"):
        advance(session, version, "rejected", actor=SYSTEM, organization_id=house.organization.id)


def test_people_are_shown_something_for_every_combination() -> None:
    for version, preview, step in product(
        STATES[Version], (None, *STATES[Preview]), (None, "checking", "locking", "storing")
    ):
        row = shown(version, preview, step)
        assert row.word
        assert row.code in lifecycle.PROXY_STATUS
        assert row.settled == (row.code in {"ready", "unsupported", "rejected", "failed", "preview_failed"})
