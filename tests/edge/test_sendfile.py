"""A hot segment goes from the page cache to the socket without a copy; a wrong timeout or protocol list costs that."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.edge.harness import Edge, media_id, url
from tests.edge.storage import S3


def test_hot_segments_go_by_sendfile(edge: Edge, s3: S3, tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    key = f"hls/{media_id()}/b0/x.m4s"
    body = b"x" * 4_000_000
    s3.put(key, body)
    address = url(key)
    assert edge.get(address).body == body
    assert edge.settled()
    calls, said = tmp_path / "calls", tmp_path / "said"
    with said.open("wb") as messages:
        trace = subprocess.Popen(
            [strace, "-f", "-e", "trace=sendfile", "-o", str(calls), "-p", str(edge.child("caddy"))],
            stdout=messages,
            stderr=messages,
        )
        try:
            end = time.monotonic() + 10
            while b"attached" not in said.read_bytes():
                if trace.poll() is not None or time.monotonic() > end:
                    pytest.skip(f"strace may not attach here: {said.read_text()}")
                time.sleep(0.02)
            # The first requests may be answered by a thread that strace has not reached yet.
            for _ in range(10):
                assert edge.get(address).body == body
                if sent_by_sendfile(calls) >= 3_000_000:
                    break
                time.sleep(0.3)
        finally:
            trace.terminate()
            trace.wait(10)
    assert sent_by_sendfile(calls) >= 3_000_000


def sent_by_sendfile(calls: Path) -> int:
    """Bytes, by the results in strace's output."""
    results = [line.rpartition("= ")[2] for line in calls.read_text().splitlines() if "sendfile" in line]
    return sum(int(number) for number in results if number.isdecimal())
