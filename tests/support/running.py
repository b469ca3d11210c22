"""One real `rushes up` as a child, for tests and benchmarks: started, waited for, stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.core.settings import role_variables
from app.stack import ports, postgres, redis
from app.stack.state import ROLES

ROOT = Path(__file__).resolve().parents[2]
#: What a developer may have set must not decide which servers the tests use.
_FOREIGN = (
    "DATABASE_URL",
    "POSTGRES_URL",
    "REDIS_URL",
    "S3_",
    "WASABI_",
    "PUBLIC_URL",
    "EDGE_",
    "CONTROL_",
    "SECRET_KEY",
    "SSH_",
)
_RUSHES_UP = (sys.executable, "-m", "app.cli.main", "up")


class Running:
    """`rushes up` in `folder`. `start()` returns when up.json is there."""

    def __init__(
        self, folder: Path, *arguments: str, command: Sequence[str] = _RUSHES_UP,
        environment: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.folder = folder
        self._command = command
        self.output = folder.with_name(folder.name + ".out")
        self._arguments = arguments
        clean = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        self._environment = {**clean, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> None:
        """Start it, without waiting."""
        (self.folder / "up.json").unlink(missing_ok=True)  # of one that was killed
        with self.output.open("ab") as out:
            self._process = subprocess.Popen(
                [*self._command, "--instance", str(self.folder), "--port", str(self._port()), *self._arguments],
                stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=ROOT, env=self._environment,
                start_new_session=True,
            )  # fmt: skip

    def start(self, *, within: float = 120) -> Running:
        """Spawn it and wait until it says that all is ready; fails with what it printed."""
        begun = time.monotonic()
        self.spawn()
        assert self._process is not None
        while not (self.folder / "up.json").exists():
            if self._process.poll() is not None or time.monotonic() - begun > within:
                self.stop()
                raise AssertionError(f"rushes up did not get ready:\n{self.output.read_text()}")
            time.sleep(0.05)
        return self

    def _port(self) -> int:
        state = self.folder / "state.json"
        kept = json.loads(state.read_text())["ports"].get("edge") if state.exists() else None
        return kept if kept and ports.is_free(kept) else ports.unused(())

    @property
    def pid(self) -> int:
        """The supervisor's process."""
        assert self._process is not None
        return self._process.pid

    @property
    def up(self) -> dict[str, Any]:
        """up.json: url, email, password, api_token, demo_asset_id."""
        return dict(json.loads((self.folder / "up.json").read_text()))

    @property
    def state(self) -> dict[str, Any]:
        """state.json: ports, passwords, key pairs."""
        return dict(json.loads((self.folder / "state.json").read_text()))

    @property
    def url(self) -> str:
        return str(self.up["url"])

    @property
    def email(self) -> str:
        return str(self.up["email"])

    @property
    def password(self) -> str:
        return str(self.up["password"])

    @property
    def api_token(self) -> str:
        return str(self.up["api_token"])

    @property
    def project_id(self) -> str:
        return str(self.state["project_id"])

    def database_url(self, database: str = "rushes") -> str:
        """A database of the embedded server."""
        return postgres.url(self.state["postgres_password"], self.state["ports"]["postgres"], database)

    def redis_url(self, number: int = 0) -> str:
        """A numbered database of the embedded Redis."""
        return redis.url(self.state["redis_password"], self.state["ports"]["redis"], number)

    @property
    def environment(self) -> dict[str, str]:
        """Every variable that our processes read, with the key pairs of all roles, bootstrap too."""
        state = self.state
        values = {
            "DATABASE_URL": self.database_url(),
            "REDIS_URL": self.redis_url(),
            "S3_ENDPOINT": f"http://127.0.0.1:{state['ports']['s3']}",
            "SECRET_KEY": state["secret_key"],
            "EDGE_SIGNING_KEY": state["edge_signing_key"],
            "OBJECT_LOCK_DEFAULT_DAYS": "1",
        }
        for role in ROLES:
            values |= dict(zip(role_variables(role), state["roles"][role], strict=True))
        return values

    def kill(self, with_signal: signal.Signals = signal.SIGKILL) -> None:
        """Send the supervisor a signal and reap it, without waiting for its children."""
        assert self._process is not None
        self._process.send_signal(with_signal)
        self._process.wait(60)

    def stop(self) -> None:
        """Ctrl-C, and wait for the end."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
