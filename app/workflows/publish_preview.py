"""Join a preview: write its playlists from the facts of its pieces, then say that it plays."""

from __future__ import annotations

from typing import Any

import structlog

from app.core import keys
from app.core.audit import SYSTEM
from app.core.lifecycle import advance
from app.media.plan import Plan
from app.media.playlists import MASTER, playable_frames, write_playlists
from app.media.results import AudioResult, ChunkResult, merge
from app.models import Preview, PreviewChunk, utc_now
from app.workflows.context import Context
from app.workflows.plan_preview import pieces_of
from app.workflows.preview_source import store_bytes
from app.workflows.run_job import RunningJob

log = structlog.get_logger(__name__)


def publish_preview(context: Context, job: RunningJob) -> None:
    """Publish the build that the payload names; the master playlist comes last. Raises MediaFailed, Unavailable."""
    with context.unit_of_work() as session:
        preview = session.get_one(Preview, job.target_id)
        pieces = pieces_of(session, preview)
    if preview.build != job.payload["build"] or preview.state not in ("building", "playable"):
        return
    if any(piece.done_at is None for piece in pieces):
        return
    plan = Plan.from_json(preview.plan or {})
    values: dict[str, Any] = {"progress": 100}
    if plan.probe.kind != "still":
        frames = _write(context, preview, plan, pieces)
        if frames:
            values["frame_count"] = frames  # what came out, where the source ends before its plan did
    _advance(context, job, values)
    log.info("preview_ready", build=preview.build)


def _write(context: Context, preview: Preview, plan: Plan, pieces: list[PreviewChunk]) -> int:
    """Store every playlist; returns the frames that play (0 for sound alone)."""
    measured = merge(ChunkResult.from_json(p.facts or {}) for p in pieces if p.kind == "video")
    audio = next((AudioResult.from_json(p.facts or {}) for p in pieces if p.kind == "audio"), None)
    lists = write_playlists(plan, audio, measured)
    for name in sorted(lists, key=lambda name: name == MASTER):
        store_bytes(context, keys.preview("hls", preview.media, str(preview.build), name), lists[name].encode())
    return playable_frames(plan, measured)


def _advance(context: Context, job: RunningJob, values: dict[str, Any]) -> None:
    with context.unit_of_work() as session:
        preview = session.get_one(Preview, job.target_id)
        for state in ("playable", "ready"):
            if preview.state == state:
                continue
            extra = values | ({"ready_at": utc_now()} if state == "ready" else {})
            advance(
                session,
                preview,
                state,
                actor=SYSTEM,
                organization_id=preview.organization_id,
                values=extra,
                data={"build": preview.build},
            )
