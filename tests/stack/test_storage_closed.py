"""Nobody without a key gets anything from the storage or changes anything in it, on whichever of its ports.

With SeaweedFS's defaults `GET /col/delete` on the master's port destroys objects under COMPLIANCE lock.
Each request is sent to each port as plain HTTP, as HTTPS without and with a foreign certificate, and to the
Unix sockets; gRPC by the HTTP/2 preface (RFC 9113 section 3.4).
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import http.client
import os
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.storage import Storage
from app.stack import certificates, seaweed
from tests.support.running import Running

_MASTERS = "/buckets/masters"
REQUESTS = [
    *(("GET", path) for path in (
        "/", "/status", "/dir/assign", "/dir/status", "/dir/lookup?volumeId=1", "/vol/status", "/vol/grow?count=1",
        "/vol/vacuum", "/col/delete?collection=masters", "/cluster/status", "/stats/counter", "/stats/memory",
        "/stats/disk", "/metrics", "/ui/index.html", "/debug/pprof/", "/buckets/", f"{_MASTERS}/",
        f"{_MASTERS}/closed/big?metadata=true", f"{_MASTERS}/closed/big", "/etc/iam/identity.json", "/1,01637037d6",
        "/admin/assign_volume?volume=99", "/masters", "/masters?list-type=2", "/masters/closed/small",
        "/previews/closed/x", "/previews?acl", "/previews?policy", "/-/healthy",
    )),
    *(("POST", path) for path in (
        "/col/delete?collection=masters", "/buckets/staging/anon", "/1,01637037d6", "/submit",
        "/admin/assign_volume?volume=99", "/.tus/x", "/?Action=ListUsers", "/", "/previews?delete",
    )),
    *(("PUT", path) for path in ("/buckets/staging/anon", "/staging/anon", "/anonbucket", "/previews?policy")),
    *(("DELETE", path) for path in (
        f"{_MASTERS}/?recursive=true&ignoreRecursiveError=true", f"{_MASTERS}/closed/big", "/1,01637037d6",
        "/masters/closed/small", "/previews",
    )),
    ("HEAD", f"{_MASTERS}/closed/big"), ("HEAD", "/masters/closed/small"), ("OPTIONS", f"{_MASTERS}/"),
]  # fmt: skip
_GRPC = ("s3_grpc", "master_grpc", "volume_grpc", "filer_grpc")
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # and empty SETTINGS


@pytest.fixture(scope="module")
def objects(storage: Storage) -> Callable[[], bool]:
    """Locked objects, small (inline) and in chunks; tells whether they are what they were."""
    admin, sums = storage["bootstrap"], {}
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    for key, size in (("closed/small", 900), ("closed/big", 9 << 20)):
        body = os.urandom(size)
        sums[key] = hashlib.sha256(body).hexdigest()
        admin.put_object(
            Bucket="masters", Key=key, Body=body, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until
        )
    admin.put_object(Bucket="previews", Key="closed/x", Body=b"preview" * 1000)
    buckets = {bucket["Name"] for bucket in admin.list_buckets()["Buckets"]}

    def intact() -> bool:
        for key, digest in sums.items():
            found = admin.get_object(Bucket="masters", Key=key)
            if hashlib.sha256(found["Body"].read()).hexdigest() != digest or "ObjectLockMode" not in found:
                return False
        strangers = [each["Key"] for each in admin.list_objects_v2(Bucket="staging").get("Contents", ())]
        now = {bucket["Name"] for bucket in admin.list_buckets()["Buckets"]}
        return now == buckets and "anon" not in strangers

    return intact


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("foreign")
    certificates.make(folder)
    return folder


def _tls(certificate: Path | None, *, h2: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate / "node.crt", certificate / "node.key")
    if h2:
        context.set_alpn_protocols(["h2"])
    return context


@pytest.mark.slow
def test_no_port_answers_anybody_without_a_key(servers: Running, objects: Callable[[], bool], foreign: Path) -> None:
    answered = []
    for name in seaweed.PORTS:
        port = servers.state["ports"][name]
        ways: dict[str, Callable[[], http.client.HTTPConnection]] = {
            "http": lambda port=port: http.client.HTTPConnection("127.0.0.1", port, timeout=4),
            "https": lambda port=port: http.client.HTTPSConnection("127.0.0.1", port, timeout=4, context=_tls(None)),
            "foreign": lambda port=port: http.client.HTTPSConnection(
                "127.0.0.1", port, timeout=4, context=_tls(foreign)
            ),
        }
        for way, connect in ways.items():
            for method, path in REQUESTS:
                status, size = _ask(connect(), method, path)
                harmless = (name, path, size) == ("s3", "/status", 0)
                if 200 <= status < 400 and not harmless:
                    answered.append((name, way, method, path, status))
    assert not answered
    assert objects()


def test_the_unix_sockets_answer_nobody(servers: Running, objects: Callable[[], bool]) -> None:
    run = Path(servers.state["run_path"])
    for name in ("filer.sock", "s3.sock"):
        if not (run / name).exists():
            continue
        for method, path in REQUESTS:
            status, _ = _ask(_UnixConnection(run / name), method, path)
            assert status == 0 or status >= 400 or path == "/status", (name, method, path, status)
    assert objects()


def test_grpc_speaks_only_to_our_certificate(servers: Running, foreign: Path) -> None:
    ours = servers.folder / "storage" / "tls"
    for name in _GRPC:
        port = servers.state["ports"][name]
        assert not _speaks_h2(port, None), name
        assert not _speaks_h2(port, _tls(None, h2=True)), name
        assert not _speaks_h2(port, _tls(foreign, h2=True)), name
        assert _speaks_h2(port, _tls(ours, h2=True)), name  # so that the probe is known to work


def _ask(connection: http.client.HTTPConnection, method: str, path: str) -> tuple[int, int]:
    """Status and size of the body; 0 for no answer at all."""
    body = b"x=1" if method in ("POST", "PUT") else None
    try:
        connection.request(method, path, body=body, headers={"Origin": "http://evil.example"})
        answer = connection.getresponse()
        return answer.status, len(answer.read(300))
    except (OSError, http.client.HTTPException):
        return 0, 0
    finally:
        connection.close()


def _speaks_h2(port: int, context: ssl.SSLContext | None) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=4) as plain:
        plain.settimeout(4)
        speaker = context.wrap_socket(plain) if context else plain
        speaker.sendall(_PREFACE)
        frame = speaker.recv(9)
        return len(frame) == 9 and frame[3] == 4  # SETTINGS
    return False


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=4)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(4)
        self.sock.connect(self._path)
