"""The database is gone: back from a dump, or made again from the masters and their manifests."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import func, select

from app.core.database import UnitOfWork, make_engine, make_unit_of_work
from app.core.errors import Conflict
from app.core.storage import Storage
from app.models import Asset, Comment, Job, Master, Organization, Preview, Project, User, Version
from app.workflows.back_up import back_up
from app.workflows.context import Context
from app.workflows.promote_version import fail_version, promote_version
from app.workflows.rebuild_catalogue import rebuild_catalogue
from app.workflows.restore_backup import restore_backup
from app.workflows.run_job import run_job
from app.workflows.set_up import set_up
from tests.factories import House, make_house, make_version, sha256, stage
from tests.support.running import ROOT, Running


@pytest.fixture
def empty(servers: Running) -> Iterator[str]:
    """The address of a new database without tables."""
    name = f"empty_{secrets.token_hex(4)}"
    with psycopg.connect(servers.database_url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    yield servers.database_url(name).replace("postgresql://", "postgresql+psycopg://")
    with psycopg.connect(servers.database_url("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]


def works_on(url: str) -> UnitOfWork:
    return make_unit_of_work(make_engine(url, pool_size=2), lambda _kind, _id: None)


def promoted(
    context: Context, storage: Storage, job_of: Callable[[str, UUID], UUID], data: bytes
) -> tuple[House, UUID]:
    with context.unit_of_work() as session:
        house = make_house(session, f"House {secrets.token_hex(3)}")
        version = make_version(session, house, stage(storage, session, house, data))
    run_job(context, job_of("promote_version", version.id), promote_version, fail_version)
    with context.unit_of_work() as session:
        session.add(
            Comment(asset_id=version.asset_id, version_id=version.id, author_id=house.user.id, frame_in=3, body="Here")
        )
    return house, version.id


def test_a_dump_brings_everything_back(
    context: Context,
    storage: Storage,
    job_of: Callable[[str, UUID], UUID],
    environment: dict[str, str],
    empty: str,
    tmp_path: Path,
) -> None:
    _house, version_id = promoted(context, storage, job_of, b"kept in a dump")
    key = back_up(context.unit_of_work, storage, environment["DATABASE_URL"])
    dump = tmp_path / "database.dump"
    dump.write_bytes(storage["bootstrap"].get_object(Bucket=storage.bucket("backups"), Key=key)["Body"].read())
    restore_backup(dump, empty)
    with works_on(empty)() as session:
        assert session.get_one(Version, version_id).sha256 == sha256(b"kept in a dump")
        assert session.scalars(select(Comment.body).where(Comment.version_id == version_id)).one() == "Here"
    with pytest.raises(Conflict, match="new, empty"):
        restore_backup(dump, empty)


def test_the_catalogue_is_made_again_from_storage(
    context: Context, storage: Storage, job_of: Callable[[str, UUID], UUID], empty: str
) -> None:
    house, version_id = promoted(context, storage, job_of, data := secrets.token_bytes(50_000))
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["url"] = empty
    command.upgrade(config, "head")
    unit_of_work = works_on(empty)

    first = rebuild_catalogue(unit_of_work, storage, b"s" * 32)
    assert first.versions >= 1
    assert not first.missing
    again = rebuild_catalogue(unit_of_work, storage, b"s" * 32)
    assert (again.versions, again.known) == (0, first.versions)

    with unit_of_work() as session:
        version = session.get_one(Version, version_id)
        assert (version.state, version.sha256, version.size) == ("promoted", sha256(data), len(data))
        assert version.asset.title == "Spot"
        assert version.asset.project.name == house.project.name
        assert version.master is not None
        assert version.master.lock_mode == "GOVERNANCE"
        assert version.preview is not None
        assert (
            session.scalar(select(func.count()).where(Job.kind == "plan_preview", Job.target_id == version.preview.id))
            == 1
        )
        assert session.get_one(Organization, house.organization.id).name == house.organization.name
        counts = [
            session.scalar(select(func.count()).select_from(model)) for model in (Asset, Master, Preview, Project)
        ]
    assert all(counts)


def test_a_manifest_without_its_master_is_named(context: Context, storage: Storage, empty: str) -> None:
    from app.core import keys
    from app.core.manifests import Manifest

    name = next(
        entry["Key"]
        for entry in storage["bootstrap"].list_objects_v2(Bucket=storage.bucket("docs"), Prefix=keys.MANIFESTS)[
            "Contents"
        ]
    )
    good = Manifest.model_validate_json(
        storage["bootstrap"].get_object(Bucket=storage.bucket("docs"), Key=name)["Body"].read()
    )
    lie = good.model_copy(update={"size": good.size + 1, "version_id": UUID(int=1)})
    forged = keys.manifest(good.organization.id, good.sha256, lie.version_id)
    storage["docs-writer"].put_object(Bucket=storage.bucket("docs"), Key=forged, Body=lie.text())
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["url"] = empty
    command.upgrade(config, "head")
    result = rebuild_catalogue(works_on(empty), storage, b"s" * 32)
    assert result.missing == [forged]
    storage["bootstrap"].delete_object(Bucket=storage.bucket("docs"), Key=forged)


def test_set_up_adopts_a_house_without_people(empty: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["url"] = empty
    command.upgrade(config, "head")
    unit_of_work = works_on(empty)
    with unit_of_work() as session:
        house = Organization(name="Kestrel Post")
        session.add(house)
        session.flush()
        session.add(Project(organization_id=house.id, name="Northbound"))
    with unit_of_work() as session:
        done = set_up(session, email="a@example.org", password="correct horse battery", organization="Other")
        assert done.organization_id == house.id
        assert session.scalar(select(func.count()).select_from(Project)) == 1
        assert session.get_one(User, done.user_id).role == "admin"
