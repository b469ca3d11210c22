"""A handle of media is never made for a share that has changed meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.core.passwords import password_matches
from app.core.policy import Principal
from app.core.share_links import share_token
from app.models import Asset, Guest, MediaScope, Share, utc_now
from app.workflows.change_share import change_share
from app.workflows.create_share import create_share
from app.workflows.open_share import find_open_share, guest_of, open_share, principal_of
from app.workflows.record_access import Caller
from app.workflows.revoke_share import renew_share, revoke_share
from app.workflows.share_scope import share_scope
from app.workflows.share_terms import Keep, Terms
from tests.factories import House, make_house

SECRET = b"s" * 32
CALLER = Caller("203.0.113.7", "Browser")


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    engine = create_engine(database_url)
    with Session(engine, expire_on_commit=False) as session:
        yield session
        session.rollback()
    engine.dispose()


@pytest.fixture
def house(session: Session) -> House:
    made = make_house(session)
    session.commit()
    return made


@pytest.fixture
def share(session: Session, house: House) -> Share:
    asset = Asset(project_id=house.project.id, title="Reel", created_by=house.user.id)
    session.add(asset)
    session.flush()
    made = create_share(session, SECRET, house.principal, house.project, Terms("Client", [asset.id], "six or more"))
    session.commit()
    return made


def visit(session: Session, share: Share) -> tuple[Guest, Principal]:
    guest = open_share(session, share, name="Ada", right_password=True, caller=CALLER)
    session.commit()
    return guest, principal_of(share, guest)


def test_a_request_that_was_let_in_before_the_revocation_gets_no_handle(
    session: Session, share: Share, house: House
) -> None:
    _, principal = visit(session, share)
    assert principal.share is not None
    revoke_share(session, house.principal, share)
    session.commit()
    with pytest.raises(NotFound):
        share_scope(session, principal.share)
    assert session.scalars(select(MediaScope).where(MediaScope.share_id == share.id)).all() == []


def test_one_handle_a_generation_and_none_of_it_survives(session: Session, share: Share, house: House) -> None:
    _, principal = visit(session, share)
    assert principal.share is not None
    first = share_scope(session, principal.share)
    assert first == share_scope(session, principal.share)
    session.commit()
    renew_share(session, SECRET, house.principal, share)
    session.commit()
    assert session.get_one(MediaScope, first).denied_at is not None
    assert find_open_share(session, share_token(SECRET, share.id, 1)) is None
    again = find_open_share(session, share_token(SECRET, share.id, 2))
    assert again is not None
    _, principal = visit(session, again)
    assert principal.share is not None
    assert share_scope(session, principal.share) != first


def test_a_revocation_waits_for_a_handle_in_the_making(
    session: Session, share: Share, house: House, database_url: str
) -> None:
    _, principal = visit(session, share)
    assert principal.share is not None
    made = share_scope(session, principal.share)  # not committed
    engine = create_engine(database_url, connect_args={"options": "-c lock_timeout=300"})
    with Session(engine) as other, pytest.raises(OperationalError, match="lock timeout"):
        revoke_share(other, house.principal, other.get_one(Share, share.id))
    session.commit()
    with Session(engine) as other:
        revoke_share(other, house.principal, other.get_one(Share, share.id))
        other.commit()
    engine.dispose()
    session.expire_all()
    assert session.get_one(MediaScope, made).denied_at is not None


def test_what_ends_a_visit_and_what_does_not(session: Session, share: Share, house: House) -> None:
    guest, _ = visit(session, share)
    assets = [asset.id for asset in share.assets]
    stays = Terms("Client", assets, Keep.PASSWORD, utc_now() + timedelta(days=2), False, "proxy")
    change_share(session, house.principal, share, stays)
    session.commit()
    assert share.generation == 2
    assert guest_of(session, share, guest.id) is not None
    change_share(
        session, house.principal, share, Terms("Renamed", assets, Keep.PASSWORD, share.expires_at, True, "proxy")
    )
    session.commit()
    assert share.generation == 2
    change_share(session, house.principal, share, Terms("Renamed", assets, None, share.expires_at, True, "proxy"))
    session.commit()
    assert (share.generation, share.password_hash) == (3, None)
    assert guest_of(session, share, guest.id) is None


def test_the_token_is_kept_as_a_hash_alone(session: Session, share: Share) -> None:
    token = share_token(SECRET, share.id, 1)
    assert len(token) == 43
    assert token not in {share.token_hash, share.password_hash, share.name}
    assert find_open_share(session, token) is share
    assert share_token(b"x" * 32, share.id, 1) != token
    assert password_matches(share.password_hash, "six or more")
