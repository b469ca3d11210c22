"""bin/bench kill: SIGKILL to any process at random times during uploads, builds and viewing; nothing may be lost.

    bin/bench kill [--seed N] [--uploads N] [--viewers N] [--kills N]

Figures: `lost` (acknowledged uploads that did not end as promoted with their digest), `double` (masters with more
than one stored version, or more than one preview of the same bytes), `stuck` (not ended 90 seconds after the last
kill), `wrong_bytes` (bodies from the edge that differ from the stored object), `kills`, `slowest_end_s`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import secrets
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import urllib3  # noqa: E402

from tests.support.api import Api  # noqa: E402
from tests.support.coded_film import write_film  # noqa: E402
from tests.support.processes import descendants  # noqa: E402
from tests.support.running import Running  # noqa: E402

#: What a process is called → a word of its command line.
TARGETS = {
    "web": b"gunicorn", "worker": b"dramatiq", "scheduler": b"periodiq", "guard": b"edge.guard",
    "caddy": b"caddy\0run", "postgres": b"bin/postgres", "redis": b"redis-server", "storage": b"weed",
}  # fmt: skip
END_WITHIN = 90.0


@dataclass
class Tally:
    """What was seen."""

    kills: dict[str, int] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)  # asset id → sha256, acknowledged by `complete`
    wrong_bytes: int = 0
    viewed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def patient(call: Any, *, until: float) -> Any:
    """Call until it gives something, as a client that retries would."""
    while True:
        try:
            result = call()
            if result is not None:
                return result
        except (urllib3.exceptions.HTTPError, OSError, KeyError, AssertionError, json.JSONDecodeError):
            pass
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(0.3)


def upload(api: Api, project_id: str, film: bytes, number: int, tally: Tally, until: float) -> None:
    """One upload by parts; every call is repeated until it is acknowledged."""
    data = film + secrets.token_bytes(16)

    def call(method: str, path: str, body: Any) -> Any:
        status, answer = api.call(method, path, body)
        return answer if status < 300 else None

    mapping = {"projectId": project_id, "title": f"film {number}"}
    begin = {
        "projectId": project_id,
        "name": f"{number}.mp4",
        "size": len(data),
        "type": "video/mp4",
        "mapping": mapping,
    }
    made = patient(lambda: call("POST", "/api/presign", begin), until=until)
    size = made["partSize"]
    for index, at in enumerate(range(0, len(data), size), 1):
        piece = data[at : at + size]
        wanted = {"parts": [{"number": index, "size": len(piece), "sha256": hashlib.sha256(piece).hexdigest()}]}

        def send(wanted: Any = wanted, piece: bytes = piece) -> Any:
            signed = call("POST", f"/api/uploads/{made['uploadId']}/parts", wanted)
            return True if signed and api.put(signed["parts"][0], piece) == 200 else None

        patient(send, until=until)
    done = patient(lambda: call("POST", f"/api/uploads/{made['uploadId']}/complete", {}), until=until)
    with tally.lock:
        tally.sent[done["assetId"]] = hashlib.sha256(data).hexdigest()


def view(api: Api, tally: Tally, stop: threading.Event, dice: random.Random) -> None:
    """Fetch segments of ready films; the same address must always give the same bytes."""
    digests: dict[str, str] = {}
    while not stop.wait(0.2):
        try:
            with tally.lock:
                assets = list(tally.sent)
            if not assets:
                continue
            hls = api.version(dice.choice(assets))["playback"]["hls"]
            if not hls:
                continue
            url = hls.replace("master.m3u8", f"v180/0000{dice.randrange(2)}.m4s")
            answer = api.http.request("GET", url, preload_content=True)
            if answer.status != 200:
                continue
            name, digest = url.partition("/v/")[2].partition("/")[2], hashlib.sha256(answer.data).hexdigest()
            with tally.lock:
                tally.viewed += 1
                tally.wrong_bytes += digests.setdefault(name, digest) != digest
        except (urllib3.exceptions.HTTPError, OSError, AssertionError, json.JSONDecodeError, KeyError):
            continue


def kill_something(running: Running, dice: random.Random, tally: Tally) -> None:
    """SIGKILL to every process of one kind."""
    kind = dice.choice(sorted(TARGETS))
    for pid in descendants(running.pid):
        try:
            if TARGETS[kind] in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
        except OSError:
            continue
    tally.kills[kind] = tally.kills.get(kind, 0) + 1


def outcome(running: Running, api: Api, tally: Tally) -> dict[str, float]:
    """Wait for every acknowledged upload to end, then count."""
    lost = stuck = 0
    begun = time.monotonic()
    for asset_id, sha in tally.sent.items():
        try:

            def ended(asset_id: str = asset_id) -> Any:
                status, answer = api.call("GET", f"/api/assets/{asset_id}/proxy-status")
                return answer if status == 200 and answer["state"] in ("complete", "error") else None

            final = patient(ended, until=begun + END_WITHIN)
            version = api.version(asset_id)
            lost += final["state"] != "complete" or version["sha256"] != sha or not version["lock"]
        except TimeoutError:
            stuck += 1
    return {
        "lost": lost,
        "stuck": stuck,
        "double": doubles(running),
        "slowest_end_s": round(time.monotonic() - begun, 1),
    }


def doubles(running: Running) -> int:
    """Masters stored more than once, by the storage's own listing."""
    from app.core.settings import StorageSettings, load
    from app.core.storage import Storage

    class Bootstrap(StorageSettings):
        ROLES = ("bootstrap",)

    storage = Storage(load(Bootstrap, running.environment))
    pages = storage["bootstrap"].get_paginator("list_object_versions").paginate(Bucket=storage.bucket("masters"))
    keys = [entry["Key"] for page in pages for entry in page.get("Versions", [])]
    return len(keys) - len(set(keys))


