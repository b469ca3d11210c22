"""`rushes jobs …`: the work of all organisations, for the operator."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from app.cli import place

if TYPE_CHECKING:
    from app.workflows.list_jobs import Listed

STATES = ("running", "waiting", "failed", "ended")


def add_arguments(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """list, retry, cancel."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="what runs, waits, has failed and ended lately")
    listing.add_argument("state", nargs="?", choices=STATES, help="only these")
    listing.add_argument("--organization", help="only of this one (its name or id)")
    listing.add_argument("--limit", type=int, default=50, help="of each state (50)")
    listing.add_argument("--json", action="store_true", help="as JSON")
    for name, text in (
        ("retry", "begin failed or cancelled work again"),
        ("cancel", "stop work that waits at once, work that runs within a second"),
    ):
        verbs.add_parser(name, help=text, description=text).add_argument("id", help="as `jobs list` shows it")
    return list(verbs.choices.values())


def run(args: argparse.Namespace) -> int:
    """Do it; 0. Raises NotFound, Conflict, Unavailable."""
    (_list if args.verb == "list" else _change)(args)
    return 0


def _list(args: argparse.Namespace) -> None:
    from app.workflows.list_jobs import list_jobs

    with place.session_of(args, os.environ) as session:
        house = place.organization(session, args.organization).id if args.organization else None
        board = list_jobs(session, house, limit=args.limit)
        states = [args.state] if args.state else STATES
        rows = [_row(state, listed) for state in states for listed in getattr(board, state)]
        counts = ", ".join(f"{board.counts[state]} {state}" for state in states)
    columns = {"id": "Id", "state": "State", "kind": "Kind", "target": "On", "progress": "%", "attempts": "Tries",
               "worker": "Worker", "at": "Since (UTC)", "error": "Why"}  # fmt: skip
    place.show(rows, columns, as_json=args.json, empty="There is no work.")
    if not args.json and rows:
        print(counts)


def _row(state: str, listed: Listed) -> dict[str, Any]:
    job = listed.job
    return {
        "id": job.id,
        "state": job.outcome if state == "ended" else state,
        "kind": job.kind,
        "target": listed.subject.text if listed.subject else job.target_id,
        "progress": job.progress,
        "step": job.step,
        "attempts": f"{job.attempts}/{job.max_attempts}",
        "worker": job.worker,
        "at": job.finished_at or (job.started_at if state == "running" else job.due_at),
        "error": job.error,
        "organization": job.organization_id,
    }


def _change(args: argparse.Namespace) -> None:
    from app.core.errors import NotFound
    from app.models import Job
    from app.workflows.cancel_job import cancel_job
    from app.workflows.retry_job import retry_job

    with place.session_of(args, os.environ) as session:
        job = session.get(Job, place.uuid(args.id))
        if job is None or job.organization_id is None:
            raise NotFound("no_job", "There is no such job. List them: rushes jobs list")
        (retry_job if args.verb == "retry" else cancel_job)(session, place.operator(job.organization_id), job)
        if args.verb == "retry":
            print("It is being tried again.")
        else:
            print("It is cancelled." if job.finished_at else "It stops within a second.")
