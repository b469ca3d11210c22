"""Promotion: proved, locked, read back, recorded once, whatever dies on the way."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import func, select, update

from app.core import keys, masters
from app.core.errors import Rejected
from app.core.storage import Storage
from app.models import Activity, Job, Master, Preview, RetentionRequest, Version, utc_now
from app.workflows.clean_staging import clean_staging
from app.workflows.context import Context
from app.workflows.promote_version import fail_version, promote_version
from app.workflows.run_job import RunningJob, run_job
from tests.factories import House, make_house, make_version, sha256, stage
from tests.support.running import ROOT

JobOf = Callable[[str, UUID], UUID]

#: Where the worker is killed: function to patch, before or after the real call, at which call of it.
CRASHES = [
    ("app.core.masters.measure", "before", 1),
    ("app.core.masters.measure", "after", 1),
    ("botocore:CreateMultipartUpload", "after", 1),
    ("botocore:UploadPartCopy", "after", 1),
    ("botocore:CompleteMultipartUpload", "before", 1),
    ("botocore:CompleteMultipartUpload", "after", 1),
    ("app.core.masters.read_back", "after", 2),
    ("botocore:PutObject", "after", 1),
    ("app.workflows.promote_version.record_promotion", "before", 1),
    ("app.workflows.promote_version.record_promotion", "after", 1),
]
CHILD = ROOT / "tests" / "workflows" / "crash_child.py"


def begin(
    context: Context, storage: Storage, data: bytes, *, claimed: str | None = None, house: House | None = None
) -> tuple[House, Version]:
    with context.unit_of_work() as session:
        house = house or make_house(session)
        return house, make_version(session, house, stage(storage, session, house, data, claimed=claimed))


def run(context: Context, job_id: UUID) -> None:
    run_job(context, job_id, promote_version, fail_version)


def again(context: Context, version: Version) -> Version:
    with context.unit_of_work() as session:
        return session.get_one(Version, version.id)


def locked_bytes(storage: Storage, house: House, data: bytes) -> None:
    """The master is there once, has the bytes, and cannot be deleted by the one who wrote it, nor without bypass."""
    bucket, key = storage.bucket("masters"), keys.master(house.organization.id, sha256(data))
    versions = storage["bootstrap"].list_object_versions(Bucket=bucket, Prefix=key).get("Versions", [])
    assert len(versions) == 1
    head = storage["promoter"].head_object(Bucket=bucket, Key=key)
    assert head["ObjectLockMode"] == "GOVERNANCE"
    assert head["ObjectLockRetainUntilDate"] > utc_now() + timedelta(hours=23)
    assert storage["promoter"].get_object(Bucket=bucket, Key=key)["Body"].read() == data
    for role in ("promoter", "bootstrap"):
        with pytest.raises(ClientError):
            storage[role].delete_object(Bucket=bucket, Key=key, VersionId=versions[0]["VersionId"])  # type: ignore[index]


def test_a_version_is_promoted_and_its_preview_ordered(context: Context, storage: Storage, job_of: JobOf) -> None:
    data = secrets.token_bytes(20_000_000)
    house, version = begin(context, storage, data, claimed=sha256(data))
    run(context, job_of("promote_version", version.id))

    version = again(context, version)
    assert (version.state, version.sha256) == ("promoted", sha256(data))
    locked_bytes(storage, house, data)
    with context.unit_of_work() as session:
        master = session.get_one(Master, version.master_id)
        assert (master.size, master.lock_mode, master.legal_hold) == (len(data), "GOVERNANCE", False)
        assert session.scalar(select(func.count()).where(RetentionRequest.master_id == master.id)) == 1
        assert (
            session.scalar(
                select(func.count()).where(Activity.target_id == version.id, Activity.action == "version.promoted")
            )
            == 1
        )
    manifest = storage["docs-writer"].get_object(Bucket=storage.bucket("docs"), Key=master.manifest_key)
    assert sha256(data) in manifest["Body"].read().decode()
    assert job_of("plan_preview", version.preview_id)  # type: ignore[arg-type]

    clean = job_of("clean_staging", version.upload_id)  # type: ignore[arg-type]
    run_job(context, clean, clean_staging)
    with pytest.raises(ClientError, match=r"404|NoSuchKey|Not Found"):
        storage["promoter"].head_object(Bucket=storage.bucket("staging"), Key=keys.staging(version.upload_id))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "claimed", "code"), [(b"", None, "zero_bytes"), (b"damaged on the way", "0" * 64, "digest_mismatch")]
)
def test_what_is_wrong_is_rejected_before_any_lock(
    context: Context, storage: Storage, job_of: JobOf, data: bytes, claimed: str | None, code: str
) -> None:
    house, version = begin(context, storage, data, claimed=claimed)
    run(context, job_of("promote_version", version.id))
    version = again(context, version)
    assert (version.state, version.error_code, version.master_id) == ("rejected", code, None)
    assert version.error
    assert "again" in version.error or "Check" in version.error
    listing = storage["bootstrap"].list_object_versions(
        Bucket=storage.bucket("masters"), Prefix=f"{house.organization.id}/"
    )
    assert not listing.get("Versions")


def test_staging_that_was_written_over_is_rejected(context: Context, storage: Storage, job_of: JobOf) -> None:
    _house, version = begin(context, storage, b"the bytes that were completed")
    storage["uploader"].put_object(
        Bucket=storage.bucket("staging"), Key=keys.staging(version.upload_id), Body=b"others"
    )  # type: ignore[arg-type]
    run(context, job_of("promote_version", version.id))
    version = again(context, version)
    assert (version.state, version.error_code) == ("failed", "staging_changed")


def test_staging_swapped_between_reading_and_copying(
    context: Context, storage: Storage, job_of: JobOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, version = begin(context, storage, b"the bytes that were read")
    measure = masters.measure

    def measure_then_swap(*arguments: object, **named: object) -> masters.Measured:
        measured = measure(*arguments, **named)  # type: ignore[arg-type]
        storage["uploader"].put_object(
            Bucket=storage.bucket("staging"), Key=keys.staging(version.upload_id), Body=b"the bytes that are copied"
        )  # type: ignore[arg-type]
        return measured

    monkeypatch.setattr(masters, "measure", measure_then_swap)
    run(context, job_of("promote_version", version.id))
    assert again(context, version).error_code == "staging_changed"
    listing = storage["bootstrap"].list_object_versions(
        Bucket=storage.bucket("masters"), Prefix=f"{house.organization.id}/"
    )
    assert not listing.get("Versions")


def test_a_second_upload_of_the_same_bytes_shares_master_and_preview(
    context: Context, storage: Storage, job_of: JobOf
) -> None:
    data = secrets.token_bytes(100_000)
    house, first = begin(context, storage, data)
    _, second = begin(context, storage, data, house=house)
    for version in (first, second):
        run(context, job_of("promote_version", version.id))
    first, second = again(context, first), again(context, second)
    assert first.master_id == second.master_id
    assert first.preview_id == second.preview_id
    assert job_of("plan_preview", first.preview_id)  # type: ignore[arg-type]  # one() says that there is one
    locked_bytes(storage, house, data)


def test_six_promotions_of_the_same_bytes_at_once(context: Context, storage: Storage, job_of: JobOf) -> None:
    data = secrets.token_bytes(9_000_000)
    house, first = begin(context, storage, data)
    versions = [first] + [begin(context, storage, data, house=house)[1] for _ in range(5)]
    jobs = [job_of("promote_version", version.id) for version in versions]
    for _ in range(8):  # those that found the bytes in another's hands are due again
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda job: run(context, job), jobs))
        with context.unit_of_work() as session:
            session.execute(update(Job).where(Job.id.in_(jobs), Job.finished_at.is_(None)).values(due_at=utc_now()))
    assert {again(context, version).state for version in versions} == {"promoted"}
    assert len({again(context, version).master_id for version in versions}) == 1
    locked_bytes(storage, house, data)


def test_the_same_job_at_once_is_one_promotion(context: Context, storage: Storage, job_of: JobOf) -> None:
    house, version = begin(context, storage, data := secrets.token_bytes(3_000_000))
    job = job_of("promote_version", version.id)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _n: run(context, job), range(4)))
    assert again(context, version).state == "promoted"
    with context.unit_of_work() as session:
        assert session.get_one(Job, job).attempts == 1
    locked_bytes(storage, house, data)


@pytest.mark.parametrize(("where", "when", "call"), CRASHES, ids=lambda value: str(value).rpartition(".")[2])
def test_killed_at_any_step_another_worker_finishes(
    context: Context, storage: Storage, job_of: JobOf, environment: dict[str, str], where: str, when: str, call: int
) -> None:
    data = secrets.token_bytes(5_000_000)
    house, version = begin(context, storage, data, claimed=sha256(data))
    job = job_of("promote_version", version.id)

    dead = subprocess.run(
        [sys.executable, str(CHILD), str(job), where, when, str(call)],
        env={**os.environ, **environment}, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert dead.returncode == 77, dead.stderr[-2000:]

    with context.unit_of_work() as session:  # its lease has ended
        session.execute(update(Job).where(Job.id == job).values(lease_until=utc_now() - timedelta(seconds=1)))
    run(context, job)

    version = again(context, version)
    assert version.state == "promoted"
    locked_bytes(storage, house, data)
    with context.unit_of_work() as session:
        assert session.scalar(select(func.count()).where(Master.organization_id == house.organization.id)) == 1
        assert session.scalar(select(func.count()).where(Preview.organization_id == house.organization.id)) == 1
        assert (
            session.scalar(select(func.count()).where(Job.kind == "plan_preview", Job.target_id == version.preview_id))
            == 1
        )
        assert (
            session.scalar(
                select(func.count()).where(Activity.target_id == version.id, Activity.action == "version.promoted")
            )
            == 1
        )


def test_a_job_that_kills_its_worker_each_time_stops(context: Context, storage: Storage, job_of: JobOf) -> None:
    _house, version = begin(context, storage, b"deadly")
    job = job_of("promote_version", version.id)
    with context.unit_of_work() as session:
        session.execute(update(Job).where(Job.id == job).values(attempts=20))
    run(context, job)
    version = again(context, version)
    assert (version.state, version.error_code) == ("failed", "worker_died")


def test_a_copy_that_breaks_off_is_tried_again_and_deletes_nothing(
    context: Context, storage: Storage, job_of: JobOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unfinished copy is removed under our hands: no proof that the source has changed."""
    house, version = begin(context, storage, data := secrets.token_bytes(2_000_000))
    copy_part = masters._copy_part

    def aborted_first(*arguments: Any) -> Any:
        masters.abort_copy(storage, arguments[2], arguments[3])
        return copy_part(*arguments)

    monkeypatch.setattr(masters, "_copy_part", aborted_first)
    job = job_of("promote_version", version.id)
    run(context, job)
    assert again(context, version).state == "received"
    monkeypatch.undo()
    with context.unit_of_work() as session:
        assert session.get_one(Job, job).attempts == 0  # waiting for the storage costs no attempt
        session.execute(update(Job).where(Job.id == job).values(due_at=utc_now()))
    run(context, job)
    assert again(context, version).state == "promoted"
    locked_bytes(storage, house, data)


