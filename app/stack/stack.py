"""The services of an instance in the order in which they depend on each other, and their start."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import replace

from app.core.errors import RushesError
from app.stack import environment, external, postgres, procfile, redis, seaweed
from app.stack.buckets import Bootstrap
from app.stack.instance import Instance
from app.stack.service import NotReady, Service
from app.stack.supervisor import Report, Supervisor

#: How each process of the Procfile is stopped: (signal, patience in seconds, signal when we are gone).
_ENDS = {
    "web": (signal.SIGTERM, 5.0, signal.SIGQUIT),  # SIGQUIT: gunicorn does not wait for open streams
    "worker": (signal.SIGTERM, 20.0, signal.SIGKILL),
    "scheduler": (signal.SIGTERM, 5.0, signal.SIGKILL),
    "edge": (signal.SIGTERM, 10.0, signal.SIGTERM),  # it ends the guard and Caddy itself
}
_TITLES = {"web": "Web", "worker": "Worker", "scheduler": "Scheduler", "edge": "Edge and front door"}


def _nothing() -> None:
    """Ready when it runs: the worker and the scheduler serve nobody directly."""


class Stack:
    """One instance's services under one supervisor."""

    def __init__(self, instance: Instance, supervisor: Supervisor, report: Report) -> None:
        self._instance = instance
        self._supervisor = supervisor
        self._report = report
        self._commands = procfile.read()
        self._bootstrap = Bootstrap(instance.values) if instance.holds_bootstrap else None
        self._prepared = False

    def start(self, set_up: Callable[[], None] = _nothing) -> None:
        """Servers, migrations, `set_up`, then our own processes; returns when the front door serves.

        Migrations run while the storage, which is slower, is still coming. Raises Unavailable for what does
        not start, Stopped when asked to stop meanwhile.
        """
        self.spawn_servers()
        self.await_databases()
        self.migrate()
        set_up()
        self.await_storage()
        self.start_processes()

    def start_servers(self) -> None:
        """The servers alone: nothing of ours runs on them."""
        self.spawn_servers()
        self.await_databases()
        self.await_storage()

    def spawn_servers(self) -> None:
        """Every embedded server; the storage first, as it takes the longest."""
        instance, state, start = self._instance, self._instance.state, self._supervisor.start
        if instance.embeds_storage:
            start([self._storage()])
        if instance.embeds_postgres:
            data = instance.path / "postgres"
            start([postgres.service(data, state.ports["postgres"], state.postgres_password)])
        if instance.embeds_redis:
            start([redis.service(instance.path / "redis", state.ports["redis"], state.redis_password)])

    def await_databases(self) -> None:
        """PostgreSQL and Redis, ours or somebody else's."""
        for name in ("postgres", "redis"):
            self._await_server(name)
        for title, check in external.checks(self._instance, self._storage_ready):
            self._timed(title, check)

    def await_storage(self) -> None:
        """The embedded storage: an object written and read, writes to masters synced."""
        self._await_server("storage")
        instance = self._instance
        if instance.embeds_storage and not instance.state.storage_prepared:
            seaweed.make_durable(instance.path / "storage", instance.run_path, instance.state)
            instance.state.storage_prepared = True
            instance.save()

    def migrate(self) -> None:
        """The Procfile's release step."""
        service = self.once("release", "Migrations", procfile.argv(self._commands["release"]))
        self._timed(service.title, lambda: self._supervisor.run_once(service))

    def start_processes(self) -> None:
        """Web, worker, scheduler, edge: spawned at once, ready when the front door serves."""
        services = [self._process(name) for name in ("web", "worker", "scheduler", "edge")]
        self._supervisor.start(services)
        self._timed("Web, worker, scheduler, edge", lambda: self._await([each.name for each in services]))

    def once(self, name: str, title: str, command: tuple[str, ...], **more: str) -> Service:
        """A program that ends, told `more`, and what a process type of that name is told if there is one."""
        values, given = self._instance.values, self._instance.given
        known = name in environment.PROCESSES
        told = environment.of_process(name, values, given) if known else environment.of_machine(given)
        return Service(name, title, command, {**told, **more}, procfile.ROOT)

    def _await(self, names: list[str]) -> None:
        for name in names:
            self._supervisor.await_ready(name)

    def _await_server(self, name: str) -> None:
        service = self._supervisor.service(name)
        if service:
            self._timed(service.title, lambda: self._supervisor.await_ready(name))

    def _storage(self) -> Service:
        instance = self._instance
        seaweed.remove_stale_sockets(instance.state.ports)
        service = seaweed.service(instance.path / "storage", instance.run_path, instance.state, instance.url)
        return replace(service, ready=self._storage_ready)

    def _storage_ready(self) -> None:
        if self._bootstrap is None:
            return
        if not self._prepared:
            try:
                self._bootstrap.prepare(lock_days=int(self._instance.values["OBJECT_LOCK_DEFAULT_DAYS"]))
            except RushesError as error:
                raise NotReady(error.sentence) from None
            self._prepared = True
        self._bootstrap.ready()

    def _process(self, name: str) -> Service:
        stop_signal, patience, death_signal = _ENDS[name]
        return Service(
            name=name,
            title=_TITLES[name],
            command=procfile.argv(self._commands[name]),
            environment=environment.of_process(name, self._instance.values, self._instance.given),
            folder=procfile.ROOT,
            ready=self._instance.front_door.ready if name == "edge" else _nothing,
            stop_signal=stop_signal,
            patience=patience,
            death_signal=death_signal,
            tier=2 if name == "edge" else 1,
        )

    def _timed(self, title: str, work: Callable[[], object]) -> None:
        begun = time.monotonic()
        work()
        self._report(f"{title:<34} {time.monotonic() - begun:5.1f} s")
