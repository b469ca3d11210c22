"""`rushes up` ties the edge to the web: a revocation reaches the front door."""

from __future__ import annotations

import http.client
import socket
import time
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from app.workflows.deny_scope import deny_scopes
from tests.support.running import Running


def guard_metric(stack: Running, name: str) -> float:
    connection = http.client.HTTPConnection("guard", timeout=5)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(f"{stack.state['run_path']}/guard.sock")
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return float(next(line for line in lines if line.startswith(f"{name} ")).rpartition(" ")[2])


def test_the_edge_hears_the_web(stack: Running) -> None:
    assert guard_metric(stack, "guard_control_age_seconds") < 30
    before = guard_metric(stack, "guard_denials_total")
    engine = create_engine(stack.database_url().replace("postgresql://", "postgresql+psycopg://"))
    with Session(engine) as session:
        deny_scopes(session, ["vnobody0000000"])
        session.commit()
    engine.dispose()
    end = time.monotonic() + 1
    while guard_metric(stack, "guard_denials_total") == before:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_key_is_made_once_and_kept_secret(stack: Running) -> None:
    key = stack.state["control_key"]
    assert len(key) >= 32
    assert (stack.folder / "state.json").stat().st_mode & 0o777 == 0o600
    for log in (stack.folder / "logs").iterdir():
        assert key not in Path(log).read_text(errors="replace")
    assert key not in stack.output.read_text()
