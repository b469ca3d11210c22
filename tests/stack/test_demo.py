"""The demo of a first start: interrupted at its worst, and there once all the same."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.api_client import Client
from tests.support.running import Running

pytestmark = pytest.mark.slow


@pytest.fixture
def own() -> Iterator[Running]:
    folder = Path(tempfile.mkdtemp(prefix="rushes-test-"))
    running = Running(folder / "instance")
    yield running
    running.stop()
    shutil.rmtree(folder, ignore_errors=True)


def test_a_killed_first_start_goes_on_with_its_demo(own: Running) -> None:
    own.spawn()
    notes = own.folder / "demo" / "progress.json"
    _await(lambda: notes.exists() and "uploadId" in notes.read_text() and "null" not in notes.read_text())
    own.kill()  # in the upload or soon after it
    assert not own.state["demo_done"]

    own.start(within=300)
    assert own.state["demo_done"]
    client = Client(own.url, own.api_token)
    assets = client.call("GET", f"/api/assets?projectId={own.project_id}")["items"]
    assert [asset["id"] for asset in assets] == [own.up["demo_asset_id"]]
    status = client.call("GET", f"/api/assets/{own.up['demo_asset_id']}/proxy-status")
    assert status["state"] == "complete"
    assert "The demo is ready" in own.output.read_text()

    own.stop()
    own.start()
    assert len(client.call("GET", f"/api/assets?projectId={own.project_id}")["items"]) == 1


def _await(happened: object, within: float = 90) -> None:
    end = time.monotonic() + within
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)
