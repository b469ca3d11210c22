"""A whole instance: who is told what, what a kill of the supervisor leaves, what a second start finds."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from app.core.settings import role_variables
from app.stack.environment import PROCESSES, variables
from tests.support.processes import alive, descendants, listening
from tests.support.running import ROOT, Running

pytestmark = pytest.mark.slow


@pytest.fixture
def own() -> Iterator[Running]:
    """An instance for one test, not started."""
    folder = Path(tempfile.mkdtemp(prefix="rushes-test-"))
    running = Running(folder / "instance", "--no-demo")
    yield running
    running.stop()
    shutil.rmtree(folder, ignore_errors=True)


def _get(url: str, path: str, **headers: str) -> int:
    with urllib3.PoolManager(retries=False, timeout=10) as http:
        return http.request("GET", url + path, headers=headers, redirect=False).status


def _pid_of(running: Running, name: str) -> int:
    marks = json.loads((running.folder / "processes.json").read_text())
    return int(next(mark["pid"] for mark in marks if mark["name"] == name))


def test_everything_listens_on_loopback_only(stack: Running) -> None:
    addresses = listening([stack.pid, *descendants(stack.pid)])
    assert {host for host, _ in addresses} == {"127.0.0.1"}
    assert {port for _, port in addresses} == set(stack.state["ports"].values())


def test_each_process_is_told_its_own_secrets_only(stack: Running) -> None:
    for name in ("web", "worker", "scheduler", "edge"):
        told = _environment_of(_pid_of(stack, name))
        secrets = {each for each in told if each.endswith(("_KEY", "_URL"))}
        declared = variables(PROCESSES[name][0]) | set(PROCESSES[name][1])
        assert secrets <= declared, name
        assert not secrets & set(role_variables("bootstrap"))
    assert "S3_PROMOTER_SECRET_KEY" in _environment_of(_pid_of(stack, "worker"))
    assert "S3_PROMOTER_SECRET_KEY" not in _environment_of(_pid_of(stack, "web"))
    assert "DATABASE_URL" not in _environment_of(_pid_of(stack, "edge"))
    bootstrap = stack.state["roles"]["bootstrap"][1].encode()
    for pid in descendants(stack.pid):
        assert bootstrap not in Path(f"/proc/{pid}/environ").read_bytes()


def _environment_of(pid: int) -> set[str]:
    entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return {entry.partition(b"=")[0].decode() for entry in entries if entry}


def test_the_front_door_serves_pages_and_the_api(stack: Running) -> None:
    assert _get(stack.url, "/readyz") == 200
    assert _get(stack.url, "/sign-in") == 200
    bearer = f"Bearer {stack.api_token}"
    assert _get(stack.url, f"/api/assets?projectId={stack.project_id}", Authorization=bearer) == 200
    assert _get(stack.url, f"/api/assets?projectId={stack.project_id}") == 401


@pytest.mark.parametrize("name", ["web", "worker", "edge", "scheduler"])
def test_a_killed_process_is_started_again(stack: Running, name: str) -> None:
    before = _pid_of(stack, name)
    os.kill(before, signal.SIGKILL)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        time.sleep(0.2)
        try:
            if _pid_of(stack, name) != before and _get(stack.url, "/readyz") == 200:
                return
        except (urllib3.exceptions.HTTPError, StopIteration):
            continue
    raise AssertionError(f"{name} did not come back")


def test_a_killed_supervisor_leaves_nothing_and_the_next_start_is_clean(own: Running) -> None:
    own.start()
    before, token, children = own.state, own.api_token, descendants(own.pid)
    assert len(children) > 10
    own.kill()
    end = time.monotonic() + 2
    while any(alive(pid) for pid in children) and time.monotonic() < end:
        time.sleep(0.02)
    left = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children if alive(pid)]
    assert not left

    own.start()
    assert own.state == before
    assert _get(own.url, f"/api/assets?projectId={own.project_id}", Authorization=f"Bearer {token}") == 200
    children = descendants(own.pid)
    own.stop()
    assert not [pid for pid in children if alive(pid)]
    assert not (own.folder / "up.json").exists()


def test_what_a_kill_left_is_swept(own: Running) -> None:
    """A process that ignores the parent's death is found by its environment at the next start."""
    own.folder.mkdir(mode=0o700)
    stray = subprocess.Popen(
        ["sleep", "300"], env={"RUSHES_INSTANCE": str(own.folder.resolve())}, start_new_session=True
    )
    own.start()
    assert stray.wait(5) == -signal.SIGKILL
    assert "had left" in own.output.read_text()


def test_a_second_one_is_refused_with_the_address_of_the_first(stack: Running) -> None:
    done = _up("--instance", str(stack.folder))
    assert done.returncode == 1
    assert stack.url in done.stderr
    assert str(stack.pid) in done.stderr
    assert _get(stack.url, "/readyz") == 200


def test_all_faults_are_listed_at_once(tmp_path: Path) -> None:
    """What is wrong with the environment is said before anything is started."""
    given = {
        "PUBLIC_URL": "ftp://x", "QUEUE_CONCURRENCY": "many", "PREVIEW_TTL": "5", "S3_ENDPOINT": "nowhere",
        "EDGE_SIGNING_KEY": "k1:short",
    }  # fmt: skip
    done = _up("--instance", str(tmp_path / "instance"), **given)
    assert done.returncode == 1
    for name in (*given, "S3_UPLOADER_ACCESS_KEY", "S3_EDGE_READER_SECRET_KEY"):
        assert name in done.stderr, name
    assert not (tmp_path / "instance" / "postgres").exists()


def test_a_port_that_is_taken_is_said(tmp_path: Path, stack: Running) -> None:
    port = str(stack.state["ports"]["edge"])
    done = _up("--instance", str(tmp_path / "instance"), "--port", port)
    assert done.returncode == 1
    assert port in done.stderr


def _up(*arguments: str, **given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli.main", "up", "--no-demo", *arguments],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT, env={**os.environ, **given},
    )  # fmt: skip
