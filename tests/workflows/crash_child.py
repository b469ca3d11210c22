"""Run one promotion and die at a given step, as a worker whose machine lost its power would.

python crash_child.py JOB_ID WHERE before|after CALL

WHERE is a function (module.name) or an S3 operation (botocore:Operation). Exits with 77 where it dies.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

from app.workflows.context import make_context
from app.workflows.promote_version import fail_version, promote_version
from app.workflows.run_job import run_job


def deadly(real: Callable[..., Any], when: str, call: int, concerns: Callable[..., bool]) -> Callable[..., Any]:
    """`real`, but the process ends before or after its n-th call."""
    seen = 0

    def act(*arguments: Any, **named: Any) -> Any:
        nonlocal seen
        if not concerns(*arguments):
            return real(*arguments, **named)
        seen += 1
        if seen == call and when == "before":
            os._exit(77)
        result = real(*arguments, **named)
        if seen == call:
            os._exit(77)
        return result

    return act


def main(job_id: str, where: str, when: str, call: str) -> None:
    """Patch, run, die."""
    owner: Any
    if where.startswith("botocore:"):
        operation = where.partition(":")[2]
        owner, name = importlib.import_module("botocore.client").BaseClient, "_make_api_call"
        concerns: Callable[..., bool] = lambda _self, called, *_: called == operation  # noqa: E731
    else:
        module, _, name = where.rpartition(".")
        owner = importlib.import_module(module)
        concerns = lambda *_: True  # noqa: E731
    setattr(owner, name, deadly(getattr(owner, name), when, int(call), concerns))
    run_job(make_context(os.environ), UUID(job_id), promote_version, fail_version)


if __name__ == "__main__":
    main(*sys.argv[1:])
