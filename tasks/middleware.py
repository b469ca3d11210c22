"""What happens in a worker process besides the actors."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from functools import lru_cache
from typing import Any

import dramatiq
import structlog
from prometheus_client import start_http_server

from app.workflows.context import Context, make_context
from app.workflows.resend_due import resend_due
from app.workflows.run_job import release_dead_leases

log = structlog.get_logger(__name__)
_PR_SET_PDEATHSIG = 1


@lru_cache(maxsize=1)
def context() -> Context:
    """The servers of this worker process, connected once."""
    return make_context(os.environ)


class DieWithParent(dramatiq.Middleware):
    """Worker processes end with their master, however it ends (Linux; elsewhere the next start sweeps)."""

    def after_process_boot(self, broker: dramatiq.Broker) -> None:
        if sys.platform != "linux":
            return
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


class Boot(dramatiq.Middleware):
    """Check the environment before the first message, take back what a dead worker of this host held."""

    def after_worker_boot(self, broker: dramatiq.Broker, worker: Any) -> None:
        from app.workflows.preview_source import encoder, tools

        here = context()
        log.info("worker_begins", ffmpeg=tools().reason, encoder=encoder(here.settings.gpu_device).reason)
        if here.settings.worker_metrics_port:
            start_http_server(here.settings.worker_metrics_port, addr="127.0.0.1")
        freed = release_dead_leases(here)
        if freed:
            log.info("leases_freed", count=freed)
            resend_due(here)
