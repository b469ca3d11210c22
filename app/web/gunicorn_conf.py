"""gunicorn: gevent workers, no preload (its worker must patch before the app is loaded)."""

from __future__ import annotations

import os
import tempfile
from typing import Any

# Each worker counts for itself; /metrics adds them up (prometheus_client reads this at import).
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="rushes-metrics-"))


def _bind() -> str:
    if os.environ.get("WEB_BIND"):
        return os.environ["WEB_BIND"]
    if os.environ.get("PORT"):  # a platform says where its router looks for us
        return f"0.0.0.0:{os.environ['PORT']}"
    return "127.0.0.1:8000"


bind = _bind()
worker_class = "gevent"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_connections = 1000
timeout = 60
graceful_timeout = 10
keepalive = 100
max_requests = 20_000
max_requests_jitter = 2_000
control_socket_disable = True  # it would lie in the home folder, one for all instances
control_socket_disable = True
accesslog = None  # requests are logged by the app, without their secrets
forwarded_allow_ips = "127.0.0.1,::1"


def child_exit(_server: Any, worker: Any) -> None:
    """Forget the gauges of a worker that is gone."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Leave no folder behind."""
    import shutil

    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


def post_worker_init(worker: Any) -> None:
    """Refuse to serve with a database driver that would block the loop; let long polls end when we are to."""
    import psycopg.waiting

    if getattr(psycopg.waiting.wait, "__name__", "") == "wait_c":
        raise SystemExit("psycopg does not cooperate with gevent: was the app loaded before the patch?")
    worker.wsgi.extensions["control"].stopping = lambda: not worker.alive
