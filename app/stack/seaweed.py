"""SeaweedFS, closed: S3 with Object Lock for one machine.

With its defaults an anonymous GET to a port of its own (`/col/delete`) destroys locked objects. So: every
port on 127.0.0.1, JWT keys for volume and filer, mutual TLS on all gRPC and on the HTTP of master, volume
and filer, no filer HTTP, no IAM, telemetry or table servers. Only the S3 port is plain HTTP, and it answers
signatures alone. tests/stack/test_storage_closed.py probes every port.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from app.core.errors import Unavailable
from app.core.settings import Role
from app.core.storage import PERMISSIONS
from app.stack import certificates, programs
from app.stack.files import private_folder, write_private
from app.stack.service import Service
from app.stack.state import State

PORTS = ("s3", "s3_grpc", "master", "master_grpc", "volume", "volume_grpc", "filer", "filer_grpc")
#: Buckets whose writes are on the disk before they are acknowledged.
DURABLE = ("masters", "docs")


def service(folder: Path, run: Path, state: State, origin: str) -> Service:
    """The server as a service; `origin` is the only one whose pages may call it across origins.

    It is killed after `patience`: its own shutdown waits 15 s for its own connections before it does
    anything. By then all writers have gone, and a kill loses nothing that was acknowledged.
    """
    program = programs.weed()
    private_folder(folder / "data")
    private_folder(run)
    certificates.make(folder / "tls")
    write_private(folder / "s3.json", json.dumps(identities(state.roles)))
    return Service(
        name="storage",
        title=f"SeaweedFS {program.version}",
        command=(str(program.path), *arguments(folder, run, state.ports, origin)),
        environment=environment(folder, run, state.storage_jwt),
        folder=folder,
        patience=2,
    )


def identities(roles: Mapping[str, tuple[str, str]]) -> dict[str, object]:
    """s3.json: each role with its policy from PERMISSIONS, and bootstrap as administrator."""
    policies = [
        {
            "name": f"rushes-{role}",
            "content": json.dumps({"Version": "2012-10-17", "Statement": statements(role)}),
        }
        for role in PERMISSIONS
    ]
    people = []
    for role, (access_key, secret_key) in roles.items():
        rights: dict[str, object] = (
            {"actions": ["Admin"]} if role == "bootstrap" else {"actions": [], "policyNames": [f"rushes-{role}"]}
        )
        people.append({"name": role, "credentials": [{"accessKey": access_key, "secretKey": secret_key}], **rights})
    return {"policies": policies, "identities": people}


def statements(role: Role) -> list[dict[str, object]]:
    """The statements of a role's policy (IAM policy language 2012-10-17)."""
    return [
        {
            "Effect": "Allow",
            "Action": list(actions),
            "Resource": [f"arn:aws:s3:::{bucket}/*" if on_objects else f"arn:aws:s3:::{bucket}"],
        }
        for actions, bucket, on_objects in PERMISSIONS[role]
    ]


def arguments(folder: Path, run: Path, ports: Mapping[str, int], origin: str) -> list[str]:
    """The command line. Short election and heartbeat: one machine has nobody to wait for."""
    return [
        "-logtostderr=true", "server", f"-dir={folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        "-master.telemetry=false", f"-master.port={ports['master']}",
        f"-master.port.grpc={ports['master_grpc']}", "-master.electionTimeout=300ms",
        "-master.heartbeatInterval=50ms", "-master.volumeSizeLimitMB=1024",
        f"-volume.port={ports['volume']}", f"-volume.port.grpc={ports['volume_grpc']}", "-volume.max=0",
        "-volume.minFreeSpace=1GiB", "-volume.preStopSeconds=1",
        "-filer", f"-filer.port={ports['filer']}", f"-filer.port.grpc={ports['filer_grpc']}",
        f"-filer.localSocket={run}/filer.sock", "-filer.disableHttp=true", "-filer.exposeDirectoryData=false",
        "-filer.disableDirListing=true", "-filer.ui.deleteDir=false", f"-filer.allowedOrigins={origin}",
        "-s3", f"-s3.port={ports['s3']}", f"-s3.port.grpc={ports['s3_grpc']}",
        f"-s3.localSocket={run}/s3.sock",
        f"-s3.config={folder}/s3.json", "-s3.iam=false", "-s3.autoCreateBucket=false",
        "-s3.allowDeleteBucketNotEmpty=false", f"-s3.allowedOrigins={origin}", "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]  # fmt: skip


def environment(folder: Path, run: Path, jwt: Mapping[str, str]) -> dict[str, str]:
    """Keys and certificates. HOME is ours, as it would read a security.toml there."""
    tls = folder / "tls"
    names = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(run), "GOMEMLIMIT": "512MiB"}
    names |= {f"WEED_JWT_{name}_KEY": key for name, key in jwt.items()}
    names["WEED_GRPC_CA"] = f"{tls}/ca.crt"
    for part in ("MASTER", "VOLUME", "FILER", "S3", "CLIENT"):
        names |= {f"WEED_GRPC_{part}_CERT": f"{tls}/node.crt", f"WEED_GRPC_{part}_KEY": f"{tls}/node.key"}
    for part in ("MASTER", "VOLUME", "FILER", "CLIENT"):
        names |= {
            f"WEED_HTTPS_{part}_CERT": f"{tls}/node.crt",
            f"WEED_HTTPS_{part}_KEY": f"{tls}/node.key",
            f"WEED_HTTPS_{part}_CA": f"{tls}/ca.crt",
        }
    names["WEED_HTTPS_CLIENT_ENABLED"] = "true"
    names["WEED_FILER_EXPOSE_DIRECTORY_METADATA_ENABLED"] = "false"
    return names


def make_durable(folder: Path, run: Path, state: State, buckets: Iterable[str] = DURABLE) -> None:
    """Have writes to these buckets synced before they are acknowledged; the filer remembers it.

    Raises Unavailable when the shell does not answer or does not confirm.
    """
    ports = state.ports
    script = "".join(f"fs.configure -locationPrefix=/buckets/{bucket}/ -fsync -apply\n" for bucket in buckets)
    try:
        done = subprocess.run(
            [
                str(programs.weed().path), "shell",
                f"-master=127.0.0.1:{ports['master']}.{ports['master_grpc']}",
                f"-filer=127.0.0.1:{ports['filer']}.{ports['filer_grpc']}",
            ],
            input=script, env=environment(folder, run, state.storage_jwt), cwd=folder, capture_output=True,
            text=True, timeout=30, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Unavailable("storage_shell", "The storage's own shell did not answer within 30 s.") from None
    if done.returncode != 0 or not all(f"/buckets/{bucket}/" in done.stdout for bucket in buckets):
        raise Unavailable("storage_shell", f"The storage refused to sync its writes:\n{done.stderr[-500:]}")


def remove_stale_sockets(ports: Mapping[str, int]) -> None:
    """The gRPC sockets that it leaves in /tmp, named by port (the folder is not configurable)."""
    for part in ("master", "volume", "filer", "s3"):
        Path(f"/tmp/seaweedfs-{part}-grpc-{ports[part + '_grpc']}.sock").unlink(missing_ok=True)  # noqa: S108
