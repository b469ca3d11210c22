"""Delete the objects of builds that were replaced, cancelled or failed a day ago: the preview-janitor's work."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import delete, or_, select

from app.core import keys
from app.core.errors import Unavailable
from app.core.storage import translated
from app.models import Preview, PreviewBuild, PreviewChunk, utc_now
from app.workflows.context import Context

log = structlog.get_logger(__name__)

#: Longer than any token lives, so that who watches the old build is never cut off.
GRACE = timedelta(hours=24)
BATCH = 100


def delete_builds(context: Context) -> int:
    """Delete what is due; returns how many builds are gone. Objects first, rows second; again is harmless."""
    with context.unit_of_work() as session:
        due = session.execute(
            select(PreviewBuild.preview_id, PreviewBuild.build, Preview.media)
            .join(Preview, Preview.id == PreviewBuild.preview_id)
            .where(PreviewBuild.retired_at < utc_now() - GRACE)
            .where(or_(PreviewBuild.build.is_distinct_from(Preview.build), Preview.state == "failed"))
            .where(PreviewBuild.build.is_distinct_from(Preview.next_build))
            .order_by(PreviewBuild.retired_at)
            .limit(BATCH)
        ).all()
    for preview_id, build, media in due:
        objects = sum(_delete_objects(context, keys.preview_build(kind, media, build)) for kind in keys.KINDS)
        _delete_rows(context, preview_id, build)
        log.info("build_deleted", build=build, objects=objects)
    return len(due)


def _delete_objects(context: Context, prefix: str) -> int:
    client, bucket = context.storage["preview-janitor"], context.storage.bucket("previews")
    deleted = 0
    with translated("deleting an old build"):
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            names = [entry["Key"] for entry in page.get("Contents", [])]
            if not names:
                continue
            answer = client.delete_objects(
                Bucket=bucket, Delete={"Objects": [{"Key": name} for name in names], "Quiet": True}
            )
            if answer.get("Errors"):
                raise Unavailable("storage_unavailable", "Some objects of an old build could not be deleted.")
            deleted += len(names)
    return deleted


def _delete_rows(context: Context, preview_id: UUID, build: str) -> None:
    with context.unit_of_work() as session:
        for model in (PreviewChunk, PreviewBuild):
            session.execute(delete(model).where(model.preview_id == preview_id, model.build == build))
