"""Servers of somebody else's in the place of ours, and PUBLIC_URL in the place of localhost."""

from __future__ import annotations

import os
import shutil
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from app.cli.api_client import Client
from app.stack import ports
from tests.support.processes import descendants, listening
from tests.support.running import Running

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="rushes-test-"))
    yield path / "instance"
    shutil.rmtree(path, ignore_errors=True)


def test_real_servers_replace_the_embedded_ones(
    servers: Running, environment: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    given = {name: value for name, value in environment.items() if name not in ("SECRET_KEY", "EDGE_SIGNING_KEY")}
    running = Running(folder, "--no-demo", environment=given)
    try:
        running.start()
        programs = {Path(f"/proc/{pid}/comm").read_text().strip() for pid in descendants(running.pid)}
        assert not programs & {"postgres", "redis-server", "valkey-server", "weed"}
        assert not (folder / "postgres").exists()
        assert not (folder / "storage").exists()
        file = tmp_path / "film.mov"
        file.write_bytes(os.urandom(100_000))
        client = Client(running.url, running.api_token)
        uploaded = client.upload(file, running.project_id)
        assert client.call("GET", f"/api/assets/{uploaded.asset_id}")["versions"][0]["size"] == 100_000
    finally:
        running.stop()


def test_public_url_serves_tls_to_others_and_keeps_localhost(folder: Path) -> None:
    port = ports.unused(())
    url = f"https://rushes.test:{port}"
    running = Running(
        folder, "--no-demo", environment={"PUBLIC_URL": url, "EDGE_TLS": "internal", "EDGE_BIND": "127.0.0.1"}
    )
    try:
        running.start()
        assert running.url == url
        state = running.state
        (root,) = (folder / "edge").rglob("root.crt")
        page = _public(port, root, "rushes.test")
        assert page.status == 200
        assert "Secure" in page.headers["Set-Cookie"]
        assert _public(port, root, "other.test").status == 421
        with urllib3.PoolManager(retries=False) as http:
            local = f"http://localhost:{state['ports']['edge']}/readyz"
            assert http.request("GET", local).status == 200
        hosts = {host for host, _ in listening([running.pid, *descendants(running.pid)])}
        assert hosts == {"127.0.0.1"}  # EDGE_BIND; without it the public port alone would be open to all
    finally:
        running.stop()


def _public(port: int, root: Path, host: str) -> urllib3.BaseHTTPResponse:
    context = ssl.create_default_context(cafile=str(root))
    with urllib3.HTTPSConnectionPool(
        "127.0.0.1", port, ssl_context=context, server_hostname="rushes.test", assert_hostname="rushes.test",
        retries=False, timeout=10,
    ) as pool:  # fmt: skip
        return pool.request("GET", "/sign-in", headers={"Host": f"{host}:{port}"}, redirect=False)
