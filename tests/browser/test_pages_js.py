"""The scripts of the ordinary pages in a real browser."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pages_server import ROOT, Storage, serving
from playwright.sync_api import Browser, Page, expect

FILM = bytes(range(256)) * 4 * 1024 + b"and a short last part"  # 16 whole parts and 21 bytes
pytestmark = pytest.mark.browser


@pytest.fixture
def storage() -> Storage:
    if not (ROOT / "static/vendor/sha256.umd.min.js").is_file():
        pytest.fail("static/vendor is empty: run bin/vendor")
    return Storage()


@pytest.fixture
def origin(storage: Storage) -> Iterator[str]:
    with serving(storage) as url:
        yield url


@pytest.fixture
def tab(browser: Browser, origin: str) -> Iterator[Page]:
    context = browser.new_context(base_url=origin)
    page = context.new_page()
    page.set_default_timeout(8000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if "Content Security" in message.text else None)
    page.goto("/")
    yield page
    context.close()
    assert faults == []


def choose(page: Page, data: bytes = FILM, name: str = "Film_v01.mov") -> None:
    page.locator("input[data-files]").first.set_input_files(
        {"name": name, "mimeType": "video/quicktime", "buffer": data}
    )


def assert_stored_whole(storage: Storage) -> None:
    assert storage.whole == FILM
    assert storage.claim == hashlib.sha256(FILM).hexdigest()


def test_file_arrives_whole_four_parts_at_a_time_and_its_tile_settles(tab: Page, storage: Storage) -> None:
    storage.delay = 0.05
    storage.sheet_faults = [503, 429]  # must neither wipe the sheet nor end the polling
    choose(tab)
    meter = tab.locator(".uploads progress")
    expect(tab.locator(".uploads")).to_be_visible()
    expect(meter).to_have_js_property("value", 100)
    expect(tab.locator("#tile-a1 .state")).to_have_text("Checking")
    with tab.expect_response(lambda answer: answer.status == 503):
        expect(tab.locator("#tile-a1 .state")).to_have_text("Checking")
    expect(tab.locator("#tile-a1 .state")).to_have_text("Ready")
    assert storage.sheet_faults == []
    expect(tab.locator(".uploads [data-note]")).to_have_text("Ready")
    assert_stored_whole(storage)
    assert storage.asked == {
        "projectId": "p1", "name": "Film_v01.mov", "size": len(FILM), "type": "video/quicktime",
        "mapping": {"projectId": "p1", "title": "Film_v01"},
    }  # fmt: skip
    assert (storage.peak, storage.puts, storage.largest_batch) == (4, 17, 4)
    sheets = storage.sheets
    tab.wait_for_timeout(2500)
    assert storage.sheets == sheets, "the sheet goes on polling though everything is settled"


def test_a_file_lands_in_the_collection_that_is_looked_at(tab: Page, storage: Storage) -> None:
    tab.evaluate("document.querySelector('[data-uploads]').dataset.collection = 'c1'")
    choose(tab)
    expect(tab.locator("[data-headline]")).to_have_text("1 uploaded")
    assert storage.asked["mapping"] == {"projectId": "p1", "title": "Film_v01", "collectionId": "c1"}


def test_refused_url_is_signed_again_and_failed_part_is_sent_again(tab: Page, storage: Storage) -> None:
    storage.faults = {2: [403], 3: [500]}
    choose(tab)
    expect(tab.locator("[data-headline]")).to_have_text("1 uploaded")
    assert_stored_whole(storage)
    assert (storage.times_signed[2], storage.times_signed[3], storage.puts) == (2, 1, 19)


def test_cancel_stops_and_deletes(tab: Page, storage: Storage) -> None:
    storage.delay = 0.3
    choose(tab)
    expect(tab.locator(".uploads [data-note]")).to_have_text(re.compile(r"\d %, [\d.]+ of 1.0 MB"))
    tab.get_by_role("button", name="Cancel Film_v01.mov").click()
    expect(tab.locator(".uploads li")).to_have_count(0)
    expect(tab.locator(".uploads")).to_be_hidden()
    tab.wait_for_timeout(700)
    puts = storage.puts
    assert storage.deleted
    assert not storage.completed
    tab.wait_for_timeout(500)
    assert storage.puts == puts < 17


def test_refusals_are_sentences_and_can_be_tried_again(tab: Page, storage: Storage) -> None:
    storage.presign_fault = {
        "status": 422,
        "title": "Not accepted",
        "detail": "Text files are not masters.",
        "code": "type",
    }
    choose(tab)
    expect(tab.locator(".uploads .bad [data-note]")).to_have_text("Text files are not masters.")
    storage.presign_fault = None
    tab.get_by_role("button", name="Try again Film_v01.mov").click()
    expect(tab.locator("[data-headline]")).to_have_text("1 uploaded")
    assert_stored_whole(storage)


def test_empty_and_too_large_files_never_leave_the_machine(tab: Page, storage: Storage) -> None:
    choose(tab, b"", "empty.mov")
    choose(tab, b"x" * 2_000_001, "huge.mov")
    notes = tab.locator(".uploads .bad [data-note]")
    expect(notes).to_have_text([re.compile("zero bytes"), re.compile("2.0 MB; 2 MB is the most")])
    assert storage.opened == 0
    tab.get_by_role("button", name="Dismiss empty.mov").click()
    expect(notes).to_have_count(1)


def test_dropped_files_queue_behind_a_visible_target(tab: Page, storage: Storage) -> None:
    drag = """(kind) => {
      const transfer = new DataTransfer();
      for (const name of ["one.mov", "two.mov"]) transfer.items.add(new File([name.repeat(9)], name));
      const options = { bubbles: true, cancelable: true, dataTransfer: transfer };
      document.body.dispatchEvent(new DragEvent(kind, options));
    }"""
    tab.evaluate(drag, "dragenter")
    expect(tab.locator("[data-veil]")).to_be_visible()
    tab.evaluate(drag, "drop")
    expect(tab.locator("[data-veil]")).to_be_hidden()
    expect(tab.locator("[data-headline]")).to_have_text("2 uploaded")
    assert storage.opened == 2


RUN = """async ({ data, tries }) => {
  const { Upload } = await import("/static/js/upload/uploader.js");
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const target = { presignHref: "/api/presign", projectId: "p1", title: "f", backoff: 2 };
  const upload = new Upload(new File([bytes], "f.mov"), target);
  const states = [];
  for (let i = 0; i < tries; i += 1) { await upload.run(); states.push(upload.state); }
  return { states, error: upload.error, sent: upload.sent };
}"""


def run(page: Page, tries: int = 1) -> dict[str, Any]:
    return page.evaluate(RUN, {"data": base64.b64encode(FILM).decode(), "tries": tries})  # type: ignore[no-any-return]


def test_gives_up_after_five_tries_and_goes_on_where_it_stood(tab: Page, storage: Storage) -> None:
    storage.faults = {9: [500] * 5}
    outcome = run(tab, tries=2)
    assert outcome["states"] == ["failed", "done"]
    assert "error 500" in outcome["error"]
    assert outcome["sent"] == len(FILM)
    assert storage.opened == 1
    assert storage.times_put[1] == storage.times_put[2] == 1, "a stored part was sent once more"
    assert storage.times_put[9] == 6
    assert_stored_whole(storage)


def test_a_closed_upload_is_not_tried_again_and_the_next_run_begins_anew(tab: Page, storage: Storage) -> None:
    storage.faults = {1: [404]}
    outcome = run(tab, tries=2)
    assert outcome["states"] == ["failed", "done"]
    assert "closed this upload" in outcome["error"]
    assert storage.opened == 2
    assert_stored_whole(storage)


def test_digests_come_from_the_worker_where_webcrypto_is_absent(tab: Page, storage: Storage) -> None:
    tab.add_init_script("Object.defineProperty(globalThis.crypto, 'subtle', { value: undefined })")
    tab.reload()
    assert run(tab)["states"] == ["done"]
    assert_stored_whole(storage)


def test_a_browser_that_refuses_wasm_sends_without_a_claim(browser: Browser, origin: str, storage: Storage) -> None:
    storage.wasm = False
    page = browser.new_page(base_url=origin)
    page.goto("/")
    assert run(page)["states"] == ["done"]
    page.close()
    assert storage.whole == FILM
    assert storage.claim is None


def test_theme_is_kept_across_pages(tab: Page) -> None:
    tab.locator("summary", has_text="AL").click()
    tab.get_by_label("Light").check()
    tab.reload()
    expect(tab.locator("html")).to_have_attribute("data-theme", "light")
    expect(tab.locator("#theme-light")).to_be_checked()


def test_offline_is_said_and_taken_back(tab: Page) -> None:
    tab.context.set_offline(True)
    expect(tab.locator("[data-offline]")).to_be_visible()
    tab.context.set_offline(False)
    expect(tab.locator("[data-offline]")).to_be_hidden()


def test_moments_move_into_the_readers_zone_and_stay_there_when_the_sheet_polls(
    browser: Browser, origin: str, storage: Storage
) -> None:
    storage.completed = True
    context = browser.new_context(base_url=origin, timezone_id="Asia/Tokyo")
    page = context.new_page()
    page.goto("/")
    moment = page.locator("#tile-a1 time")
    expect(moment).to_have_text("1 January 2026, 09:00")
    expect(moment).to_have_attribute("title", "1 January 2026, 00:00 UTC")
    page.evaluate("htmx.ajax('GET', '/sheet', { target: '#asset-sheet', swap: 'outerMorph' })")
    expect(page.locator("#tile-a1 .state")).to_have_text("Checking")
    expect(moment).to_have_text("1 January 2026, 09:00")
    context.close()
