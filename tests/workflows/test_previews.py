"""A preview from plan to playlists, by the workflows that the actors call, on the real storage."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.core import keys
from app.core.audit import Actor
from app.core.errors import Conflict, Denied
from app.core.policy import Principal
from app.core.signing import KeyRing
from app.core.storage import Storage
from app.models import Activity, Job, Preview, PreviewBuild, Project, Version, utc_now
from app.workflows.cancel_preview import cancel_preview
from app.workflows.context import Context
from app.workflows.delete_builds import delete_builds
from app.workflows.encode_piece import encode_piece, leave_out_piece
from app.workflows.grant_playback import grant_playback
from app.workflows.plan_preview import fail_preview, plan_preview
from app.workflows.promote_version import fail_version, promote_version
from app.workflows.publish_preview import publish_preview
from app.workflows.rebuild_preview import rebuild_preview
from app.workflows.retry_version import retry_version
from app.workflows.run_job import Body, OnFailure, run_job
from tests.factories import House, make_house, make_user, make_version, stage
from tests.support.coded_film import write_film

RING = KeyRing({"a": bytes(32)})
BODIES: dict[str, tuple[Body, OnFailure]] = {
    "promote_version": (promote_version, fail_version),
    "plan_preview": (plan_preview, fail_preview),
    "make_poster": (encode_piece, fail_preview),
    "encode_audio": (encode_piece, fail_preview),
    "encode_chunk": (encode_piece, fail_preview),
    "make_storyboard": (encode_piece, leave_out_piece),
    "analyse_master": (encode_piece, leave_out_piece),
    "make_mp4": (encode_piece, leave_out_piece),
    "publish_preview": (publish_preview, fail_preview),
}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_film(tmp_path_factory.mktemp("film") / "f.mp4", frames=130, size=(320, 180)).read_bytes()


def received(context: Context, storage: Storage, data: bytes) -> tuple[House, UUID]:
    with context.unit_of_work() as session:
        house = make_house(session)
        return house, make_version(session, house, stage(storage, session, house, data)).id


def due(context: Context, house: House) -> list[tuple[UUID, str]]:
    with context.unit_of_work() as session:
        rows = session.execute(
            select(Job.id, Job.kind)
            .where(Job.organization_id == house.organization.id, Job.finished_at.is_(None), Job.kind.in_(BODIES))
            .order_by(Job.priority)
        )
        return [(row.id, row.kind) for row in rows]


def work(context: Context, house: House, *, until: Callable[[str], bool] = lambda kind: False) -> None:
    """Run what is due, as a worker would, until nothing is left or a job of `until` comes."""
    while jobs := due(context, house):
        job, kind = jobs[0]
        if until(kind):
            return
        run_job(context, job, *BODIES[kind])


def preview_of(context: Context, version_id: UUID) -> Preview:
    with context.unit_of_work() as session:
        version = session.get_one(Version, version_id)
        assert version.preview is not None
        return version.preview


def stored(storage: Storage, preview: Preview, *names: str, kind: str = "hls") -> bytes:
    key = keys.preview(kind, preview.media, str(preview.build), *names)
    return storage["edge-reader"].get_object(Bucket=storage.bucket("previews"), Key=key)["Body"].read()


def keys_of(storage: Storage, preview: Preview, build: str) -> list[str]:
    """Everything that is stored of a build, of whatever kind."""
    found = []
    for kind in keys.KINDS:
        listed = storage["preview-janitor"].list_objects_v2(
            Bucket=storage.bucket("previews"), Prefix=keys.preview_build(kind, preview.media, build)
        )
        found += [entry["Key"] for entry in listed.get("Contents", [])]
    return found


def actions(context: Context, preview: Preview) -> list[str]:
    with context.unit_of_work() as session:
        return list(
            session.scalars(select(Activity.action).where(Activity.target_id == preview.id).order_by(Activity.id))
        )


def test_a_film_becomes_ready(context: Context, storage: Storage, film: bytes) -> None:
    house, version_id = received(context, storage, film)
    work(context, house)
    preview = preview_of(context, version_id)
    assert (preview.state, preview.progress, preview.frame_count) == ("ready", 100, 130)
    assert (preview.rate_num, preview.rate_den, preview.start_frame) == (25, 1, 900_000)
    assert preview.has_poster
    assert b"#EXT-X-STREAM-INF" in stored(storage, preview, "master.m3u8")
    with context.unit_of_work() as session:
        assert (
            session.scalars(
                select(Job.outcome).where(Job.organization_id == house.organization.id, Job.kind.in_(BODIES))
            ).all()
            == ["done"] * 10
        )


def test_it_has_a_proxy_a_storyboard_a_waveform_and_facts(context: Context, storage: Storage, film: bytes) -> None:
    house, version_id = received(context, storage, film)
    work(context, house)
    preview = preview_of(context, version_id)
    assert stored(storage, preview, "proxy.mp4", kind="mp4")[4:8] == b"ftyp"
    assert b"sprite-000.jpg#xywh=0,0,160,90" in stored(storage, preview, "storyboard.vtt", kind="thumbs")
    assert stored(storage, preview, "sprite-000.jpg", kind="thumbs")[:3] == b"\xff\xd8\xff"
    assert json.loads(stored(storage, preview, "waveform.json", kind="waveforms"))["version"] == 2
    for name in ("ffprobe.json", "mediainfo.json", "ebucore.json"):
        assert b"127.0.0.1" not in stored(storage, preview, name, kind="files")
    assert preview.loudness is not None
    assert -30 < preview.loudness["integrated"] < 0
    assert preview.probe is not None
    assert preview.probe["described"]["findings"] == []
    assert {track["type"] for track in preview.probe["described"]["tracks"]} >= {"General", "Video", "Audio"}
    with context.unit_of_work() as session:
        granted = grant_playback(
            session, RING, house.principal, house.project.id, session.get_one(Preview, preview.id), base_url="", ttl=900
        )
    assert granted is not None
    for address, end in (
        (granted.hls, "/master.m3u8"), (granted.mp4, "/proxy.mp4"), (granted.poster, "/poster.jpg"),
        (granted.storyboard, "/storyboard.vtt"), (granted.waveform, "/waveform.json"),
    ):  # fmt: skip
        assert address is not None
        assert address.endswith(end)


def test_it_plays_before_the_extras_are_there(context: Context, storage: Storage, film: bytes) -> None:
    house, version_id = received(context, storage, film)
    extras = {"make_storyboard", "analyse_master", "make_mp4"}
    work(context, house, until=extras.__contains__)
    preview = preview_of(context, version_id)
    assert (preview.state, preview.has_mp4, preview.has_storyboard, preview.has_waveform) == (
        "playable", False, False, True,
    )  # fmt: skip
    assert 85 <= preview.progress < 100
    assert {kind for _, kind in due(context, house)} == extras


def test_an_extra_that_cannot_be_made_is_left_out(context: Context, storage: Storage, film: bytes) -> None:
    house, version_id = received(context, storage, film)
    work(context, house, until=lambda kind: kind == "make_mp4")
    with context.unit_of_work() as session:
        session.execute(
            update(Job).where(Job.kind == "make_mp4", Job.organization_id == house.organization.id).values(attempts=5)
        )
    work(context, house)
    preview = preview_of(context, version_id)
    assert (preview.state, preview.has_mp4, preview.has_storyboard) == ("ready", False, True)


def test_a_still_and_a_sound_become_ready(context: Context, storage: Storage, tmp_path: Path) -> None:
    for name, source, parts in (
        ("a.png", ("-i", "testsrc2=s=320x180", "-frames:v", "1"), (True, False, False, False)),
        ("a.wav", ("-i", "sine=d=3"), (False, True, False, True)),
    ):
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", *source, str(tmp_path / name)]
        subprocess.run(command, check=True, timeout=60)
        house, version_id = received(context, storage, (tmp_path / name).read_bytes())
        work(context, house)
        preview = preview_of(context, version_id)
        assert preview.state == "ready"
        assert (preview.has_poster, preview.has_mp4, preview.has_storyboard, preview.has_waveform) == parts


@pytest.mark.parametrize("wants", [False, True])
def test_one_project_that_wants_2160_is_enough(context: Context, storage: Storage, tmp_path: Path, wants: bool) -> None:
    large = write_film(tmp_path / f"{wants}.mp4", frames=2, size=(3840, 2160)).read_bytes()
    house, version_id = received(context, storage, large)
    with context.unit_of_work() as session:
        session.get_one(Project, house.project.id).wants_2160 = wants
    work(context, house, until=lambda kind: kind == "encode_chunk")
    plan = preview_of(context, version_id).plan
    assert plan is not None
    assert [one["name"] for one in plan["renditions"]] == [*["v2160"] * wants, "v1080", "v720", "v540", "v360"]


def test_a_new_build_replaces_the_old_one_when_it_is_complete(context: Context, storage: Storage, film: bytes) -> None:
    house, version_id = received(context, storage, film)
    work(context, house)
    old = preview_of(context, version_id)
    with context.unit_of_work() as session:
        rebuild_preview(session, house.principal, session.get_one(Version, version_id))
    with context.unit_of_work() as session, pytest.raises(Conflict):
        rebuild_preview(session, house.principal, session.get_one(Version, version_id))
    progress = [0]
    while jobs := due(context, house):
        run_job(context, jobs[0][0], *BODIES[jobs[0][1]])
        present = preview_of(context, version_id)
        assert present.state == "ready"
        if present.next_build is not None:
            assert (present.build, present.progress) == (old.build, 100)
            progress.append(present.next_progress)
    new = preview_of(context, version_id)
    assert progress == sorted(progress)
    assert progress[-1] > 80
    assert (new.state, new.next_build, new.progress) == ("ready", None, 100)
    assert new.build != old.build
    assert (new.has_mp4, new.has_storyboard, new.has_waveform, new.has_poster) == (True, True, True, True)
    assert (new.frame_count, new.start_frame, new.loudness) == (old.frame_count, old.start_frame, old.loudness)
    assert b"#EXT-X-STREAM-INF" in stored(storage, new, "master.m3u8")
    assert actions(context, new)[-2:] == ["preview.rebuild", "preview.replaced"]
    # The old one lives for another day.
    assert delete_builds(context) == 0
    assert keys_of(storage, old, str(old.build))
    with context.unit_of_work() as session:
        session.execute(update(PreviewBuild).values(retired_at=PreviewBuild.retired_at - timedelta(hours=25)))
    assert delete_builds(context) >= 1
    assert keys_of(storage, old, str(old.build)) == []
    assert keys_of(storage, new, str(new.build))
    assert delete_builds(context) == 0


def test_a_new_build_that_fails_or_is_cancelled_leaves_the_old_one(
    context: Context, storage: Storage, film: bytes
) -> None:
    house, version_id = received(context, storage, film)
    work(context, house)
    old = preview_of(context, version_id)
    for end in ("failed", "cancelled"):
        with context.unit_of_work() as session:
            rebuild_preview(session, house.principal, session.get_one(Version, version_id))
        work(context, house, until=lambda kind: kind == "encode_chunk")
        with context.unit_of_work() as session:
            if end == "failed":
                session.execute(
                    update(Job)
                    .where(Job.kind == "encode_chunk", Job.organization_id == house.organization.id)
                    .where(Job.finished_at.is_(None))
                    .values(attempts=5)
                )
            else:
                cancel_preview(session, house.principal, session.get_one(Version, version_id))
        work(context, house)
        now = preview_of(context, version_id)
        assert (now.state, now.build, now.next_build) == ("ready", old.build, None)
        assert now.reason is not None
        assert now.reason.endswith("The earlier build stays.")
        assert actions(context, now)[-1] == "preview.kept"
    assert "Cancelled by Ada Lovelace." in str(now.reason)


def test_a_cancelled_preview_says_who_cancelled_and_may_be_built_again(
    context: Context, storage: Storage, film: bytes
) -> None:
    house, version_id = received(context, storage, film)
    with context.unit_of_work() as session, pytest.raises(Conflict):
        cancel_preview(session, house.principal, session.get_one(Version, version_id))
    work(context, house, until=lambda kind: kind == "encode_chunk")
    begun = preview_of(context, version_id)
    with context.unit_of_work() as session:
        cancel_preview(session, house.principal, session.get_one(Version, version_id))
    assert due(context, house) == []
    preview = preview_of(context, version_id)
    assert (preview.state, preview.error_code, preview.reason) == (
        "failed", "cancelled", "Cancelled by Ada Lovelace.",
    )  # fmt: skip
    with context.unit_of_work() as session, pytest.raises(Conflict):
        cancel_preview(session, house.principal, session.get_one(Version, version_id))
    with context.unit_of_work() as session:
        rebuild_preview(session, house.principal, session.get_one(Version, version_id))
    work(context, house)
    preview = preview_of(context, version_id)
    assert (preview.state, preview.reason) == ("ready", None)
    assert preview.build != begun.build


def test_a_viewer_may_neither_cancel_nor_rebuild(context: Context, storage: Storage, film: bytes) -> None:
    house, version_id = received(context, storage, film)
    with context.unit_of_work() as session:
        viewer = make_user(session, house.organization, project=house.project, project_role="reviewer")
        roles = {house.project.id: "reviewer"}
        principal = Principal(Actor("user", viewer.id), house.organization.id, viewer.role, roles)
    for act in (cancel_preview, rebuild_preview):
        with context.unit_of_work() as session, pytest.raises(Denied):
            act(session, principal, session.get_one(Version, version_id))


def test_running_every_job_again_changes_nothing(context: Context, storage: Storage, film: bytes) -> None:
    house, version_id = received(context, storage, film)
    work(context, house)
    before = preview_of(context, version_id)
    with context.unit_of_work() as session:
        jobs = session.execute(
            select(Job.id, Job.kind).where(Job.organization_id == house.organization.id, Job.kind.in_(BODIES))
        ).all()
        session.execute(
            update(Job)
            .where(Job.id.in_([job.id for job in jobs]))
            .values(finished_at=None, outcome=None, dedupe_key=None, due_at=utc_now())
        )
    for job in jobs:
        run_job(context, job.id, *BODIES[job.kind])
    after = preview_of(context, version_id)
    assert (after.state, after.build, after.frame_count) == (before.state, before.build, before.frame_count)
    assert due(context, house) == []


def test_bytes_that_are_no_film_are_archived(context: Context, storage: Storage) -> None:
    house, version_id = received(context, storage, b"a letter, not a film\n" * 500)
    work(context, house)
    preview = preview_of(context, version_id)
    assert preview.state == "unsupported"
    assert preview.reason is not None
    assert preview.reason.startswith("Archived; no preview because")


def test_a_lost_encoder_gives_the_whole_build_to_x264(context: Context, storage: Storage, film: bytes) -> None:
    """The row says NVENC, this worker has none: as when a card is gone in mid-build."""
    house, version_id = received(context, storage, film)
    work(context, house, until=lambda kind: kind == "encode_chunk")
    begun = preview_of(context, version_id)
    with context.unit_of_work() as session:
        session.get_one(PreviewBuild, (begun.id, begun.build)).encoder = "h264_nvenc"
    work(context, house)
    preview = preview_of(context, version_id)
    assert (preview.state, preview.encoder) == ("ready", "libx264")
    assert preview.build != begun.build
    assert b"v180" in stored(storage, preview, "master.m3u8") or b"v360" in stored(storage, preview, "master.m3u8")


def test_a_failed_piece_fails_the_preview_and_a_person_may_try_again(
    context: Context, storage: Storage, film: bytes
) -> None:
    house, version_id = received(context, storage, film)
    work(context, house, until=lambda kind: kind == "encode_audio")
    with context.unit_of_work() as session:  # as after a worker that died each time
        session.execute(
            update(Job)
            .where(Job.kind == "encode_audio", Job.organization_id == house.organization.id)
            .values(attempts=5)
        )
    work(context, house)
    preview = preview_of(context, version_id)
    assert (preview.state, preview.error_code) == ("failed", "worker_died")
    with context.unit_of_work() as session:
        retry_version(session, house.principal, session.get_one(Version, version_id))
    work(context, house)
    assert preview_of(context, version_id).state == "ready"


def test_cancel_takes_effect_within_a_second_or_so(context: Context, storage: Storage, tmp_path: Path) -> None:
    long = write_film(tmp_path / "long.mp4", frames=800, size=(1280, 720)).read_bytes()
    house, _version_id = received(context, storage, long)
    work(context, house, until=lambda kind: kind == "encode_chunk")
    job = next(job for job, kind in due(context, house)[1:] if kind == "encode_chunk")
    thread = threading.Thread(target=run_job, args=(context, job, *BODIES["encode_chunk"]))
    thread.start()
    time.sleep(1.5)
    assert thread.is_alive()
    with context.unit_of_work() as session:
        session.execute(update(Job).where(Job.id == job).values(cancel_requested=True))
    asked = time.monotonic()
    thread.join(10)
    assert time.monotonic() - asked < 3  # the goal is one second; the machine may be busy
    with context.unit_of_work() as session:
        assert session.get_one(Job, job).outcome == "cancelled"


def test_progress_never_goes_back(context: Context, storage: Storage, film: bytes) -> None:
    house, version_id = received(context, storage, film)
    seen = [0]
    while jobs := due(context, house):
        run_job(context, jobs[0][0], *BODIES[jobs[0][1]])
        with context.unit_of_work() as session:
            preview = session.get_one(Version, version_id).preview
            seen.append(preview.progress if preview else 0)
    assert seen == sorted(seen)
    assert seen[-1] == 100
