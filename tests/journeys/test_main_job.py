"""The main job, as a person does it: sign in, upload, watch from the edge, stop on a frame, comment.

On the real servers and in a real browser. A code in each picture says which frame is shown.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.api import client
from tests.support.coded_film import READ_CODE, write_film
from tests.support.running import Running

FRAMES = 311  # not a whole number of segments, not of seconds
pytestmark = pytest.mark.browser
NewContext = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_film(tmp_path_factory.mktemp("film") / "Northbound_R2_v03.mp4", frames=FRAMES)


def sign_in(page: Page, stack: Running) -> None:
    page.goto("/")
    page.get_by_label("Email").fill(stack.email)
    page.get_by_label("Password").fill(stack.password)
    page.get_by_role("button", name="Sign in").click()
    expect(
        page.get_by_role("heading", name="Projects").or_(page.get_by_role("link", name="Demo")).first
    ).to_be_visible()


def on_screen(page: Page) -> int:
    return int(page.evaluate(READ_CODE))


def go_to(page: Page, timecode: str) -> None:
    page.keyboard.press("g")
    page.keyboard.type(timecode)
    page.keyboard.press("Enter")
    page.wait_for_function("text => document.getElementById('clock-input').value === text", arg=timecode)


@pytest.mark.slow
def test_upload_watch_stop_comment(new_context: NewContext, stack: Running, film: Path) -> None:
    page = new_context(base_url=stack.url, viewport={"width": 1440, "height": 900}).new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console", lambda message: faults.append(message.text) if "Content Security Policy" in message.text else None
    )
    sign_in(page, stack)
    upload_and_see_it_ready(page, stack, film)
    proof_is_shown(page)
    segments = watch_exactly(page)
    assert segments, "nothing came from the edge"
    assert all(re.match(rf"{re.escape(stack.url)}/v/\d{{10}}\.", url) for url in segments)
    comment_and_see_it_elsewhere(page, new_context, stack)
    assert not faults


def upload_and_see_it_ready(page: Page, stack: Running, film: Path) -> None:
    page.goto(f"/projects/{stack.project_id}")
    page.locator("input[type=file]").first.set_input_files(film)
    expect(page.locator(".uploads [data-name]").first).to_have_text(film.name)
    tile = page.locator("article.tile", has_text="Northbound_R2_v03")
    expect(tile).to_be_visible(timeout=20_000)
    expect(tile.get_by_text("Ready", exact=True)).to_be_visible(timeout=60_000)  # by itself, without a reload


def proof_is_shown(page: Page) -> None:
    page.locator("article.tile", has_text="Northbound_R2_v03").get_by_role("link", name="Facts").click()
    text = page.locator("main").inner_text()
    assert re.search(r"\b[0-9a-f]{64}\b", text)
    for fact in ("Governance", "H264", "1280 × 720", "25 frames a second", "10:00:00:00", f"{FRAMES}"):
        assert fact in text, fact
    page.get_by_role("link", name=re.compile("Review")).first.click()


def watch_exactly(page: Page) -> list[str]:
    segments: list[str] = []
    page.on(
        "response", lambda answer: segments.append(answer.url) if answer.url.endswith(".m4s") and answer.ok else None
    )
    page.reload()
    page.wait_for_function("() => window.rushes?.player")
    page.evaluate("() => window.rushes.player.ready")
    dice = random.Random(7)
    for frame in (0, FRAMES - 1, 1, FRAMES - 2, *dice.sample(range(FRAMES), 12)):
        page.evaluate("frame => window.rushes.player.show(frame)", frame)
        assert on_screen(page) == frame
    page.evaluate("() => window.rushes.player.show(100)")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("() => window.rushes.player.frame === 110")
    assert on_screen(page) == 110
    go_to(page, "10:00:08:03")
    assert on_screen(page) == 203
    plays_with_sound(page)
    return segments


def plays_with_sound(page: Page) -> None:
    page.evaluate("() => window.rushes.player.show(0)")
    page.keyboard.press("l")
    page.wait_for_function("() => window.rushes.player.frame > 30", timeout=15_000)
    assert page.evaluate("() => document.querySelector('video').webkitAudioDecodedByteCount") > 0
    page.keyboard.press("k")
    page.wait_for_function("() => document.querySelector('video').paused")
    page.wait_for_timeout(300)
    assert on_screen(page) == page.evaluate("() => window.rushes.player.frame")


def comment_and_see_it_elsewhere(page: Page, new_context: NewContext, stack: Running) -> None:
    other = new_context(base_url=stack.url).new_page()
    sign_in(other, stack)
    other.goto(page.url)
    expect(other.get_by_text("No comments yet")).to_be_visible()

    go_to(page, "10:00:05:02")
    page.keyboard.press("n")
    page.keyboard.type("The mast <b>is</b> in frame\nfor two frames.")
    page.keyboard.press("Control+Enter")
    note = page.locator("article.note")
    expect(note.locator(".said")).to_have_text("The mast <b>is</b> in frame\nfor two frames.", use_inner_text=True)
    expect(note.locator("a.tc")).to_have_text("10:00:05:02")

    expect(other.locator("article.note .said")).to_contain_text("The mast", timeout=6_000)
    other.wait_for_function("() => window.rushes?.player")
    other.evaluate("() => window.rushes.player.ready")
    other.locator("article.note a.tc").click()
    other.wait_for_function("() => window.rushes.player.frame === 127")
    assert on_screen(other) == 127

    note.get_by_text("Delete", exact=True).click()
    note.get_by_role("button", name="Delete the comment").click()
    expect(page.get_by_text("No comments yet")).to_be_visible()
    expect(other.get_by_text("No comments yet")).to_be_visible(timeout=6_000)


def test_a_broken_film_says_what_to_do(new_context: NewContext, stack: Running, tmp_path: Path) -> None:
    page = new_context(base_url=stack.url).new_page()
    sign_in(page, stack)
    page.goto(f"/projects/{stack.project_id}")
    empty = tmp_path / "empty.mov"
    empty.touch()
    page.locator("input[type=file]").first.set_input_files(empty)
    expect(page.locator(".uploads")).to_contain_text("empty")
    text = tmp_path / "notes.mp4"
    text.write_text("this is no film\n" * 1000)
    page.locator("input[type=file]").first.set_input_files(text)
    tile = page.locator("article.tile", has_text="notes")
    expect(tile.get_by_text("Archived, no preview")).to_be_visible(timeout=30_000)
    tile.get_by_role("link", name="notes").click()
    expect(page.locator("main")).to_contain_text("no preview because")
    expect(page.locator("main")).to_contain_text("Governance")  # authentic bytes are kept


def test_the_same_story_by_http(stack: Running, film: Path) -> None:
    api = client(stack)
    done = api.send(film.read_bytes(), project_id=stack.project_id, title="By HTTP")
    assert api.wait(done["assetId"])["state"] == "complete"
    version = api.version(done["assetId"])
    assert version["id"] == done["versionId"]
    assert version["lock"]["mode"] == "GOVERNANCE"
    assert version["media"]["frameCount"] == FRAMES
    playback = version["playback"]
    assert fetch(api, playback["mp4"])[4:8] == b"ftyp"
    assert b"sprite-000.jpg#xywh=" in fetch(api, playback["storyboard"])
    assert fetch(api, playback["storyboard"].replace("storyboard.vtt", "sprite-000.jpg"))[:2] == b"\xff\xd8"
    assert b'"version":2' in fetch(api, playback["waveform"])
    assert version["media"]["loudness"]["truePeak"] < 0
    master = fetch(api, playback["hls"]).decode()
    assert "v720.m3u8" in master
    assert fetch(api, playback["poster"])[:2] == b"\xff\xd8"
    listing = fetch(api, playback["hls"].replace("master.m3u8", "v360.m3u8")).decode()
    assert f"{sum(map(float, re.findall(r'#EXTINF:([0-9.]+)', listing))):.3f}" == f"{FRAMES / 25:.3f}"
    status, comment = api.call(
        "POST", "/api/comments", {"versionId": version["id"], "frameIn": 12, "frameOut": 20, "body": "Here"}
    )
    assert status == 201
    status, listed = api.call("GET", f"/api/comments?versionId={version['id']}")
    assert [item["id"] for item in listed["items"]] == [comment["id"]]
    assert api.call("PATCH", f"/api/comments/{comment['id']}", {"body": "There"})[1]["body"] == "There"
    assert api.call("DELETE", f"/api/comments/{comment['id']}")[0] == 204
    assert api.call("GET", f"/api/comments?versionId={version['id']}")[1]["items"] == []


def fetch(api: Any, url: str) -> bytes:
    answer = api.http.request("GET", url)
    assert answer.status == 200, (answer.status, url[-60:])
    return bytes(answer.data)