def measure(seed: int, uploads: int, viewers: int, kills: int) -> dict[str, float]:
    """Run it all on an instance of its own."""
    dice, tally, stop = random.Random(seed), Tally(), threading.Event()
    with tempfile.TemporaryDirectory(prefix="rushes-kill-") as folder:
        running = Running(Path(folder) / "instance", "--no-demo").start()
        try:
            film = write_film(Path(folder) / "film.mp4", frames=150, size=(320, 180)).read_bytes() + bytes(9_000_000)
            api = Api(running.url, running.api_token)
            until = time.monotonic() + 60 + 15 * uploads
            with ThreadPoolExecutor(4 + viewers) as pool:
                watching = [pool.submit(view, api, tally, stop, random.Random(seed + n)) for n in range(viewers)]
                sending = [pool.submit(upload, api, running.project_id, film, n, tally, until) for n in range(uploads)]
                while not all(future.done() for future in sending) or sum(tally.kills.values()) < kills:
                    time.sleep(dice.uniform(1, 5))
                    kill_something(running, dice, tally)
                try:
                    for future in sending:
                        future.result()
                    figures = outcome(running, api, tally)
                finally:
                    stop.set()
                for future in watching:
                    future.result()
        finally:
            stop.set()
            running.stop()
    return {**figures, "wrong_bytes": tally.wrong_bytes, "kills": sum(tally.kills.values()), "views": tally.viewed,
            "uploads": len(tally.sent), "seed": seed}  # fmt: skip


def main() -> None:
    """Print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--uploads", type=int, default=20)
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--kills", type=int, default=20, help="at least so many, builds included")
    args = parser.parse_args()
    figures = measure(args.seed, args.uploads, args.viewers, args.kills)
    for name, value in figures.items():
        print(f"{name:<16} {value:>8}")
    print(json.dumps({"bench": "kill", "figures": figures}))


if __name__ == "__main__":
    main()