def test_a_weaker_lock_is_never_called_the_lock_that_was_asked_for(
    context: Context, storage: Storage, job_of: JobOf
) -> None:
    data = secrets.token_bytes(1_000)
    house, first = begin(context, storage, data)
    run(context, job_of("promote_version", first.id))
    _, second = begin(context, storage, data, house=house)
    strict = replace(context, settings=context.settings.model_copy(update={"object_lock_mode": "COMPLIANCE"}))
    run(strict, job_of("promote_version", second.id))
    assert (again(context, second).state, again(context, second).error_code) == ("failed", "lock_too_weak")
    locked_bytes(storage, house, data)  # as it was


def test_a_shorter_lock_is_made_as_long_as_asked(context: Context, storage: Storage, job_of: JobOf) -> None:
    data = secrets.token_bytes(1_000)
    house, first = begin(context, storage, data)
    run(context, job_of("promote_version", first.id))
    _, second = begin(context, storage, data, house=house)
    longer = replace(context, settings=context.settings.model_copy(update={"object_lock_default_days": 3}))
    run(longer, job_of("promote_version", second.id))
    key = keys.master(house.organization.id, sha256(data))
    head = storage["promoter"].head_object(Bucket=storage.bucket("masters"), Key=key)
    assert head["ObjectLockRetainUntilDate"] > utc_now() + timedelta(days=2, hours=23)
    with context.unit_of_work() as session:
        assert (
            session.get_one(Master, again(context, second).master_id).retain_until == head["ObjectLockRetainUntilDate"]
        )


def test_an_older_claim_of_a_job_cannot_write(context: Context, storage: Storage, job_of: JobOf) -> None:
    """A worker that lost its lease is told so, and neither ends the job nor judges its target."""
    _house, version = begin(context, storage, b"fenced")
    job = job_of("promote_version", version.id)
    seen: list[bool] = []

    def body(_context: Context, running: RunningJob) -> None:
        with context.unit_of_work() as session:
            session.execute(
                update(Job)
                .where(Job.id == job)
                .values(lease_owner="another", lease_until=utc_now() + timedelta(minutes=1))
            )
        for _ in range(40):
            if running.stopped():
                break
            time.sleep(0.1)
        seen.append(running.stopped())
        raise Rejected("late", "This must not be written.")

    run_job(context, job, body, fail_version)
    assert seen == [True]
    assert again(context, version).state == "received"
    with context.unit_of_work() as session:
        row = session.get_one(Job, job)
        assert (row.lease_owner, row.finished_at) == ("another", None)
