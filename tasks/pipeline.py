"""From a complete upload to a preview that plays: load, call a workflow, done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import dramatiq

from app.core.queue import KINDS
from app.workflows.clean_staging import clean_staging as _clean_staging
from app.workflows.encode_piece import encode_piece, leave_out_piece
from app.workflows.plan_preview import fail_preview
from app.workflows.plan_preview import plan_preview as _plan_preview
from app.workflows.promote_version import fail_version
from app.workflows.promote_version import promote_version as _promote_version
from app.workflows.publish_preview import publish_preview as _publish_preview
from app.workflows.run_job import Body, OnFailure, run_job
from tasks.middleware import context


def _declare(kind: str, body: Body, on_failure: OnFailure | None = None) -> dramatiq.Actor[Any, None]:
    """The actor of a kind of job: its name is the kind's, its argument the job's id."""

    def act(job_id: str) -> None:
        run_job(context(), UUID(job_id), body, on_failure)

    declared: Callable[..., Any] = dramatiq.actor(
        actor_name=kind, queue_name=KINDS[kind].queue, priority=KINDS[kind].priority
    )
    return declared(act)  # type: ignore[no-any-return]


promote_version = _declare("promote_version", _promote_version, fail_version)
plan_preview = _declare("plan_preview", _plan_preview, fail_preview)
make_poster = _declare("make_poster", encode_piece, fail_preview)
encode_audio = _declare("encode_audio", encode_piece, fail_preview)
encode_chunk = _declare("encode_chunk", encode_piece, fail_preview)
make_mp4 = _declare("make_mp4", encode_piece, leave_out_piece)
make_storyboard = _declare("make_storyboard", encode_piece, leave_out_piece)
analyse_master = _declare("analyse_master", encode_piece, leave_out_piece)
publish_preview = _declare("publish_preview", _publish_preview, fail_preview)
clean_staging = _declare("clean_staging", _clean_staging)
