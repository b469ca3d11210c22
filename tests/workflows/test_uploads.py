"""Completing an upload: a crash between the storage's completion and ours loses nothing."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator

import pytest
import urllib3
from sqlalchemy.orm import Session, sessionmaker

from app.core.database import make_engine
from app.core.errors import Conflict, Rejected
from app.core.storage import Storage
from app.models import Upload
from app.workflows.abort_upload import abort_upload
from app.workflows.context import Context
from app.workflows.finish_upload import finish_upload
from app.workflows.sign_parts import PartWanted, sign_parts
from app.workflows.start_upload import Announced, start_upload
from tests.factories import House, make_house

PART = 8 * 1024 * 1024


def sent(context: Context, storage: Storage, data: bytes, *, leave_out: int = 0) -> tuple[House, Upload]:
    """An upload whose parts are stored, but for the last `leave_out`."""
    with context.unit_of_work() as session:
        house = make_house(session)
        announced = Announced("film.mov", len(data), "video/quicktime", None, {"projectId": str(house.project.id)})
        upload = start_upload(session, storage, house.principal, house.project, announced, max_bytes=1 << 40)
        pieces = [data[at : at + PART] for at in range(0, len(data), PART)]
        wanted = [PartWanted(n, len(p), hashlib.sha256(p).hexdigest()) for n, p in enumerate(pieces, 1)]
        signed = sign_parts(session, storage["uploader"], storage.bucket("staging"), upload, wanted)
    for part, piece in list(zip(signed, pieces, strict=True))[: len(pieces) - leave_out]:
        assert urllib3.request("PUT", part.url, body=piece, headers=part.headers).status == 200
    return house, upload


@pytest.fixture
def request_session(environment: dict[str, str]) -> Iterator[Callable[[], Session]]:
    """Sessions as a request has them: its workflow may commit, and what is not committed is rolled back."""
    engine = make_engine(environment["DATABASE_URL"], pool_size=2)
    yield sessionmaker(engine, info={"sender": lambda _kind, _id: None})
    engine.dispose()


def finish(session: Session, storage: Storage, house: House, upload: Upload) -> str:
    done = finish_upload(session, storage, house.principal, session.get_one(Upload, upload.id), sha256=None)
    assert done.version_id is not None
    return done.etag


def test_a_crash_after_the_storage_has_completed_loses_nothing(
    context: Context, storage: Storage, request_session: Callable[[], Session]
) -> None:
    house, upload = sent(context, storage, secrets.token_bytes(PART + 1000))

    with request_session() as session:
        etag = finish(session, storage, house, upload)
        session.rollback()  # the storage has completed; here the process died

    with context.unit_of_work() as session:
        assert session.get_one(Upload, upload.id).state == "open"
    for _ in range(2):  # and asking again is the same
        with request_session() as session:
            assert finish(session, storage, house, upload) == etag
            session.commit()
    with context.unit_of_work() as session:
        assert session.get_one(Upload, upload.id).state == "completed"


def test_missing_parts_are_named_and_nothing_changes(context: Context, storage: Storage) -> None:
    house, upload = sent(context, storage, secrets.token_bytes(2 * PART), leave_out=1)
    with pytest.raises(Rejected, match=r"1 of 2 parts.*first: 2"), context.unit_of_work() as session:
        finish(session, storage, house, upload)
    with context.unit_of_work() as session:
        assert session.get_one(Upload, upload.id).state == "open"


def test_an_aborted_upload_stays_so(context: Context, storage: Storage) -> None:
    house, upload = sent(context, storage, b"short")
    with context.unit_of_work() as session:
        abort_upload(session, storage, house.principal, session.get_one(Upload, upload.id))
    with context.unit_of_work() as session:  # again does nothing
        abort_upload(session, storage, house.principal, session.get_one(Upload, upload.id))
    with pytest.raises(Conflict, match="aborted"), context.unit_of_work() as session:
        finish(session, storage, house, upload)
