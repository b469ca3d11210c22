"""`rushes doctor`: every part tried by doing, and how to mend what is broken."""

from __future__ import annotations

import json
import secrets

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.core.storage import Storage
from tests.cli.conftest import Rushes


def findings(rushes: Rushes) -> tuple[int, dict[str, tuple[str, str, str]]]:
    answer = rushes("doctor", "--json")
    found = json.loads(answer.out)
    return answer.code, {each["part"]: (each["sign"], each["text"], each["mend"]) for each in found}


def test_the_doctor_tries_every_role(rushes: Rushes, storage: Storage) -> None:
    """On servers of a platform: no edge of which the address is known, no master yet."""
    before = storage["janitor"].list_objects_v2(Bucket=storage.bucket("staging")).get("KeyCount")
    _code, found = findings(rushes)
    for role in ("uploader", "promoter", "gpu-writer", "edge-reader", "preview-janitor", "janitor", "docs-writer",
                 "backup-writer", "bootstrap"):  # fmt: skip
        assert found[f"S3 {role}"][0] == "ok", found[f"S3 {role}"]
    for part in ("PostgreSQL", "Migrations", "Redis", "ffmpeg", "Encoder", "Caddy", "Disk", "Settings of web",
                 "Object Lock on masters", "Object Lock on docs"):  # fmt: skip
        assert found[part][0] in ("ok", "warn"), found[part]
    assert found["S3 downloader"][0] == "skip"
    assert found["Edge"][0] == "skip"
    assert storage["janitor"].list_objects_v2(Bucket=storage.bucket("staging")).get("KeyCount") == before


@pytest.mark.parametrize(
    ("variable", "value", "part", "said"),
    [
        ("S3_PROMOTER_SECRET_KEY", "wrong-secret", "S3 promoter", "SignatureDoesNotMatch"),
        ("S3_UPLOADER_ACCESS_KEY", "", "S3 uploader", "has no key pair"),
        ("REDIS_URL", "redis://127.0.0.1:1/0", "Redis", "does not answer"),
        ("SECRET_KEY", "short", "Settings of web", "SECRET_KEY is not usable"),
        ("PUBLIC_URL", "http://127.0.0.1:1", "Edge at http://127.0.0.1:1", "does not answer"),
    ],
)
def test_the_doctor_names_what_is_broken_and_how_to_mend_it(
    rushes: Rushes, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, part: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    code, found = findings(rushes)
    sign, what, mend = found[part]
    assert (code, sign) == (1, "FAIL")
    assert said in what
    assert mend


def test_the_doctor_sees_what_the_roles_may_not_and_buckets_without_lock(
    rushes: Rushes, monkeypatch: pytest.MonkeyPatch, storage: Storage, environment: dict[str, str]
) -> None:
    bucket = f"plain-{secrets.token_hex(6)}"
    storage["bootstrap"].create_bucket(Bucket=bucket)
    monkeypatch.setenv("S3_BUCKET_MASTERS", bucket)
    monkeypatch.setenv("S3_JANITOR_ACCESS_KEY", environment["S3_UPLOADER_ACCESS_KEY"])
    monkeypatch.setenv("S3_JANITOR_SECRET_KEY", environment["S3_UPLOADER_SECRET_KEY"])
    code, found = findings(rushes)
    assert code == 1
    assert found["Object Lock on masters"][0] == "FAIL"
    assert found["S3 janitor"][:2] == ("FAIL", "ListObjectsV2: the storage answers AccessDenied")
    storage["bootstrap"].delete_bucket(Bucket=bucket)


def test_the_doctor_sees_a_database_that_is_behind(rushes: Rushes, rows: Session) -> None:
    head = rows.scalar(text("update alembic_version set version_num = '0001' returning version_num"))
    assert head == "0001"
    rows.commit()
    _code, found = findings(rushes)
    assert found["Migrations"][0] == "FAIL"
    assert found["Migrations"][2] == "Run: rushes migrate"


def test_where_nothing_runs_yet_the_doctor_checks_the_machine(rushes: Rushes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    answer = rushes("doctor")
    assert answer.code == 0
    assert "Nothing is broken; 1 could not be tried" in answer.out
    assert "bin/up" in answer.out
