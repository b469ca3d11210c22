"""What is acknowledged is finished, whatever forgets or dies on the way."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from redis import Redis

from tests.support.api import Api, client
from tests.support.coded_film import write_film
from tests.support.processes import descendants
from tests.support.running import Running

FRAMES = 750  # several chunks, so that something is always in hand


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_film(tmp_path_factory.mktemp("film") / "film.mp4", frames=FRAMES, size=(640, 360)).read_bytes()


def begin(api: Api, stack: Running, film: bytes, title: str) -> str:
    """Upload, and wait until the build is under way."""
    unique = film + title.encode()  # the same bytes would share the first one's preview
    done = api.send(unique, project_id=stack.project_id, title=title)
    api.wait(done["assetId"], until=("processing", "complete"))
    return str(done["assetId"])


def ends_whole(api: Api, asset_id: str) -> None:
    """Ready, with every frame once."""
    assert api.wait(asset_id, within=100)["state"] == "complete"
    version = api.version(asset_id)
    assert version["media"]["frameCount"] == FRAMES
    listing = api.http.request("GET", version["playback"]["hls"].replace("master.m3u8", "v360.m3u8")).data.decode()
    assert listing.count("#EXTINF") == 8


@pytest.mark.slow
def test_redis_forgets_everything_in_mid_build(stack: Running, film: bytes) -> None:
    api = client(stack)
    asset_id = begin(api, stack, film, "flushed")
    with Redis.from_url(stack.redis_url()) as redis:
        assert redis.flushall()
    ends_whole(api, asset_id)


@pytest.mark.slow
def test_the_worker_is_killed_in_mid_build(stack: Running, film: bytes) -> None:
    api = client(stack)
    asset_id = begin(api, stack, film, "killed")
    killed = [pid for pid in descendants(stack.pid) if b"dramatiq" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    ends_whole(api, asset_id)


def test_no_token_is_in_any_log(stack: Running, film: bytes) -> None:
    """Every secret of the instance, every token that this story was given: none may be read in a log."""
    api = client(stack)
    asset_id = begin(api, stack, film, "logged")
    api.wait(asset_id, within=100)
    playback = api.version(asset_id)["playback"]
    tokens = {str(url).split("/v/")[1].split("/")[0] for url in playback.values() if isinstance(url, str)}
    api.http.request("GET", f"{stack.url}/v/{next(iter(tokens))}x/hls/{'0' * 64}/b/master.m3u8")
    upload = api.call(
        "POST",
        "/api/presign",
        {
            "projectId": stack.project_id,
            "name": "a",
            "size": 9,
            "parts": [{"number": 1, "size": 9, "sha256": "0" * 64}],
        },
    )[1]
    signature = upload["parts"][0]["url"].split("X-Amz-Signature=")[1].split("&")[0]
    api.put(upload["parts"][0], b"123456789")
    time.sleep(0.5)
    secret = {stack.api_token, stack.password, signature, *tokens, *secrets_of(stack)}
    for log in log_files(stack):
        text = log.read_text(errors="replace")
        found = [value[:6] + "…" for value in secret if len(value) > 8 and value in text]
        assert not found, (log.name, found)


def secrets_of(stack: Running) -> set[str]:
    state = stack.state
    pairs = {pair[1] for pair in state["roles"].values()}
    return {
        state["secret_key"],
        state["edge_signing_key"].split(":")[1].split(",")[0],
        state["postgres_password"],
        state["redis_password"],
        *pairs,
    }


def log_files(stack: Running) -> list[Path]:
    found = sorted((stack.folder / "logs").glob("*"))
    assert {path.stem for path in found} >= {"web", "worker", "edge", "storage", "postgres", "redis", "scheduler"}
    return found
