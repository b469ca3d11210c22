"""Real Caddy, real guard, real S3: each started once, each test with media ids of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.edge.control_web import Web
from tests.edge.harness import Edge
from tests.edge.storage import S3, running
from tests.edge.web import echoing
from tests.edge.wire import Wire


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """A SeaweedFS with the buckets staging, previews and masters."""
    with running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def shared_wire(s3: S3) -> Iterator[Wire]:
    """The line between guard and S3."""
    wire = Wire(s3.port)
    yield wire
    wire.down()


@pytest.fixture
def wire(shared_wire: Wire) -> Iterator[Wire]:
    """The same, faithful at first and again afterwards."""
    shared_wire.reset_faults()
    yield shared_wire
    shared_wire.reset_faults()


@pytest.fixture(scope="session")
def shared_edge(shared_wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """An edge alone: neither web nor S3 behind it."""
    edge = Edge(tmp_path_factory.mktemp("edge"), shared_wire.port).start()
    yield edge
    edge.stop()


@pytest.fixture
def edge(shared_edge: Edge, wire: Wire) -> Edge:
    """The shared edge, on a faithful line."""
    return shared_edge


@pytest.fixture
def make_edge(wire: Wire, tmp_path: Path) -> Iterator[Callable[..., Edge]]:
    """Start an edge of one's own with further environment variables."""
    made: list[Edge] = []

    def make(**extra: str) -> Edge:
        folder = tmp_path / f"edge{len(made)}"
        folder.mkdir()
        made.append(Edge(folder, wire.port, extra))
        return made[-1].start()

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.stop()


@pytest.fixture(scope="session")
def web() -> Iterator[ThreadingHTTPServer]:
    """What the front door passes pages to."""
    with echoing() as server:
        yield server


@pytest.fixture(scope="session")
def front(
    s3: S3, shared_wire: Wire, web: ThreadingHTTPServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Edge]:
    """An edge that is the front door too, of review.example as well as of this machine."""
    extra = {
        "WEB_UPSTREAM": f"127.0.0.1:{web.server_port}",
        "S3_UPSTREAM": f"127.0.0.1:{s3.port}",
        "PUBLIC_URL": "https://review.example",
        "TRUSTED_HOSTS": "other.example .wild.example",
    }
    edge = Edge(tmp_path_factory.mktemp("front"), shared_wire.port, extra).start()
    yield edge
    edge.stop()


@pytest.fixture(scope="module")
def told(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """The web that tells the edges."""
    web = Web(environment, tmp_path_factory.mktemp("web") / "web.log").start()
    web.deny("vbegin00000000")
    yield web
    web.stop()
    web.engine.dispose()
