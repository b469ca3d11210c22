"""A review room on a real server with coded films, and a browser to visit it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from review_media import make
from review_page import FILMS, Open, until, within
from review_server import Room, serve

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (ROOT / "static/vendor/hls.min.js").is_file():
        pytest.fail("static/vendor is empty: run bin/vendor")
    folder = tmp_path_factory.mktemp("media")
    for film in FILMS.values():
        make(film, folder / film.name, heights=(360, 180) if film.name == "r25" else (360,))
    return folder


@pytest.fixture(scope="session")
def chromium(browser: Browser) -> Browser:
    """The browser of pytest-playwright: a second Playwright in one process cannot be."""
    return browser


@pytest.fixture
def room(media: Path) -> Room:
    return Room(media, FILMS)


@pytest.fixture
def visitor(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def open_room(room: Room, visitor: BrowserContext) -> Iterator[Open]:
    """Opens a page of the room and waits for its player; at the end no script may have failed or been blocked."""
    complaints: list[str] = []

    def open_room(name: str = "r25", query: str = "", *, wait: bool = True) -> Page:
        page = visitor.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda line: complaints.append(line.text) if "Content Security Policy" in line.text else None,
        )
        page.goto(f"{origin}/assets/{name}/review?v=2{query}")
        if wait:
            until(page, "window.rushes")
            within(page, "rushes.player.ready")
        return page

    with serve(room) as origin:
        yield open_room
    assert complaints == []
