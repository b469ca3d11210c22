"""What the workers do for this organisation: runs, waits, failed and why; retry and cancel."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.core.errors import Conflict
from app.extensions import db
from app.models import Job
from app.web.fragments import render_fragment
from app.web.jobs.views import BoardView, board_view
from app.web.security import current_principal, requires
from app.workflows.cancel_job import cancel_job
from app.workflows.list_jobs import list_jobs
from app.workflows.retry_job import retry_job

blueprint = Blueprint("jobs", __name__, url_prefix="/jobs")


@blueprint.get("")
@requires("jobs.view")
def index() -> ResponseReturnValue:
    """The page. Fragment: job_board."""
    return render_template("jobs/index.html", board=_board())


@blueprint.get("/job-board")
@requires("jobs.view")
def job_board() -> ResponseReturnValue:
    """The lists alone; the page asks for them while it is open."""
    return render_fragment("jobs/index.html", "job_board", board=_board())


@blueprint.post("/<uuid:job_id>/retry")
@requires("jobs.change", job="job_id")
def retry(job: Job) -> ResponseReturnValue:
    """Begin failed or cancelled work again."""
    try:
        retry_job(db.session(), current_principal(), job)
        db.session.commit()
        flash("It is being tried again.", "ok")
    except Conflict as error:
        db.session.rollback()
        flash(error.sentence, "warn")
    return redirect(url_for("jobs.index"), code=303)


@blueprint.post("/<uuid:job_id>/cancel")
@requires("jobs.change", job="job_id")
def cancel(job: Job) -> ResponseReturnValue:
    """Stop work that waits or runs."""
    try:
        cancel_job(db.session(), current_principal(), job)
        db.session.commit()
        flash("It is cancelled." if job.finished_at else "It stops within a second.", "ok")
    except Conflict as error:
        db.session.rollback()
        flash(error.sentence, "warn")
    return redirect(url_for("jobs.index"), code=303)


def _board() -> BoardView:
    return board_view(list_jobs(db.session(), current_principal().organization_id))
