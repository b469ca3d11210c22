"""No token, signature, cookie or link of a share is written anywhere, whatever goes wrong."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from http.server import ThreadingHTTPServer

from tests.edge.harness import STRANGE_RING, Edge, media_id, token, url
from tests.edge.storage import S3, free_ports
from tests.edge.wire import Wire


def test_nothing_secret_is_logged(make_edge: Callable[..., Edge], s3: S3, wire: Wire, web: ThreadingHTTPServer) -> None:
    dead = free_ports(2)
    edge = make_edge(
        WEB_UPSTREAM=f"127.0.0.1:{dead[0]}", S3_UPSTREAM=f"127.0.0.1:{dead[1]}", LOG_LEVEL="DEBUG"
    )  # fmt: skip
    key = f"hls/{media_id()}/b0/x.m4s"
    s3.put(key, b"x" * 3_000_000)
    media = key.split("/")[1]
    tokens = [token(media), token(media), token(media, ring=STRANGE_RING), token(media, life=-5)]
    for bearer in tokens:
        edge.get(f"/v/{bearer}/{key}")
        edge.get(f"/v/{bearer}/hls/{media}/b0/none")
        edge.get(f"/v/{bearer}/hls/{media}/b0/{'n' * 300}")
        edge.raw(f"/v/{bearer}/hls/{media}/b0/../x".encode())
    share, cookie, signature = "s3cr3tsharetoken", "s3cr3tcookie", "5ec2e7" * 10
    headers = {
        "Cookie": f"session={cookie}",
        "Referer": f"http://localhost/s/{share}",
        "Authorization": f"Bearer {cookie}",
    }
    assert edge.get(f"/s/{share}", headers=headers).status == 502
    part = f"/staging/{'a' * 32}?uploadId=1&partNumber=1&X-Amz-Expires=1&X-Amz-Signature={signature}"
    assert edge.get(part, "PUT", headers, b"x").status == 502

    # A grant that the guard cannot write, and a body that breaks off in the middle.
    broken = token(media)
    (edge.cache / "grants" / broken.split(".")[1]).symlink_to("nowhere")
    s3.put(f"hls/{media}/b0/y.m4s", b"y" * 3_000_000)
    wire.cut_after = 100_000
    edge.raw(f"/v/{broken}/hls/{media}/b0/y.m4s".encode())
    wire.reset_faults()

    # The guard is away while Caddy still answers.
    guard = edge.child("guard")
    os.kill(edge.process.pid, signal.SIGSTOP)  # type: ignore[union-attr]
    os.kill(guard, signal.SIGKILL)
    time.sleep(0.1)
    cold = token(media)
    answer = edge.get(f"/v/{cold}/hls/{media}/b0/z.m4s")
    assert (answer.status, answer.headers["cache-control"]) == (502, "no-store")
    os.kill(edge.process.pid, signal.SIGCONT)  # type: ignore[union-attr]
    edge.process.wait(20)  # type: ignore[union-attr]

    written = edge.log.read_text()
    for event in ("edge_part_ended", "grant_not_writable", "flight_failed", "aborting with incomplete response"):
        assert event in written
    for secret in (
        share,
        cookie,
        signature,
        "edgesecret",
        *(one.split(".")[3] for one in (*tokens, broken, cold)),
    ):
        assert secret not in written
    for path in edge.folder.rglob("*"):
        if path.is_file() and path.suffix in (".log", ".json"):
            assert signature not in path.read_text(errors="replace")


def test_every_line_is_json(edge: Edge) -> None:
    import json

    edge.get(url(f"hls/{media_id()}/b0/x.m4s"))
    for line in edge.log.read_text().splitlines():
        json.loads(line)
