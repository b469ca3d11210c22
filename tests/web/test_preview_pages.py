"""Cancelling and building again from the page of an asset, and what it says of a source."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.queue import enqueue
from app.models import Job, Preview, PreviewBuild
from tests.factories import make_user
from tests.support.pages import Browser
from tests.support.walled import Walled

DESCRIBED = {
    "tracks": [
        {"type": "General", "Format": "MPEG-4", "OverallBitRate": "38450345", "Encoded_Application": "Grader 7",
         "Encoded_Application_CompanyName": "Kestrel"},
        {"type": "Video", "Format": "ProRes", "ColorSpace": "YUV", "ChromaSubsampling": "4:2:2", "BitDepth": "10"},
    ],
    "findings": ["The decoder met 5 faults in it."],
    "documents": ["ffprobe.json", "mediainfo.json", "ebucore.json"],
}  # fmt: skip


@pytest.fixture
def ours(rows: Session) -> Walled:
    return Walled(rows)


@pytest.fixture
def preview(rows: Session, ours: Walled) -> Preview:
    """The preview of the organisation's asset; ready, and described."""
    found = rows.get_one(Preview, ours.version.preview_id)
    found.state, found.build, found.progress = "ready", "build1", 100
    found.probe = {"kind": "video", "container": "mov", "described": DESCRIBED}
    found.loudness = {"integrated": -23.1, "range": 5.0, "truePeak": -1.25}
    found.has_mp4 = True
    rows.merge(PreviewBuild(preview_id=found.id, build="build1", plan={}, encoder="libx264"))
    rows.commit()
    return found


@pytest.fixture
def editor(pages_app: Flask, rows: Session, ours: Walled) -> Browser:
    browser = Browser(pages_app)
    browser.be(rows, ours.member)
    return browser


def act(browser: Browser, ours: Walled, what: str) -> int:
    answer = browser.post(f"/assets/{ours.asset.id}/preview/{what}", {"version_id": str(ours.version.id)})
    return answer.status_code


def page(browser: Browser, ours: Walled) -> str:
    return browser.get(f"/assets/{ours.asset.id}").get_data(as_text=True)


def again(rows: Session, preview: Preview) -> Preview:
    rows.rollback()
    rows.refresh(preview)
    return preview


def test_a_ready_preview_is_built_again_beside_the_old_one(
    rows: Session, ours: Walled, preview: Preview, editor: Browser
) -> None:
    text = page(editor, ours)
    assert "Build it again" in text
    assert "Cancel the build" not in text
    assert "hx-trigger" not in text.split('id="asset-status"')[1].split(">")[0]
    assert act(editor, ours, "rebuild") == 303
    again(rows, preview)
    assert (preview.state, preview.build) == ("ready", "build1")
    assert preview.next_build
    job = rows.scalars(select(Job).where(Job.target_id == preview.id, Job.finished_at.is_(None))).one()
    assert (job.kind, job.payload) == ("plan_preview", {"build": preview.next_build})
    text = page(editor, ours)
    assert "A new build is on its way" in text
    assert "Cancel the build" in text
    assert 'hx-trigger="every 2s"' in text
    assert act(editor, ours, "rebuild") == 409
    assert act(editor, ours, "cancel") == 303
    again(rows, preview)
    assert (preview.state, preview.build, preview.next_build) == ("ready", "build1", None)
    assert "The earlier build stays." in page(editor, ours)
    assert act(editor, ours, "cancel") == 409


def test_a_build_is_cancelled_and_begun_again(rows: Session, ours: Walled, preview: Preview, editor: Browser) -> None:
    preview.state, preview.progress = "building", 40
    rows.info["sender"] = lambda *_: None
    enqueue(rows, "encode_chunk", target_id=preview.id, organization_id=preview.organization_id)
    rows.commit()
    assert "Cancel the build" in page(editor, ours)
    assert act(editor, ours, "rebuild") == 409
    assert act(editor, ours, "cancel") == 303
    again(rows, preview)
    assert preview.state == "failed"
    assert rows.scalars(select(Job.outcome).where(Job.kind == "encode_chunk", Job.target_id == preview.id)).all() == [
        "cancelled"
    ]
    text = page(editor, ours)
    assert "Cancelled by Aurelian editor." in text
    assert "Build it again" in text
    assert act(editor, ours, "rebuild") == 303
    assert again(rows, preview).state == "pending"


def test_who_may_only_look_sees_no_button_and_is_refused(
    rows: Session, ours: Walled, preview: Preview, pages_app: Flask
) -> None:
    viewer = Browser(pages_app)
    viewer.be(rows, make_user(rows, ours.house.organization, project=ours.house.project, project_role="viewer"))
    text = page(viewer, ours)
    assert "Build it again" not in text
    assert act(viewer, ours, "rebuild") == 403
    assert act(viewer, ours, "cancel") == 403


def test_the_page_says_what_the_source_is_and_gives_the_files(ours: Walled, preview: Preview, editor: Browser) -> None:
    text = page(editor, ours)
    for words in (
        "−23.1 LUFS, range 5.0 LU, true peak −1.2 dBTP", "YUV 4:2:2, 10 bit", "38.5 Mbit/s", "Kestrel Grader 7",
        "The decoder met 5 faults in it.", "/proxy.mp4", "/mediainfo.json", "/ebucore.json", "/ffprobe.json",
    ):  # fmt: skip
        assert words in text
