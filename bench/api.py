"""bin/bench api: how long the calls of the API take over 10,000 assets.

A whole instance with one project of 10,000 assets (each with a version, a locked master, a preview and ten
comments), made by SQL; nothing of it lies in S3, and no call reads it there. A client with one kept connection goes
through the front door and makes the five calls in turns, on random assets and random pages of fifty. Times are the
client's, from the first byte sent to the last one read. Presign opens a multipart upload in S3, and posts are
committed; both grow what is there. Figures, in milliseconds, each of 400 calls:

{call}_p50_ms, {call}_p95_ms   of presign, assets (a page), asset, comments (a page), post_comment
p95_ms_max                     the greatest of the five
"""

from __future__ import annotations

import hashlib
import http.client
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.running import Running  # noqa: E402

_ASSETS, _COMMENTS, _ROUNDS, _WARM = 10_000, 10, 400, 30
_FRAMES = 1500

#: One statement a table; `n` numbers the assets. Ids are made of md5, so that each table finds the others' rows.
_SEED = """
create temporary table seed as
  select n, md5('d' || n) || md5('e' || n) as digest, now() - n * interval '1 minute' as made
  from generate_series(1, %(assets)s) n;
insert into masters (id, created_at, organization_id, sha256, size, key, etag, composite_sha256, part_size, lock_mode,
    retain_until, legal_hold, verified_at, manifest_key)
  select md5('m' || n)::uuid, made, %(house)s, digest, 5e8, 'sha256/' || digest, 'e', 'c-1', 8388608, 'GOVERNANCE',
    now() + interval '1 day', false, now(), 'manifest' from seed;
insert into previews (id, created_at, organization_id, sha256, media, state, build, plan, probe, rate_num, rate_den,
    frame_count, start_frame, drop_frame, has_poster, progress)
  select md5('p' || n)::uuid, made, %(house)s, digest, digest, 'ready', 'abcdefghijkl',
    jsonb_build_object('has_timeline', true), %(probe)s, 25, 1, %(frames)s, 0, false, true, 100 from seed;
insert into assets (id, created_at, project_id, title, created_by)
  select md5('a' || n)::uuid, made, %(project)s, 'Reel ' || n, %(user)s from seed;
insert into versions (id, created_at, asset_id, number, file_name, size, sha256, state, master_id, preview_id,
    created_by)
  select md5('v' || n)::uuid, made, md5('a' || n)::uuid, 1, 'reel_' || n || '.mov', 5e8, digest, 'promoted',
    md5('m' || n)::uuid, md5('p' || n)::uuid, %(user)s from seed;
insert into comments (id, created_at, asset_id, version_id, author_id, frame_in, body)
  select gen_random_uuid(), made, md5('a' || n)::uuid, md5('v' || n)::uuid, %(user)s, (k * 37) %% %(frames)s,
    'The third remark of somebody about a frame that could be brighter.'
  from seed, generate_series(1, %(comments)s) k;
"""
_PROBE = {
    "container": "mov", "kind": "video", "duration": 60.0, "rate": "25/1",
    "video": {"codec": "prores", "width": 1920, "height": 1080, "pixel_format": "yuv422p10le"},
    "audio": [{"codec": "pcm_s24le", "channels": 2, "sample_rate": 48000}],
}  # fmt: skip


def main() -> None:
    """Start an instance, fill it, measure, print a table and one line of JSON."""
    folder = Path(tempfile.mkdtemp(prefix="rushes-bench-"))
    running = Running(folder / "instance", "--no-demo", environment={"API_RATE_PER_MINUTE": "1000000"})
    try:
        running.start(within=600)
        figures = _measure(running)
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)
    for name, value in figures.items():
        print(f"  {name:<20} {value:8.2f}")
    print(json.dumps({"bench": "api", "figures": figures}))


def _measure(running: Running) -> dict[str, float]:
    _seed(running)
    client = _Client(running.url, running.api_token)
    chance = random.Random(4)
    cursors = _cursors(client, running.project_id)
    assets = [_uuid("a", chance.randint(1, _ASSETS)) for _ in range(_ROUNDS + _WARM)]
    taken: dict[str, list[float]] = {}
    for number, asset_id in enumerate(assets):
        for name, seconds in _round(client, running.project_id, asset_id, chance.choice(cursors), number).items():
            if number >= _WARM:
                taken.setdefault(name, []).append(seconds * 1000)
    figures: dict[str, float] = {}
    for name, values in taken.items():
        cuts = statistics.quantiles(values, n=100)
        figures |= {f"{name}_p50_ms": round(cuts[49], 2), f"{name}_p95_ms": round(cuts[94], 2)}
    figures["p95_ms_max"] = max(value for name, value in figures.items() if name.endswith("_p95_ms"))
    return figures


def _round(client: _Client, project_id: str, asset_id: str, cursor: str, number: int) -> dict[str, float]:
    """Each call once; seconds by name."""
    part = {"number": 1, "size": 8_388_608, "sha256": f"{number:064x}"}
    upload = {"projectId": project_id, "name": f"{number}.mov", "size": 100_000_000, "parts": [part]}
    taken = {}
    _, taken["presign"] = client.call("POST", "/api/presign", upload, 201)
    page, taken["assets"] = client.call("GET", f"/api/assets?projectId={project_id}&limit=50&cursor={cursor}")
    assert len(page["items"]) == 50
    asset, taken["asset"] = client.call("GET", f"/api/assets/{asset_id}")
    version_id = asset["versions"][0]["id"]
    comments, taken["comments"] = client.call("GET", f"/api/comments?versionId={version_id}&limit=50")
    assert len(comments["items"]) >= _COMMENTS
    remark = {"versionId": version_id, "frameIn": number % _FRAMES, "body": "Brighter, please."}
    _, taken["post_comment"] = client.call("POST", "/api/comments", remark, 201)
    return taken


class _Client:
    """One kept connection to the front door."""

    def __init__(self, url: str, token: str) -> None:
        where = urlsplit(url)
        self._connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: object = None, expected: int = 200) -> tuple[Any, float]:
        """The JSON of the answer, and the seconds that it took."""
        data = None if body is None else json.dumps(body).encode()
        begun = time.perf_counter()
        self._connection.request(method, path, data, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        taken = time.perf_counter() - begun
        assert answer.status == expected, (path, answer.status, text[:500])
        return json.loads(text), taken


def _cursors(client: _Client, project_id: str) -> list[str]:
    """Cursors all over the list, each with a whole page behind it."""
    found, path = [], f"/api/assets?projectId={project_id}&limit=200"
    cursor = None
    while True:
        page, _ = client.call("GET", path if cursor is None else f"{path}&cursor={cursor}")
        cursor = page["nextCursor"]
        if cursor is None:
            return found
        found.append(cursor)


def _seed(running: Running) -> None:
    with psycopg.connect(running.database_url(), autocommit=True) as connection:
        row = connection.execute(
            "select p.organization_id, u.id from projects p join users u using (organization_id) where p.id = %s",
            (running.project_id,),
        ).fetchone()
        assert row is not None
        values = {
            "assets": _ASSETS, "comments": _COMMENTS, "frames": _FRAMES, "house": row[0], "user": row[1],
            "project": running.project_id, "probe": json.dumps(_PROBE),
        }  # fmt: skip
        cursor = psycopg.ClientCursor(connection)  # several statements at once need values put in by the client
        cursor.execute(_SEED, values)
        cursor.execute("analyze")


def _uuid(letter: str, number: int) -> str:
    return str(uuid.UUID(hashlib.md5(f"{letter}{number}".encode()).hexdigest()))


if __name__ == "__main__":
    main()
