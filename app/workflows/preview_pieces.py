"""The pieces of a build: what they weigh, which jobs make them, how far they are, and what they tell of the preview.

A preview has one build that is played, or being built for the first time (`previews.build`), and at most one
that will replace it (`previews.next_build`). Pieces are ordered in two steps: those that it takes to play, and,
when the playlists are there, the extras.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.core.queue import enqueue
from app.media.loudness import Loudness
from app.media.plan import Plan
from app.media.probe import Unplayable
from app.models import Preview, PreviewBuild, PreviewChunk, utc_now

#: kind of piece → kind of job that makes it, in the order in which they are sent
PIECE_JOBS: Mapping[str, str] = {
    "poster": "make_poster",
    "audio": "encode_audio",
    "video": "encode_chunk",
    "storyboard": "make_storyboard",
    "analysis": "analyse_master",
    "mp4": "make_mp4",
}
#: Made when the preview plays already.
EXTRAS = frozenset({"storyboard", "analysis", "mp4"})
#: Their share of the work, in per cent of encoding the picture; measured on a film of 1080 lines.
_WEIGHTS = {"audio": 4, "poster": 1, "storyboard": 1, "analysis": 1, "mp4": 3}


def add_build(session: Session, preview: Preview, build: str, plan: Plan, encoder: str) -> None:
    """Insert a build with all its pieces, and order those that it takes to play.

    Raises Unplayable when there is nothing to make.
    """
    weights = {kind: max(1, plan.frame_count * percent // 100) for kind, percent in _WEIGHTS.items()}
    pieces = [("video", chunk.index, chunk.frames) for chunk in plan.chunks]
    pieces += [("audio", 0, weights["audio"])] if plan.has_audio else []
    pieces += [("poster", 0, weights["poster"])] if plan.has_poster else []
    if not pieces:
        raise Unplayable("nothing_to_build", "it holds neither picture nor sound that could be shown.")
    pieces += [("storyboard", 0, weights["storyboard"])] if plan.chunks else []
    pieces += [("mp4", 0, weights["mp4"])] if plan.chunks or plan.has_audio else []
    pieces += [("analysis", 0, weights["analysis"])]
    session.add(PreviewBuild(preview_id=preview.id, build=build, plan=plan.to_json(), encoder=encoder))
    session.flush()
    rows = [
        {"preview_id": preview.id, "build": build, "kind": kind, "index": index, "frames": weight, "frames_done": 0}
        for kind, index, weight in pieces
    ]
    session.execute(insert(PreviewChunk).values(rows))
    order_pieces(session, preview, build, PIECE_JOBS.keys() - EXTRAS)


def order_pieces(session: Session, preview: Preview, build: str, kinds: Iterable[str]) -> None:
    """One job for each piece of these kinds that is not made yet."""
    wanted = set(kinds)
    todo = [piece for piece in pieces_of(session, preview.id, build) if piece.kind in wanted and piece.done_at is None]
    order = list(PIECE_JOBS)
    for piece in sorted(todo, key=lambda piece: (order.index(piece.kind), piece.index)):
        enqueue(
            session,
            PIECE_JOBS[piece.kind],
            target_id=preview.id,
            organization_id=preview.organization_id,
            payload={"build": build, "kind": piece.kind, "index": piece.index},
            dedupe_key=f"{piece.kind}:{preview.id}:{build}:{piece.index}",
            priority=20 if piece.kind == "video" and piece.index == 0 else None,
        )


def build_of(session: Session, preview_id: UUID, build: str) -> PreviewBuild:
    """The row of a build. Raises NotFound when it has been deleted."""
    row = session.get(PreviewBuild, (preview_id, build))
    if row is None:
        raise NotFound("no_build", "There is no such build of this preview.")
    return row


def pieces_of(session: Session, preview_id: UUID, build: str) -> list[PreviewChunk]:
    """The pieces of a build, in order."""
    return list(
        session.scalars(
            select(PreviewChunk)
            .where(PreviewChunk.preview_id == preview_id, PreviewChunk.build == build)
            .order_by(PreviewChunk.kind, PreviewChunk.index)
        )
    )


def missing(session: Session, preview_id: UUID, build: str) -> set[str]:
    """The kinds of which a piece is not made yet."""
    return set(
        session.scalars(
            select(PreviewChunk.kind).where(
                PreviewChunk.preview_id == preview_id, PreviewChunk.build == build, PreviewChunk.done_at.is_(None)
            )
        )
    )


def in_progress(preview: Preview, build: str) -> bool:
    """Whether that build is still wanted and not complete."""
    if build == preview.next_build:
        return True
    return build == preview.build and preview.state in ("building", "playable")


def show_progress(session: Session, preview_id: UUID, build: str) -> None:
    """Write how far a build is: per cent of the weight of all pieces, never going back, 99 until it is complete."""
    done, total = session.execute(
        select(func.sum(PreviewChunk.frames_done), func.sum(PreviewChunk.frames)).where(
            PreviewChunk.preview_id == preview_id, PreviewChunk.build == build
        )
    ).one()
    percent = min(99, int(done or 0) * 100 // max(1, int(total or 1)))
    for pointer, column in ((Preview.build, Preview.progress), (Preview.next_build, Preview.next_progress)):
        session.execute(
            update(Preview)
            .where(Preview.id == preview_id, pointer == build, column < percent)
            .values({column: percent})
            .execution_options(synchronize_session=False)
        )


def retire(session: Session, preview_id: UUID, build: str | None) -> None:
    """Give a build up; its objects are deleted a day later (delete_builds)."""
    session.execute(
        update(PreviewBuild)
        .where(PreviewBuild.preview_id == preview_id, PreviewBuild.build == build, PreviewBuild.retired_at.is_(None))
        .values(retired_at=utc_now())
        .execution_options(synchronize_session=False)
    )


def planned_columns(plan: Plan, build: str, encoder: str) -> dict[str, Any]:
    """What a build's plan tells of the preview, and nothing of what is yet to be made."""
    rate, timecode = plan.exact_rate, plan.probe.timecode
    fits = timecode.rate == rate
    return {
        "build": build,
        "plan": plan.to_json(),
        "encoder": encoder,
        "probe": plan.probe.to_json(),
        "rate_num": rate.numerator,
        "rate_den": rate.denominator,
        "frame_count": plan.frame_count,
        "start_frame": timecode.start if fits else 0,
        "drop_frame": timecode.drop if fits else False,
        "has_poster": False,
        "has_mp4": False,
        "has_storyboard": False,
        "has_waveform": False,
        "loudness": None,
        "error_code": None,
        "reason": None,
    }


def made_columns(kind: str, facts: Mapping[str, Any], probe: Mapping[str, Any]) -> dict[str, Any]:
    """What a piece that is made tells of the preview, whose source is `probe`; nothing when it was left out."""
    if "left_out" in facts:
        return {}
    if kind == "audio":
        loudness = facts.get("loudness")
        return {"has_waveform": True, "loudness": Loudness.from_json(loudness).described() if loudness else None}
    if kind == "analysis":
        return {"probe": {**probe, "described": facts}}
    return {f"has_{kind}": True} if kind in ("poster", "storyboard", "mp4") else {}
