"""`rushes upload` and its client, through the front door: what was sent is not sent again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.cli.api_client import Client
from app.core.errors import NotFound, Rejected, Unauthenticated
from tests.support.running import ROOT, Running

pytestmark = pytest.mark.slow


class _Breaking(Client):
    """Loses the line after some parts."""

    def __init__(self, *given: str, parts: int | None = None) -> None:
        super().__init__(*given)
        self.left, self.puts = parts, 0

    def _put(self, *part: Any) -> None:
        if self.left is not None and self.puts >= self.left:
            raise ConnectionError("the line is gone")
        self.puts += 1
        super()._put(*part)


def test_an_upload_goes_on_where_it_stopped(stack: Running, tmp_path: Path) -> None:
    part_size = _part_size(stack)
    file = tmp_path / "film.mov"
    with file.open("wb") as out:
        for _ in range(5):
            out.write(os.urandom(part_size))
        out.write(b"the end")
    ids: list[str] = []
    broken = _Breaking(stack.url, stack.api_token, parts=4)
    with pytest.raises(ConnectionError):
        broken.upload(file, stack.project_id, on_begun=ids.append)
    again = _Breaking(stack.url, stack.api_token)
    seen: list[tuple[int, int]] = []
    done = again.upload(file, stack.project_id, upload_id=ids[0], on_progress=lambda *now: seen.append(now))
    assert done.upload_id == ids[0]
    assert again.puts == 2  # of six parts
    assert seen[-1] == (file.stat().st_size, file.stat().st_size)
    assert _Breaking(stack.url, stack.api_token, parts=0).upload(file, stack.project_id, upload_id=ids[0]) == done
    version = again.call("GET", f"/api/assets/{done.asset_id}")["versions"][0]
    assert version["size"] == file.stat().st_size


def _part_size(stack: Running) -> int:
    client = Client(stack.url, stack.api_token)
    body = {"projectId": stack.project_id, "name": "a.mov", "size": 100, "type": "video/quicktime"}
    upload = client.call("POST", "/api/presign", body)
    client.call("DELETE", f"/api/uploads/{upload['uploadId']}")
    return int(upload["partSize"])


def test_refusals_are_told_as_what_they_are(stack: Running, tmp_path: Path) -> None:
    file = tmp_path / "film.mov"
    file.write_bytes(b"x" * 100)
    with pytest.raises(Unauthenticated):
        Client(stack.url, "wrong").upload(file, stack.project_id)
    with pytest.raises((NotFound, Rejected)):
        Client(stack.url, stack.api_token).upload(file, "01900000-0000-7000-8000-000000000000")


def test_the_command_uploads_and_says_the_asset(stack: Running, tmp_path: Path) -> None:
    file = tmp_path / "film.mov"
    file.write_bytes(os.urandom(1000))
    done = _command("upload", str(file), "--project", stack.project_id, "--instance", str(stack.folder))
    assert done.returncode == 0, done.stderr
    assert "100 %" in done.stdout
    assert "asset " in done.stdout
    missing = _command("upload", "none.mov", "--project", stack.project_id, "--instance", str(stack.folder))
    assert missing.returncode == 1
    assert "none.mov" in missing.stderr


def test_the_doctor_says_what_is_used(stack: Running) -> None:
    done = _command("doctor", "--instance", str(stack.folder))
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("Python", "PostgreSQL", "Redis", "S3", "Caddy", "ffmpeg", "Disk"):
        assert name in done.stdout


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli.main", *arguments],
        capture_output=True, text=True, timeout=120, check=False, cwd=ROOT,
    )  # fmt: skip
