"""The jobs page: what an admin sees of the work, and that cancel and retry reach the thing that it was for."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import event, func, select, update
from sqlalchemy.orm import ORMExecuteState, Session

from app.core.queue import enqueue
from app.core.storage import Storage
from app.models import Activity, Job, Preview, Version, utc_now
from app.workflows.context import Context, make_context
from app.workflows.list_jobs import list_jobs
from app.workflows.promote_version import fail_version, promote_version
from app.workflows.run_job import RunningJob, run_job
from tests.factories import House, make_house, make_user, make_version, stage
from tests.support.pages import Browser, words
from tests.support.walled import Walled


@pytest.fixture
def ours(rows: Session) -> Walled:
    """An organisation with one of everything, and its only job failed."""
    return Walled(rows)


@pytest.fixture
def chief(pages_app: Flask, rows: Session, ours: Walled) -> Browser:
    browser = Browser(pages_app)
    browser.be(rows, ours.house.user)
    return browser


@pytest.fixture(scope="module")
def context(environment: dict[str, str]) -> Context:
    """A worker in this process."""
    return make_context(environment)


def job(rows: Session, ours: Walled, kind: str, target: UUID, **more: object) -> Job:
    """One more job of the organisation, due now."""
    made = Job(kind=kind, organization_id=ours.house.organization.id, target_id=target, payload={}, **more)
    rows.add(made)
    rows.commit()
    return made


def again(rows: Session, thing: object) -> None:
    rows.rollback()
    rows.refresh(thing)


def test_nothing_yet_is_said_as_such(boss: Browser) -> None:
    answer = boss.get("/jobs")
    assert answer.status_code == 200
    assert "Nothing runs and nothing waits" in words(answer)
    assert "No work in the last seven days" in words(answer)


def test_each_state_tells_what_one_needs(rows: Session, ours: Walled, chief: Browser) -> None:
    now, version = utc_now(), ours.version.id
    job(rows, ours, "promote_version", version, lease_owner="gpu-7:41", lease_until=now + timedelta(seconds=30),
        worker="gpu-7:41", started_at=now, progress=37, step="checking", attempts=1)  # fmt: skip
    job(rows, ours, "make_poster", ours.version.preview_id, due_at=now, attempts=2, error="The storage is away.")
    job(rows, ours, "clean_staging", ours.upload.id, outcome="done", finished_at=now, worker="gpu-7:41")
    text = words(chief.get("/jobs"))
    assert "1 running, 1 waiting" in text
    assert "37 %, checking" in text
    assert "gpu-7:41" in text
    assert "The storage is away. due" in text
    assert "attempt 2 of 5" in text
    assert "v1 of Aurelian reel" in text
    assert "Clear the upload area Done" in text


def test_a_failure_says_why_until_its_work_was_ordered_again(rows: Session, ours: Walled, chief: Browser) -> None:
    assert "Aurelian failed" in words(chief.get("/jobs"))
    job(rows, ours, "promote_version", ours.version.id)
    text = words(chief.get("/jobs"))
    assert "Aurelian failed" not in text
    assert "0 running, 1 waiting" in text


def test_the_fragment_is_the_board_alone_and_polls(chief: Browser) -> None:
    answer = chief.get("/jobs/job-board", **{"HX-Request": "true", "HX-Request-Type": "partial"})
    text = answer.get_data(as_text=True).strip()
    assert text.startswith('<div id="job-board"')
    assert 'hx-get="/jobs/job-board"' in text
    assert "<html" not in text


def test_members_may_not_look_and_nobody_is_sent_to_sign_in(pages_app: Flask, rows: Session, house: House) -> None:
    member = Browser(pages_app)
    member.be(rows, make_user(rows, house.organization))
    assert member.get("/jobs").status_code == 403
    assert Browser(pages_app).get("/jobs").status_code == 303


def test_others_see_nothing_and_change_nothing(pages_app: Flask, rows: Session, ours: Walled) -> None:
    stranger = Browser(pages_app)
    stranger.be(rows, make_house(rows, "Wren Pictures").user)
    assert "Aurelian" not in stranger.get("/jobs").get_data(as_text=True)
    assert stranger.post(f"/jobs/{ours.job.id}/retry").status_code == 404
    assert stranger.post(f"/jobs/{ours.job.id}/cancel").status_code == 404


def test_a_waiting_promotion_is_cancelled_and_tried_again(rows: Session, ours: Walled, chief: Browser) -> None:
    rows.execute(update(Version).where(Version.id == ours.version.id).values(state="received", preview_id=None))
    waiting = job(rows, ours, "promote_version", ours.version.id, dedupe_key=f"promote:{ours.version.id}")
    assert chief.post(f"/jobs/{waiting.id}/cancel").status_code == 303
    again(rows, waiting)
    again(rows, ours.version)
    assert (waiting.outcome, ours.version.state) == ("cancelled", "failed")
    assert "Cancelled by Aurelian admin" in (ours.version.error or "")
    assert "It is cancelled." in words(chief.get("/jobs"))

    assert chief.post(f"/jobs/{waiting.id}/retry").status_code == 303
    again(rows, ours.version)
    assert ours.version.state == "received"
    due = rows.scalars(select(Job).where(Job.target_id == ours.version.id, Job.finished_at.is_(None))).all()
    assert [each.kind for each in due] == ["promote_version"]
    deeds = rows.scalars(
        select(Activity.action).where(Activity.organization_id == ours.house.organization.id).order_by(Activity.id)
    ).all()
    assert deeds == ["version.failed", "job.cancelled", "version.received", "job.retried"]


def test_a_job_of_a_preview_cancels_the_whole_build(rows: Session, ours: Walled, chief: Browser) -> None:
    preview_id = ours.version.preview_id
    assert preview_id
    rows.execute(update(Preview).where(Preview.id == preview_id).values(state="building"))
    chunks = [job(rows, ours, "encode_chunk", preview_id, dedupe_key=f"c:{preview_id}:{n}") for n in range(3)]
    held = utc_now() + timedelta(seconds=30)
    rows.execute(update(Job).where(Job.id == chunks[2].id).values(lease_owner="w:1", lease_until=held))
    rows.commit()
    chief.post(f"/jobs/{chunks[0].id}/cancel")
    for chunk in chunks:
        again(rows, chunk)
    assert [chunk.outcome for chunk in chunks] == ["cancelled", "cancelled", None]
    assert chunks[2].cancel_requested, "who has it in hand is asked to stop"
    preview = rows.get_one(Preview, preview_id)
    again(rows, preview)
    assert (preview.state, preview.error_code) == ("failed", "cancelled")
    assert "Stopping" in words(chief.get("/jobs"))

    chief.post(f"/jobs/{chunks[0].id}/retry")
    again(rows, preview)
    assert preview.state == "pending"
    plans = select(func.count()).where(Job.kind == "plan_preview", Job.target_id == preview_id)
    assert rows.scalar(plans) == 1


def test_what_has_ended_is_not_cancelled_and_what_runs_not_retried(rows: Session, ours: Walled, chief: Browser) -> None:
    chief.post(f"/jobs/{ours.job.id}/cancel")
    assert "has ended already" in words(chief.get("/jobs"))
    waiting = job(rows, ours, "make_poster", ours.version.preview_id or ours.job.id)
    chief.post(f"/jobs/{waiting.id}/retry")
    assert "has not failed" in words(chief.get("/jobs"))


def test_a_refused_file_is_not_offered_again(rows: Session, ours: Walled, chief: Browser) -> None:
    rows.execute(update(Version).where(Version.id == ours.version.id).values(state="rejected"))
    rows.commit()
    page = chief.get("/jobs").get_data(as_text=True)
    assert f"/jobs/{ours.job.id}/retry" not in page
    chief.post(f"/jobs/{ours.job.id}/retry")
    assert "Upload it again" in words(chief.get("/jobs"))


def test_cleaning_becomes_due_again_itself(rows: Session, ours: Walled, chief: Browser) -> None:
    failed = job(rows, ours, "clean_staging", ours.upload.id, outcome="failed", finished_at=utc_now(), attempts=50)
    chief.post(f"/jobs/{failed.id}/retry")
    again(rows, failed)
    assert (failed.finished_at, failed.outcome, failed.attempts) == (None, None, 0)


def test_a_running_promotion_stops_within_a_second(
    pages_app: Flask, rows: Session, context: Context, storage: Storage, house: House, boss: Browser
) -> None:
    """A real job in hand of a real worker: cancelled from the page, gone on with from the page."""
    version = make_version(rows, house, stage(storage, rows, house, b"some bytes"))
    rows.commit()
    job_id = rows.scalars(select(Job.id).where(Job.target_id == version.id)).one()
    entered, left = threading.Event(), threading.Event()

    def body(_context: Context, running: RunningJob) -> None:
        entered.set()
        while not left.wait(0.05):
            running.report(10, "checking")

    worker = threading.Thread(target=run_job, args=(context, job_id, body, fail_version))
    worker.start()
    try:
        assert entered.wait(5)
        boss.get("/jobs")
        boss.post(f"/jobs/{job_id}/cancel")
        begun = utc_now()
        worker.join(5)
        assert not worker.is_alive()
        assert utc_now() - begun < timedelta(seconds=1.5)
    finally:
        left.set()
        worker.join(5)
    again(rows, version)
    assert rows.get_one(Job, job_id).outcome == "cancelled"
    assert version.state == "failed"

    boss.post(f"/jobs/{job_id}/retry")
    rows.rollback()
    new = rows.scalars(select(Job.id).where(Job.target_id == version.id, Job.finished_at.is_(None))).one()
    run_job(context, new, promote_version, fail_version)
    again(rows, version)
    assert version.state == "promoted"


def test_every_kind_of_job_has_words() -> None:
    from app.core.queue import KINDS
    from app.web.jobs.views import WORDS

    assert set(KINDS) == set(WORDS)


def test_a_long_list_says_how_many_more(rows: Session, ours: Walled, chief: Browser) -> None:
    for number in range(60):
        enqueue(rows, "encode_chunk", target_id=ours.version.preview_id, organization_id=ours.house.organization.id,
                payload={"index": number})  # fmt: skip
    rows.commit()
    text = words(chief.get("/jobs"))
    assert "0 running, 60 waiting" in text
    assert "and 10 more" in text
    assert "Encode the picture, part 1" in text


def test_a_job_that_ends_while_the_lists_are_read_is_in_one_of_them(rows: Session, ours: Walled) -> None:
    """Each list is a statement of its own; what they return is one picture all the same."""
    now = utc_now()
    running = job(rows, ours, "make_poster", ours.version.preview_id or ours.job.id, lease_owner="w:1",
                  lease_until=now + timedelta(seconds=30), started_at=now)  # fmt: skip
    for after in range(1, 5):
        statements = 0
        rows.execute(update(Job).where(Job.id == running.id).values(finished_at=None, outcome=None))
        rows.commit()
        with Session(rows.get_bind()) as reader, Session(rows.get_bind()) as other:

            def end(_state: ORMExecuteState, after: int = after, other: Session = other) -> None:
                nonlocal statements
                statements += 1
                if statements == after:
                    other.execute(update(Job).where(Job.id == running.id).values(finished_at=now, outcome="done"))
                    other.commit()

            event.listen(reader, "do_orm_execute", end)
            board = list_jobs(reader, ours.house.organization.id)
        assert statements >= after
        listed = [each.job for each in (*board.running, *board.waiting, *board.failed, *board.ended)]
        assert len({each.id for each in listed}) == len(listed)
        assert all(each.job.outcome for each in (*board.failed, *board.ended))
