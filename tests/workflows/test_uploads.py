"""Completing an upload: a crash between the storage's completion and ours loses nothing."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
import urllib3
from sqlalchemy.orm import Session, sessionmaker

from app.core.database import make_engine
from app.core.errors import Conflict, Rejected
from app.core.storage import Storage
from app.models import Upload
from app.workflows.abort_upload import abort_upload
from app.workflows.finish_upload import finish_upload
from app.workflows.place_version import Mapping, place_version
from app.workflows.sign_parts import PartWanted, sign_parts
from app.workflows.start_upload import Announced, start_upload
from tests.factories import House, make_house

PART = 8 * 1024 * 1024
NewSession = Callable[[], Session]


def sent(new_session: NewSession, storage: Storage, data: bytes, *, leave_out: int = 0) -> tuple[House, Upload]:
    """An upload whose parts are stored, but for the last `leave_out`."""
    with new_session() as session:
        house = make_house(session)
        announced = Announced("film.mov", len(data), "video/quicktime", None, {"projectId": str(house.project.id)})
        upload = start_upload(session, storage, house.principal, house.project, announced, max_bytes=1 << 40)
        pieces = [data[at : at + PART] for at in range(0, len(data), PART)]
        wanted = [PartWanted(n, len(p), hashlib.sha256(p).hexdigest()) for n, p in enumerate(pieces, 1)]
        signed = sign_parts(session, storage["uploader"], storage.bucket("staging"), upload, wanted)
        session.commit()
    for part, piece in list(zip(signed, pieces, strict=True))[: len(pieces) - leave_out]:
        assert urllib3.request("PUT", part.url, body=piece, headers=part.headers).status == 200
    return house, upload


@pytest.fixture
def request_session(environment: dict[str, str]) -> Iterator[NewSession]:
    """Sessions as a request has them: its workflow may commit, and what is not committed is rolled back."""
    engine = make_engine(environment["DATABASE_URL"], pool_size=2)
    yield sessionmaker(engine, info={"sender": lambda _kind, _id: None}, expire_on_commit=False)
    engine.dispose()


def finish(session: Session, storage: Storage, house: House, upload: Upload) -> str:
    done = finish_upload(session, storage, house.principal, session.get_one(Upload, upload.id), sha256=None)
    assert done.version_id is not None
    return done.etag


def test_a_crash_after_the_storage_has_completed_loses_nothing(storage: Storage, request_session: NewSession) -> None:
    house, upload = sent(request_session, storage, secrets.token_bytes(PART + 1000))

    with request_session() as session:
        etag = finish(session, storage, house, upload)
        session.rollback()  # the storage has completed; here the process died

    with request_session() as session:
        assert session.get_one(Upload, upload.id).state == "open"
    for _ in range(2):  # and asking again is the same
        with request_session() as session:
            assert finish(session, storage, house, upload) == etag
            session.commit()
    with request_session() as session:
        assert session.get_one(Upload, upload.id).state == "completed"


def test_missing_parts_are_named_and_nothing_changes(storage: Storage, request_session: NewSession) -> None:
    house, upload = sent(request_session, storage, secrets.token_bytes(2 * PART), leave_out=1)
    with pytest.raises(Rejected, match=r"1 of 2 parts.*first: 2"), request_session() as session:
        finish(session, storage, house, upload)
    with request_session() as session:
        assert session.get_one(Upload, upload.id).state == "open"


def test_an_aborted_upload_stays_so(storage: Storage, request_session: NewSession) -> None:
    house, upload = sent(request_session, storage, b"short")
    with request_session() as session:
        abort_upload(session, storage, house.principal, session.get_one(Upload, upload.id))
        session.commit()
    with request_session() as session:  # again does nothing
        abort_upload(session, storage, house.principal, session.get_one(Upload, upload.id))
    with pytest.raises(Conflict, match="aborted"), request_session() as session:
        finish(session, storage, house, upload)


def test_a_place_that_is_gone_leaves_the_upload_complete(storage: Storage, request_session: NewSession) -> None:
    """The collection was deleted while the bytes were on their way: nothing is lost, /promote can place it."""
    house, upload = sent(request_session, storage, b"complete all the same")
    with request_session() as session:
        session.get_one(Upload, upload.id).mapping = {"projectId": str(house.project.id), "collectionId": str(uuid4())}
        session.commit()
    with pytest.raises(Rejected, match="collection"), request_session() as session:
        finish(session, storage, house, upload)
    with request_session() as session:
        kept = session.get_one(Upload, upload.id)
        assert kept.state == "completed"
        version = place_version(session, house.principal, kept, Mapping(house.project.id))
        assert version.state == "received"


def test_a_place_that_never_was_is_refused_before_a_byte_is_sent(storage: Storage, request_session: NewSession) -> None:
    with request_session() as session:
        house = make_house(session)
        mapping = {"projectId": str(house.project.id), "collectionId": str(uuid4())}
        with pytest.raises(Rejected, match="collection"):
            start_upload(
                session, storage, house.principal, house.project, Announced("a.mov", 9, "", None, mapping), max_bytes=99
            )
