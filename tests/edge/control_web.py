"""A real web for the control channel: gunicorn on a database of its own, and somebody who revokes."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from app.workflows.deny_scope import deny_scopes
from app.workflows.purge_media import purge_media
from tests.edge.harness import ROOT
from tests.edge.storage import free_ports


@dataclass
class Web:
    """`python -m gunicorn` as the Procfile has it."""

    variables: Mapping[str, str]
    log: Path
    key: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def __post_init__(self) -> None:
        self.port = free_ports(1)[0]
        self.process: subprocess.Popen[bytes] | None = None
        self.engine = create_engine(self.variables["DATABASE_URL"])

    def start(self) -> Web:
        environment = {
            **{name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ},
            **self.variables, "CONTROL_KEY": self.key, "WEB_BIND": f"127.0.0.1:{self.port}",
        }  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "app/web/gunicorn_conf.py", "app.factory:create_app()"],
                env=environment, cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + 30
        while True:
            try:
                if self.get("/readyz")[0] == 200:
                    return self
            except OSError:
                pass
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)

    def stop(self) -> float:
        """SIGTERM; the seconds until it has ended."""
        assert self.process is not None
        begun = time.monotonic()
        self.process.terminate()
        self.process.wait(30)
        return time.monotonic() - begun

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to master and workers."""
        assert self.process is not None
        os.killpg(self.process.pid, number)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=40)
        try:
            connection.request("GET", path, headers=dict(headers or {}))
            response = connection.getresponse()
            return response.status, {n.lower(): v for n, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def events(self, cursor: int, wait: int = 0) -> dict[str, Any]:
        """One poll with the right key."""
        status, _, body = self.get(
            f"/control/events?cursor={cursor}&wait={wait}", {"Authorization": f"Bearer {self.key}"}
        )
        assert status == 200, body
        return dict(json.loads(body))

    def deny(self, *handles: str) -> float:
        """Revoke; the moment at which the commit began."""
        with Session(self.engine) as session:
            deny_scopes(session, handles)
            moment = time.monotonic()
            session.commit()
        return moment

    def purge(self, media: Iterable[str], *, forbid: bool = False) -> None:
        with Session(self.engine) as session:
            purge_media(session, media, forbid=forbid)
            session.commit()

    def execute(self, statement: str) -> list[Any]:
        with self.engine.begin() as connection:
            result = connection.execute(text(statement))
            return list(result.scalars()) if result.returns_rows else []
