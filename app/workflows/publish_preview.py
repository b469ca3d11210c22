"""Join a build: write its playlists from the facts of its pieces, say that it plays, order the extras."""

from __future__ import annotations

import structlog

from app.core import keys
from app.core.audit import SYSTEM
from app.core.lifecycle import advance
from app.media.plan import Plan
from app.media.playlists import MASTER, playable_frames, write_playlists
from app.media.results import AudioResult, ChunkResult, merge
from app.models import Preview, PreviewChunk
from app.workflows.context import Context
from app.workflows.finish_build import finish_build
from app.workflows.preview_pieces import EXTRAS, build_of, in_progress, missing, order_pieces, pieces_of
from app.workflows.preview_source import store_bytes
from app.workflows.run_job import RunningJob

log = structlog.get_logger(__name__)


def publish_preview(context: Context, job: RunningJob) -> None:
    """Publish the build that the payload names; the master playlist comes last. Raises MediaFailed, Unavailable."""
    build = str(job.payload["build"])
    with context.unit_of_work() as session:
        preview = session.get_one(Preview, job.target_id)
        pieces = [piece for piece in pieces_of(session, preview.id, build) if piece.kind not in EXTRAS]
        if not in_progress(preview, build) or any(piece.done_at is None for piece in pieces):
            return
        plan = Plan.from_json(build_of(session, preview.id, build).plan)
        media = preview.media
    frames = _write(context, media, build, plan, pieces) if plan.probe.kind != "still" else 0
    _tell(context, job, build, frames or plan.frame_count)
    log.info("preview_published", build=build)


def _write(context: Context, media: str, build: str, plan: Plan, pieces: list[PreviewChunk]) -> int:
    """Store every playlist; returns the frames that play (0 for sound alone)."""
    measured = merge(ChunkResult.from_json(p.facts or {}) for p in pieces if p.kind == "video")
    audio = next((AudioResult.from_json(p.facts or {}) for p in pieces if p.kind == "audio"), None)
    lists = write_playlists(plan, audio, measured)
    for name in sorted(lists, key=lambda name: name == MASTER):
        store_bytes(context, keys.preview("hls", media, build, name), lists[name].encode())
    return playable_frames(plan, measured)


def _tell(context: Context, job: RunningJob, build: str, frames: int) -> None:
    """`frames` is what came out, where the source ends before its plan did."""
    with context.unit_of_work() as session:
        preview = session.get_one(Preview, job.target_id, with_for_update=True)
        if not in_progress(preview, build):
            return
        build_of(session, preview.id, build).frame_count = frames
        if build == preview.build and preview.state == "building":
            advance(
                session,
                preview,
                "playable",
                actor=SYSTEM,
                organization_id=preview.organization_id,
                values={"frame_count": frames},
                data={"build": build},
            )
        order_pieces(session, preview, build, EXTRAS)
        if not missing(session, preview.id, build):  # a build that was begun before there were extras
            finish_build(session, preview, build)
