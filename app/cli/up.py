"""`rushes up`: one instance in the foreground, from nothing to a page with a film on it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from argparse import Namespace
from pathlib import Path
from types import FrameType

from app.core.errors import RushesError
from app.stack import processes
from app.stack.files import private_folder, write_private
from app.stack.instance import Instance
from app.stack.lock import InstanceLock
from app.stack.stack import Stack
from app.stack.supervisor import Stopped, Supervisor

ORGANIZATION = "Rushes"


def run(args: Namespace) -> None:
    """Start everything, say where it is, keep it alive until a signal, stop it in order.

    Raises Conflict when this instance runs already, ConfigurationError or Unavailable when it cannot start.
    """
    os.umask(0o077)
    path = private_folder(Path(args.instance).resolve())
    lock = InstanceLock(path / "lock")
    record = path / "processes.json"
    (path / "up.json").unlink(missing_ok=True)
    try:
        found = processes.sweep(record, path)
        if found:
            _say(f"Ended what an interrupted run had left: {', '.join(found)}")
        instance = Instance(path, dict(os.environ), args.port)
        instance.open()
        if instance.moved_from:
            _say(f"Port {instance.moved_from} is taken; the site moves to {instance.state.ports['edge']}")
        supervisor = Supervisor(instance=path, log_folder=instance.log_folder, record=record, report=_say)
        _stop_on_signals(supervisor)
        _Up(args, instance, supervisor, lock).run()
    finally:
        (path / "up.json").unlink(missing_ok=True)
        lock.close()


class _Up:
    def __init__(self, args: Namespace, instance: Instance, supervisor: Supervisor, lock: InstanceLock) -> None:
        self._args = args
        self._instance = instance
        self._supervisor = supervisor
        self._lock = lock
        self._begun = time.monotonic()
        self._stack = Stack(instance, supervisor, _say)

    def run(self) -> None:
        instance = self._instance
        _say(f"Rushes in {instance.path}")
        try:
            with contextlib.suppress(Stopped):
                if self._args.only_servers:
                    self._stack.start_servers()
                else:
                    self._start_all()
                self._write_up()
                self._supervisor.run()
        finally:
            _say("Stopping")
            self._supervisor.stop()
            _say("Stopped; everything is kept")

    def _start_all(self) -> None:
        self._stack.start(self._set_up)
        self._lock.say(self._instance.url)
        _say(f"{'Ready':<34} {time.monotonic() - self._begun:5.1f} s")
        self._welcome()
        if not self._args.no_demo and not self._instance.state.demo_done:
            self._demo()

    def _set_up(self) -> None:
        """The first administrator; not asked again for our own database, which remembers."""
        state = self._instance.state
        if state.project_id and self._instance.embeds_postgres:
            return
        if self._args.email and not state.project_id:
            state.admin_email = self._args.email
        service = self._stack.once(
            "setup", "First administrator", (sys.executable, "-m", "app.cli.main", "setup"),
            ADMIN_EMAIL=state.admin_email, ADMIN_PASSWORD=state.admin_password,
            ORGANIZATION_NAME=self._args.organization or ORGANIZATION,
        )  # fmt: skip
        answer = json.loads(self._supervisor.run_once(service).splitlines()[-1])
        state.project_id = answer["projectId"]
        state.api_token = answer["apiToken"] or state.api_token
        self._instance.save()

    def _demo(self) -> None:
        state = self._instance.state
        if not state.project_id or not state.api_token:
            return
        _say("Demo: a clip goes through upload, promotion and previews")
        service = self._stack.once(
            "demo", "Demo", (sys.executable, "-m", "app.cli.main", "demo", "--project", state.project_id,
                             "--instance", str(self._instance.path)),
            RUSHES_URL=self._instance.local_url, RUSHES_TOKEN=state.api_token,
        )  # fmt: skip
        try:
            text = self._supervisor.run_once(service, on_line=_demo_line)
        except RushesError as error:
            _say(f"The demo did not get through; the next start tries again.\n{error.sentence}")
            return
        answer = json.loads(text.splitlines()[-1])
        state.demo_asset_id, state.demo_done = answer["assetId"], True
        self._instance.save()
        how = "is ready" if answer["state"] == "complete" else f"has failed: {answer['error']}"
        _say(f"The demo {how} after {time.monotonic() - self._begun:.1f} s: {self._page()}")

    def _page(self) -> str:
        return f"{self._instance.url}/assets/{self._instance.state.demo_asset_id}/review"

    def _write_up(self) -> None:
        state, url = self._instance.state, self._instance.url
        known = {
            "url": url,
            "edge_url": os.environ.get("EDGE_BASE_URL") or url,
            "email": state.admin_email,
            "password": state.admin_password,
            "api_token": state.api_token,
            "demo_asset_id": state.demo_asset_id,
        }
        write_private(self._instance.path / "up.json", json.dumps(known, indent=1) + "\n")

    def _welcome(self) -> None:
        instance, state = self._instance, self._instance.state
        _say(f"\n  Open      {instance.url}")
        _say(f"  Sign in   {state.admin_email}\n  Password  {state.admin_password}\n")
        if instance.public_url is None:
            _say("  It answers on this machine only; PUBLIC_URL=https://your.host bin/up lets others in.")
        if os.environ.get("SSH_CONNECTION"):
            host, port = os.environ["SSH_CONNECTION"].split()[2], state.ports["edge"]
            _say(f"  From your own machine:  ssh -L {port}:localhost:{port} {host}   (then the address above)")
        if state.demo_done:
            _say(f"  Try first: {self._page()}")
        _say(f"  Ctrl-C stops everything. Logs: {instance.log_folder}\n")


def _demo_line(line: str) -> None:
    if not line.startswith("{"):
        _say(f"  {line}")


def _stop_on_signals(supervisor: Supervisor) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        supervisor.ask_to_stop()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup means it
            signal.signal(number, stop)


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone
        print(line, flush=True)
