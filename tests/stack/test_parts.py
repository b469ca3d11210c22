"""The small parts of the stack: state, ports, logs, the Procfile, the supervisor with plain programs."""

from __future__ import annotations

import json
import signal
import socket
import stat
import sys
import time
from pathlib import Path

import pytest

from app.core.errors import ConfigurationError, Conflict, Unavailable
from app.core.settings import EdgeSettings, WebSettings, WorkerSettings
from app.stack import environment, logs, ports, processes, procfile, programs, redis, state
from app.stack.lock import InstanceLock
from app.stack.service import NotReady, Service
from app.stack.supervisor import Stopped, Supervisor
from tests.support.processes import alive


def test_ports_are_kept_and_moved_when_taken() -> None:
    kept = ports.settle(("a", "b"), {})
    assert ports.settle(("a", "b"), kept) == kept
    with socket.create_server(("127.0.0.1", kept["a"])):
        moved = ports.settle(("a", "b"), kept)
        assert moved["b"] == kept["b"]
        assert moved["a"] != kept["a"]
        with pytest.raises(ConfigurationError, match=str(kept["a"])):
            ports.front_door(None, kept["a"])
        assert ports.front_door(kept["a"], None) != kept["a"]


def test_the_state_is_private_kept_and_completed(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    first = state.load(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert state.load(path) == first
    older = json.loads(path.read_text())
    del older["roles"]["records"], older["redis_password"]
    path.write_text(json.dumps(older))
    completed = state.load(path)
    assert completed.roles["records"] != first.roles["records"]
    assert completed.roles["promoter"] == first.roles["promoter"]
    assert completed.secret_key == first.secret_key
    path.write_text("{")
    with pytest.raises(ConfigurationError, match="restore it"):
        state.load(path)


def test_logs_are_bounded_while_somebody_writes(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with logs.open_log(path) as log:
        log.write(b"x" * 3000)
        logs.rotate([path, tmp_path / "none.log"], max_bytes=2000)
        log.write(b"after\n")
    assert path.read_text() == "after\n"
    assert (tmp_path / "a.log.1").stat().st_size == 3000
    assert stat.S_IMODE((tmp_path / "a.log.1").stat().st_mode) == 0o600
    assert logs.tail(path).strip() == "after"


def test_the_procfile_has_every_process(tmp_path: Path) -> None:
    assert set(procfile.read()) == {"web", "worker", "scheduler", "edge", "release"}
    wrong = tmp_path / "Procfile"
    wrong.write_text("# fine\nweb run\n")
    with pytest.raises(ConfigurationError, match="Procfile:2"):
        procfile.read(wrong)


def test_a_process_is_told_what_its_settings_declare() -> None:
    values = dict.fromkeys(environment.variables(WebSettings) | environment.variables(WorkerSettings), "x")
    web = environment.of_process("web", {**values, "S3_BOOTSTRAP_SECRET_KEY": "x"}, {"PATH": "/bin"})
    assert "S3_UPLOADER_SECRET_KEY" in web
    assert "POSTGRES_URL" in web
    assert not [name for name in web if "BOOTSTRAP" in name or "PROMOTER" in name]
    assert not environment.variables(EdgeSettings) & {"DATABASE_URL", "SECRET_KEY", "REDIS_URL"}
    assert web["PATH"].endswith(":/bin")


def test_one_lock_an_instance(tmp_path: Path) -> None:
    lock = InstanceLock(tmp_path / "lock")
    lock.say("http://localhost:1234")
    with pytest.raises(Conflict) as refused:
        InstanceLock(tmp_path / "lock")
    assert "http://localhost:1234" in refused.value.sentence
    lock.close()
    InstanceLock(tmp_path / "lock").close()


class Keeper:
    """A supervisor and what it reported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self.record = folder / "processes.json"
        self.supervisor = Supervisor(instance=folder, log_folder=folder, record=self.record, report=self.lines.append)

    def service(self, code: str, **more: object) -> Service:
        command = (sys.executable, "-c", code)
        return Service("it", "It", command, {}, self.folder, **more)  # type: ignore[arg-type]


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(tmp_path)


def test_what_dies_is_started_again_with_backoff(keeper: Keeper) -> None:
    supervisor = keeper.supervisor
    supervisor.start([keeper.service("import time; time.sleep(60)")])
    supervisor.await_ready("it")
    pids = set()
    for _ in range(2):
        pid = supervisor.pid("it")
        assert pid
        pids.add(pid)
        processes.kill_group(pid, signal.SIGKILL)
        end = time.monotonic() + 5
        while supervisor.pid("it") in {pid, None} and time.monotonic() < end:
            supervisor.await_ready("it")
            time.sleep(0.02)
    assert len(pids) == 2
    assert "SIGKILL" in keeper.lines[0]
    assert "0.2 s" in keeper.lines[0]
    assert "0.5 s" in keeper.lines[1]
    last = supervisor.pid("it")
    supervisor.stop()
    assert last
    assert not alive(last)
    assert not keeper.record.exists()


def test_what_never_gets_ready_is_told_with_its_log(keeper: Keeper) -> None:
    def never() -> None:
        raise NotReady("not today")

    keeper.supervisor.start([keeper.service("print('the reason'); raise SystemExit(3)", ready=never)])
    with pytest.raises(Unavailable) as failed:
        keeper.supervisor.await_ready("it")
    assert "the reason" in failed.value.sentence
    keeper.supervisor.stop()


def test_a_program_that_ends_gives_its_lines_as_they_come(keeper: Keeper) -> None:
    lines: list[str] = []
    text = keeper.supervisor.run_once(keeper.service("print('one'); print('two')"), on_line=lines.append)
    assert lines == ["one", "two"]
    assert text == "one\ntwo\n"
    with pytest.raises(Unavailable, match="exit code 7"):
        keeper.supervisor.run_once(keeper.service("raise SystemExit(7)"))


def test_a_wish_to_stop_ends_waiting_and_running(keeper: Keeper) -> None:
    keeper.supervisor.ask_to_stop()
    with pytest.raises(Stopped):
        keeper.supervisor.run_once(keeper.service("import time; time.sleep(60)"))
    keeper.supervisor.run()


def test_what_ignores_its_signal_is_killed(keeper: Keeper) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    keeper.supervisor.start([keeper.service(code, patience=0.3)])
    while "up" not in (keeper.folder / "it.log").read_text():
        time.sleep(0.02)
    pid = keeper.supervisor.pid("it")
    begun = time.monotonic()
    keeper.supervisor.stop()
    assert pid
    assert not alive(pid)
    assert time.monotonic() - begun < 3


def test_valkey_serves_where_the_system_has_no_redis(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs.shutil, "which", lambda *_: None)
    service = redis.service(keeper.folder / "redis", ports.unused(()), "apassword")
    assert "valkey-server" in service.command[0]
    keeper.supervisor.start([service])
    keeper.supervisor.await_ready("redis")
    assert not [part for part in service.command if "apassword" in part]
    keeper.supervisor.stop()
