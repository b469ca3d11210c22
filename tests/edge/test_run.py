"""`rushes edge`: both or neither, nothing left behind, faults said before anything starts."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.errors import ConfigurationError
from app.core.settings import EdgeSettings, load
from edge.caddy import environment, find_caddy, hosts, parse_address
from tests.edge.harness import ROOT, Edge, media_id, url
from tests.edge.storage import S3, free_ports


def gone(pid: int, seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_stops_in_order(make_edge: Callable[..., Edge]) -> None:
    edge = make_edge()
    children = [edge.child("guard"), edge.child("caddy")]
    assert edge.stop() == 0
    assert all(gone(pid) for pid in children)


@pytest.mark.parametrize("name", ["guard", "caddy"])
def test_when_one_dies_the_other_stops(make_edge: Callable[..., Edge], name: str) -> None:
    edge = make_edge()
    children = {each: edge.child(each) for each in ("guard", "caddy")}
    os.kill(children[name], signal.SIGKILL)
    assert edge.process is not None
    assert edge.process.wait(15) == 1
    assert all(gone(pid) for pid in children.values())
    edge.start()
    assert edge.stop() == 0


def test_a_killed_parent_leaves_nothing(make_edge: Callable[..., Edge]) -> None:
    edge = make_edge()
    children = [edge.child("guard"), edge.child("caddy")]
    edge.stop(signal.SIGKILL)
    assert all(gone(pid) for pid in children)


def test_a_port_in_use_ends_it(make_edge: Callable[..., Edge], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        edge = Edge(tmp_path, 1, {"EDGE_LISTEN": f"http://localhost:{taken.getsockname()[1]}"})
        done = subprocess.run(
            [sys.executable, "-m", "edge.run"],
            env=edge.environment(),
            cwd=ROOT,
            capture_output=True,
            check=False,
            timeout=30,
        )
    assert done.returncode == 1
    assert b"address already in use" in done.stderr


def test_all_faults_are_said_at_once(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edge.run"], env={"PATH": os.environ["PATH"]}, cwd=ROOT,
        capture_output=True, check=False, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 78
    for name in ("S3_ENDPOINT", "EDGE_SIGNING_KEY", "CACHE_PATH", "RUN_PATH", "S3_EDGE_READER_ACCESS_KEY"):
        assert name in done.stderr


def test_https_with_a_certificate_authority_of_our_own(make_edge: Callable[..., Edge], s3: S3) -> None:
    port = free_ports(1)[0]
    key = f"hls/{media_id()}/b0/x.m4s"
    s3.put(key, b"body")
    public = f"https://review.example:{port}"
    edge = make_edge(
        EDGE_LISTEN=public, PUBLIC_URL=public, EDGE_BIND="127.0.0.1", EDGE_TLS="internal",
        EDGE_LOCAL_LISTEN="http://localhost:{port}",
    )  # fmt: skip
    store = edge.cache / "caddy/data/caddy"
    end = time.monotonic() + 10
    while not (store / "certificates/local/review.example/review.example.json").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    root = store / "pki/authorities/local/root.crt"
    context = ssl.create_default_context(cafile=str(root))

    def ask(host: str) -> bytes:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="review.example") as secure,
        ):
            secure.sendall(f"GET {url(key)} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while data := secure.recv(65536):
                answer += data
        return answer

    answer = ask("review.example")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"body")
    assert ask("evil.example").startswith(b"HTTP/1.1 421")
    assert edge.get(url(key)).body == b"body"  # the site on loopback


def settings(**more: str) -> EdgeSettings:
    return load(
        EdgeSettings,
        {
            "S3_ENDPOINT": "http://127.0.0.1:1", "S3_EDGE_READER_ACCESS_KEY": "a", "S3_EDGE_READER_SECRET_KEY": "b",
            "EDGE_SIGNING_KEY": "k:" + "A" * 44, "CACHE_PATH": "/c", "RUN_PATH": "/r", **more,
        },
    )  # fmt: skip


def test_what_caddy_is_told() -> None:
    told = environment(settings(), {})
    assert (told["EDGE_SCHEME"], told["EDGE_PORT"], told["EDGE_BIND"]) == ("http", "8080", "127.0.0.1")
    assert told["EDGE_AUTO_HTTPS"] == "off"
    assert "EDGE_WEB" not in told
    told = environment(settings(PORT="5000", EDGE_BASE_URL="https://edge.example"), {})
    assert (told["EDGE_PORT"], told["EDGE_BIND"]) == ("5000", "0.0.0.0")
    assert told["EDGE_HOSTS"] == "localhost 127.0.0.1 ::1 edge.example"
    told = environment(settings(EDGE_LISTEN="https://review.example", WEB_UPSTREAM="127.0.0.1:1"), {"SECRET_KEY": "x"})
    assert (told["EDGE_LISTEN"], told["EDGE_PORT"], told["EDGE_WEB"]) == (
        "https://review.example:443",
        "443",
        "web",
    )
    assert told["EDGE_AUTO_HTTPS"] == "ignore_loaded_certs"
    assert "SECRET_KEY" not in told
    trusted = settings(TRUSTED_HOSTS="a.example:8443, .B.example")
    assert hosts(trusted, parse_address("EDGE_LISTEN", "http://localhost:1"))[3:] == [
        "a.example",
        "b.example",
        "*.b.example",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EDGE_LISTEN", "ftp://x"),
        ("EDGE_LISTEN", "https://"),
        ("EDGE_LISTEN", "http://x:99999"),
        ("EDGE_LISTEN", "https://x/path"),
        ("TRUSTED_HOSTS", "a.example}\nrespond"),
        ("WEB_UPSTREAM", "127.0.0.1:1 {"),
        ("S3_UPSTREAM", "http://127.0.0.1:1"),
        ("S3_BUCKET_STAGING", "x|y"),
        ("CACHE_PATH", 'a"b'),
        ("RUN_PATH", "/" + "r" * 100),
        ("EDGE_BIND", "0.0.0.0 }"),
    ],
)
def test_what_does_not_belong_into_the_caddyfile_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        environment(settings(**{name: value}), {})
    assert name in caught.value.sentence


def test_which_caddy(tmp_path: Path) -> None:
    old = tmp_path / "caddy"
    old.write_text("#!/bin/sh\necho v2.6.2\n")
    old.chmod(0o755)
    assert find_caddy(str(tmp_path)) != old
    old.write_text("#!/bin/sh\necho 'v2.12.0 h1:x'\n")
    assert find_caddy(str(tmp_path)) == old
