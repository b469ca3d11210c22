"""A real S3 for the edge's tests: SeaweedFS on loopback, with one identity per role."""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

KEYS = {
    "admin": ("adminkey", "adminsecretadminsecret"),
    "reader": ("edgekey", "edgesecretedgesecret"),
    "uploader": ("upkey", "upsecretupsecret"),
}


def free_ports(number: int) -> list[int]:
    """Ports that were free just now; kept below 50000, as SeaweedFS adds 10000 for some of its own."""
    sockets: list[socket.socket] = []
    while len(sockets) < number:
        one = socket.socket()
        one.bind(("127.0.0.1", 0))
        sockets.append(one)
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@dataclass
class S3:
    """A running server."""

    port: int

    def client(self, who: str = "admin", host: str | None = None) -> Any:
        """A client of one identity, by default with every right; `host` is what it signs for."""
        return _client(who, host or f"127.0.0.1:{self.port}")

    def put(self, key: str, body: bytes) -> None:
        """Store a preview object."""
        self.client().put_object(Bucket="previews", Key=key, Body=body)


@functools.cache
def _client(who: str, host: str) -> Any:
    access, secret = KEYS[who]
    return boto3.client(
        "s3",
        endpoint_url=f"http://{host}",
        region_name="us-east-1",
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        config=Config(
            s3={"addressing_style": "path"},
            signature_version="s3v4",
            retries={"max_attempts": 1},
            connect_timeout=2,
            read_timeout=20,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _identities() -> str:
    def allow(*statements: Mapping[str, object]) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})

    read = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::previews/*"]}
    upload = {
        "Effect": "Allow",
        "Action": ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
        "Resource": ["arn:aws:s3:::staging/*"],
    }
    policies = {"reader": allow(read), "uploader": allow(upload)}
    return json.dumps(
        {
            "policies": [{"name": name, "content": content} for name, content in policies.items()],
            "identities": [
                {
                    "name": name,
                    "credentials": [{"accessKey": pair[0], "secretKey": pair[1]}],
                    **({"actions": ["Admin"]} if name == "admin" else {"actions": [], "policyNames": [name]}),
                }
                for name, pair in KEYS.items()
            ],
        }
    )


@contextmanager
def running(folder: Path) -> Iterator[S3]:
    """Start SeaweedFS in `folder`, wait until an object can be written, and kill it at the end."""
    s3, s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc = free_ports(8)
    config = folder / "s3.json"
    config.write_text(_identities())
    (folder / "data").mkdir()
    command = [
        str(Path(sys.executable).with_name("weed")), "-logtostderr=true", "server",
        f"-dir={folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false",
        f"-master.port={master}", f"-master.port.grpc={master_grpc}",
        "-master.electionTimeout=300ms", "-master.heartbeatInterval=50ms", "-master.volumeSizeLimitMB=64",
        f"-volume.port={volume}", f"-volume.port.grpc={volume_grpc}", "-volume.max=0", "-volume.preStopSeconds=0",
        "-filer", f"-filer.port={filer}", f"-filer.port.grpc={filer_grpc}",
        "-s3", f"-s3.port={s3}", f"-s3.port.grpc={s3_grpc}", f"-s3.config={config}", "-s3.iam=false",
        "-s3.port.iceberg=0", "-s3.port.lance=0",
    ]  # fmt: skip
    environ = {**os.environ, "HOME": str(folder), "GOMEMLIMIT": "256MiB"}
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, cwd=folder, stdout=log, stderr=log, start_new_session=True)
        try:
            server = S3(s3)
            _until_writable(server, process)
            yield server
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


def _until_writable(server: S3, process: subprocess.Popen[bytes]) -> None:
    client = server.client()
    end = time.monotonic() + 40
    while True:
        try:
            have = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
            for bucket in {"staging", "previews", "masters"} - have:
                client.create_bucket(Bucket=bucket)
            client.put_object(Bucket="previews", Key="canary", Body=b"canary")
            return
        except (BotoCoreError, ClientError):
            if process.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.05)
