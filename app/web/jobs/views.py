"""Jobs in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.models import Job
from app.web.links import href_of
from app.workflows.list_jobs import Board, Listed, is_held, target_kind

#: Kind of job → what it does. A new kind is shown by its name until it stands here.
WORDS: Mapping[str, str] = {
    "promote_version": "Check and lock",
    "plan_preview": "Plan the preview",
    "make_poster": "Draw the poster",
    "encode_audio": "Encode the sound",
    "encode_chunk": "Encode the picture",
    "publish_preview": "Join the preview",
    "make_mp4": "Write the MP4 proxy",
    "make_storyboard": "Draw the storyboard",
    "analyse_master": "Measure and describe",
    "clean_staging": "Clear the upload area",
}
OUTCOMES: Mapping[str, tuple[str, str, str]] = {
    "done": ("ok", "done", "Done"),
    "failed": ("bad", "warn", "Failed"),
    "cancelled": ("", "stop", "Cancelled"),
}


@dataclass(frozen=True)
class JobView:
    """A row of the page."""

    id: UUID
    work: str
    subject: str
    href: str | None
    progress: int
    step: str
    worker: str
    attempts: str
    since: datetime
    error: str | None
    outcome: tuple[str, str, str] | None
    stopping: bool
    may_retry: bool


@dataclass(frozen=True)
class BoardView:
    """The page. `counts` are of all jobs in a state, which may be more than are listed."""

    running: list[JobView]
    waiting: list[JobView]
    failed: list[JobView]
    ended: list[JobView]
    counts: Mapping[str, int]

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self.running and not self.waiting

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show at all."""
        return self.idle and not self.failed and not self.ended


def board_view(board: Board) -> BoardView:
    """The jobs of an organisation for its page."""
    lists = {name: [_view(each) for each in getattr(board, name)] for name in ("running", "waiting", "failed", "ended")}
    return BoardView(**lists, counts=board.counts)


def work_of(job: Job) -> str:
    """What a job does, in words."""
    words = WORDS.get(job.kind, job.kind.replace("_", " ").capitalize())
    index = job.payload.get("index")
    return f"{words}, part {index + 1}" if job.kind == "encode_chunk" and isinstance(index, int) else words


def _view(listed: Listed) -> JobView:
    job, subject = listed.job, listed.subject
    held = is_held(job)
    return JobView(
        id=job.id,
        work=work_of(job),
        subject=subject.text if subject else "",
        href=href_of(target_kind(job), subject),
        progress=job.progress,
        step=job.step or "",
        worker=job.worker or "",
        attempts=f"{job.attempts} of {job.max_attempts}",
        since=job.finished_at or (job.started_at if held and job.started_at else job.due_at),
        error=job.error,
        outcome=OUTCOMES.get(job.outcome or ""),
        stopping=job.cancel_requested and job.finished_at is None,
        may_retry=job.outcome in ("failed", "cancelled") and _tells_of_failure(listed),
    )


def _tells_of_failure(listed: Listed) -> bool:
    """Whether the target is still as the job left it: not refused for good, nor taken up again since."""
    if target_kind(listed.job) == "upload":
        return listed.job.outcome == "failed"
    return listed.subject is not None and listed.subject.state == "failed"
