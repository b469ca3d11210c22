"""`rushes jobs`, `audit` and `edge rotate-key`, and how a command finds its instance."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.cli import edge
from app.core.audit import SYSTEM, record
from app.core.settings import WebSettings, load
from app.models import Job
from app.stack.state import State
from tests.cli.conftest import Rushes
from tests.core.test_settings import WEB
from tests.factories import House, make_house
from tests.support.running import Running
from tests.support.walled import Walled


@pytest.fixture
def house(rows: Session) -> House:
    """An organisation with three activities, not sealed."""
    made = make_house(rows)
    for _ in range(3):
        record(rows, SYSTEM, "x.y", organization_id=made.organization.id, target_kind="x", target_id=None,
               people={"ip": "192.0.2.1"})  # fmt: skip
    rows.commit()
    return made


def test_jobs_are_listed_retried_and_cancelled(rushes: Rushes, rows: Session) -> None:
    ours = Walled(rows)
    rows.execute(
        text("update versions set state = 'failed', preview_id = null where id = :id"), {"id": ours.version.id}
    )
    rows.commit()
    here = ("--organization", str(ours.house.organization.id))
    listed = rushes("jobs", "list", "failed", *here)
    assert str(ours.job.id) in listed.out
    assert "Aurelian failed" in listed.out
    assert json.loads(rushes("jobs", "list", *here, "--json").out)[0]["target"] == "v1 of Aurelian reel"

    assert rushes("jobs", "retry", str(ours.job.id)).code == 0
    rows.refresh(ours.version)
    assert ours.version.state == "received"
    waiting = json.loads(rushes("jobs", "list", "waiting", *here, "--json").out)
    assert [each["kind"] for each in waiting] == ["promote_version"]
    assert "It is cancelled." in rushes("jobs", "cancel", waiting[0]["id"]).out
    rows.refresh(ours.version)
    assert rows.get_one(Job, waiting[0]["id"]).outcome == "cancelled"
    assert (ours.version.state, ours.version.error) == (
        "failed", "Cancelled by the operator. The upload is kept; it may be tried again.",
    )  # fmt: skip
    assert rushes("jobs", "cancel", waiting[0]["id"]).code == 1


def test_audit_verify_proves_and_then_tells_the_first_bad_row(rushes: Rushes, rows: Session, house: House) -> None:
    here = ("--organization", str(house.organization.id))
    before = rushes("audit", "verify", *here)
    assert before.code == 0
    assert "no head was published yet" in before.out
    assert rushes("audit", "publish").code == 0
    record(rows, SYSTEM, "x.y", organization_id=house.organization.id, target_kind="x", target_id=None)
    rows.commit()
    whole = rushes("audit", "verify", *here)
    assert whole.code == 0
    assert "(sequence 3); 1 row after it not yet" in whole.out
    assert "locked (GOVERNANCE) until" in whole.out
    answer = json.loads(rushes("audit", "verify", *here, "--json").out)[0]
    assert (answer["whole"], answer["proven"], answer["notYet"]) == (True, 3, 1)
    noted = f"{answer['published']['sequence']}:{answer['published']['hash']}"
    assert rushes("audit", "verify", *here, "--head", noted).code == 0
    assert rushes("audit", "verify", *here, "--head", f"2:{'a' * 64}").code == 3

    rows.execute(
        text("update activities set action = 'x.z' where organization_id = :o and sequence = 2"),
        {"o": house.organization.id},
    )
    rows.commit()
    broken = rushes("audit", "verify", *here)
    assert broken.code == 3
    assert "NOT WHOLE at row 2. Row 2 (" in broken.out
    assert "was changed" in broken.out


def test_erasing_is_told_and_does_no_harm(rushes: Rushes, house: House) -> None:
    here = ("--organization", str(house.organization.id))
    assert rushes("audit", "erase", *here).code == 1
    assert rushes("audit", "erase", *here, "--before", "tomorrow").code == 1
    assert "of 3 activities" in rushes("audit", "erase", *here, "--before", "2100-01-01").out
    assert rushes("audit", "publish").code == 0
    verified = rushes("audit", "verify", *here)
    assert verified.code == 0
    assert "personal fields of 3 rows were erased; that is no fault" in verified.out


def test_an_instance_is_found_by_its_folder(rushes: Rushes, servers: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "S3_ENDPOINT"):
        monkeypatch.delenv(name)
    answer = rushes("user", "list", "--instance", str(servers.folder))
    assert answer.code == 1
    assert "The database has no tables of Rushes. Run: rushes migrate" in answer.err, "found, and empty"
    nowhere = rushes("user", "list", "--instance", "none")
    assert nowhere.code == 1
    assert "there is no instance in none: name its folder with --instance" in nowhere.err


def test_a_database_that_is_away_is_said_without_its_password(rushes: Rushes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://rushes:hush-hush@127.0.0.1:1/rushes")
    answer = rushes("jobs", "list")
    assert answer.code == 1
    assert "PostgreSQL does not answer at 127.0.0.1:1" in answer.err
    assert "hush" not in answer.out + answer.err


def test_a_new_key_signs_and_the_old_one_still_verifies(rushes: Rushes, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = WEB["EDGE_SIGNING_KEY"]
    monkeypatch.setenv("EDGE_SIGNING_KEY", ring)
    answer = rushes("edge", "rotate-key")
    assert answer.code == 0
    value = answer.out.splitlines()[0].removeprefix("EDGE_SIGNING_KEY=")
    assert value.endswith(ring)
    assert load(WebSettings, {**WEB, "EDGE_SIGNING_KEY": value}).edge_signing_key.newest == "k3"
    assert edge.new_ring(value, drop_old=True) == value.partition(",")[0]


def test_the_key_of_an_instance_changes_while_it_is_stopped(
    rushes: Rushes, servers: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGE_SIGNING_KEY")
    running = rushes("edge", "rotate-key", "--instance", str(servers.folder))
    assert running.code == 1
    assert "already running" in running.err
    folder = tmp_path / "stopped"
    folder.mkdir()
    shutil.copy(servers.folder / "state.json", folder)
    before = State.model_validate_json((folder / "state.json").read_text()).edge_signing_key
    assert rushes("edge", "rotate-key", "--instance", str(folder)).code == 0
    after = State.model_validate_json((folder / "state.json").read_text()).edge_signing_key
    assert after.startswith("k2:")
    assert after.endswith(f",{before}")
    assert rushes("edge", "rotate-key", "--drop-old", "--instance", str(folder)).code == 0
    dropped = State.model_validate_json((folder / "state.json").read_text()).edge_signing_key
    assert dropped == after.partition(",")[0]
    assert (folder / "state.json").stat().st_mode & 0o777 == 0o600
