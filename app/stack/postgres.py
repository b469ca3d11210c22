"""PostgreSQL from the package's binaries as our own foreground child.

Password for every connection (scram-sha-256), TCP on loopback alone, no Unix socket. PostgreSQL refuses to
run as root: then it runs as `nobody` in a user namespace, where root's own 0700 folders stay readable to it
without a capability or an account; where user namespaces are forbidden, under the account `rushes` or
`postgres`, which then needs a way (o+x) to its folder.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql

from app.core.errors import ConfigurationError, Unavailable
from app.stack import programs
from app.stack.files import private_folder
from app.stack.processes import LIBC
from app.stack.service import NotReady, Service

USER = DATABASE = "rushes"
SETTINGS = {
    "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "100",
    "shared_buffers": "64MB", "work_mem": "8MB", "maintenance_work_mem": "64MB",
    "effective_cache_size": "1GB", "random_page_cost": "1.1", "jit": "off", "max_wal_size": "1GB",
    "timezone": "UTC", "idle_in_transaction_session_timeout": "60s",
    "log_min_duration_statement": "500", "log_line_prefix": "%m [%p] ",
    "max_logical_replication_workers": "0",
}  # fmt: skip
_CLONE_NEWUSER = 0x10000000
_NOBODY = 65534


@dataclass(frozen=True)
class _Identity:
    before_exec: Callable[[], None]
    owner: tuple[int, int] | None


def url(password: str, port: int, database: str = DATABASE) -> str:
    """The address, as libpq and SQLAlchemy understand it."""
    return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{database}"


def service(folder: Path, port: int, password: str) -> Service:
    """The server as a service; makes the data folder the first time.

    SIGINT is its fast shutdown; SIGTERM would wait for every client to leave.
    """
    program = programs.postgres(folder)
    identity = _identity()
    _initialise(program.path, folder, password, identity)
    settings = {**SETTINGS, "port": str(port)}
    if int(program.version.partition(".")[0]) >= 18:
        settings["io_method"] = "sync"  # its workers cost more memory than a machine of one studio wins
    options = [f"--{name}={value}" for name, value in settings.items()]
    return Service(
        name="postgres",
        title=f"PostgreSQL {program.version}",
        command=(str(program.path / "postgres"), "-D", str(folder), *options),
        environment=_environment(program.path),
        folder=Path("/"),
        ready=lambda: ready(url(password, port, "postgres"), create=DATABASE),
        stop_signal=signal.SIGINT,
        death_signal=signal.SIGINT,
        patience=20,
        before_exec=identity.before_exec,
    )


def ready(address: str, *, create: str | None = None) -> None:
    """Ask for one row; make the database `create` if it is not there. Raises NotReady."""
    try:
        with psycopg.connect(address, connect_timeout=2, autocommit=True) as connection:
            found = connection.execute("SELECT datname FROM pg_database").fetchall()
            if create and (create,) not in found:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(create)))
    except psycopg.Error as error:
        raise NotReady(type(error).__name__) from None  # its text may hold the address


def _initialise(programs_folder: Path, data: Path, password: str, identity: _Identity) -> None:
    if (data / "PG_VERSION").exists():
        return
    private_folder(data)
    read, write = os.pipe()  # the password is never in a file or in argv
    os.write(write, password.encode() + b"\n")
    os.close(write)
    if identity.owner:
        os.chown(data, *identity.owner)
        os.fchown(read, *identity.owner)
    try:
        done = subprocess.run(
            [
                str(programs_folder / "initdb"), "-D", str(data), "-U", USER, "--auth=scram-sha-256",
                f"--pwfile=/dev/fd/{read}", "--encoding=UTF8", "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8", "--no-instructions",
            ],
            pass_fds=[read], env=_environment(programs_folder), cwd="/", capture_output=True, text=True,
            timeout=120, check=False, preexec_fn=identity.before_exec,
        )  # fmt: skip
    finally:
        os.close(read)
    if done.returncode != 0:
        raise Unavailable("initdb_failed", f"PostgreSQL could not make {data}:\n{done.stderr.strip()}")


def _environment(programs_folder: Path) -> dict[str, str]:
    return {"PATH": f"{programs_folder}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _identity() -> _Identity:
    if os.geteuid() != 0:
        return _Identity(lambda: None, None)
    if _namespace_allowed():
        return _Identity(_become_nobody, None)
    for name in ("rushes", "postgres"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        uid, gid = account.pw_uid, account.pw_gid
        return _Identity(partial(_become, uid, gid), (uid, gid))
    raise ConfigurationError(
        ["as root, the embedded PostgreSQL needs user namespaces or an account: useradd --system rushes"]
    )


def _become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _become_nobody() -> None:
    """Enter a user namespace in which our own user is called `nobody` (user_namespaces(7))."""
    uid, gid = os.getuid(), os.getgid()
    if LIBC.unshare(_CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{_NOBODY} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{_NOBODY} {gid} 1")


def _namespace_allowed() -> bool:
    pid = os.fork()
    if pid == 0:
        try:
            _become_nobody()
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0
