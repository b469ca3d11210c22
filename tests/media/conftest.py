"""Coded films, made once a run: the number of every frame stands in its picture, a click on every second."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.media.tools import Tools, locate
from tests.media.coded import FILMS, Film, make
from tests.support.canary import Canary


@pytest.fixture(scope="session")
def tools() -> Tools:
    return locate()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A private empty folder, as the work gets one for every run."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def canary() -> Iterator[Canary]:
    """A listener on loopback that must stay unvisited."""
    one = Canary()
    yield one
    one.close()
    assert one.hits == []


@pytest.fixture(scope="session", params=list(FILMS))
def film(request: pytest.FixtureRequest, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Film:
    return make(tools, request.param, tmp_path_factory.mktemp("film"))
