"""A worker's context on the test servers, without a worker: the tests run the jobs themselves."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import select

from app.models import Job
from app.workflows.context import Context, make_context


@pytest.fixture(scope="module")
def context(environment: dict[str, str]) -> Context:
    """Settings, database, storage and queue as a worker has them."""
    return make_context(environment)


@pytest.fixture
def job_of(context: Context) -> Callable[[str, UUID], UUID]:
    """The id of the unfinished job of a kind on a target."""

    def find(kind: str, target_id: UUID) -> UUID:
        with context.unit_of_work() as session:
            return session.scalars(
                select(Job.id).where(Job.kind == kind, Job.target_id == target_id, Job.finished_at.is_(None))
            ).one()

    return find
