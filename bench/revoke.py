"""bin/bench revoke: from the commit of a revocation to the first refusal at the edge.

A whole instance, one edge, 200 scopes of which each has played a hot object. Each scope is denied by a
transaction of its own, in a random order, while its viewer asks for the object again and again over a kept
connection; what counts is the time from the moment at which the commit is sent to the first answer that is not
200. Then 200 more are denied in one transaction, and media ids are purged. Three edges, 1,000 grants and a line
that is cut off are not measured yet. Figures:

revoke_p50_s       of 200 denials, one by one
revoke_p99_s       the same
revoke_max_s       the same
revoke_batch_s     200 scopes in one transaction, until the last of them is refused
purge_p99_s        of 50 media ids: from the commit until no file of it is in the cache
others_refused     answers but 200 to viewers who were not revoked; must be 0
"""

from __future__ import annotations

import http.client
import json
import os
import random
import secrets
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from app.core import signing  # noqa: E402
from app.core.settings import WorkerSettings, load  # noqa: E402
from app.core.storage import Storage  # noqa: E402
from app.workflows.deny_scope import deny_scopes  # noqa: E402
from app.workflows.purge_media import purge_media  # noqa: E402
from tests.support.running import Running  # noqa: E402

_SCOPES, _MEDIA, _BODY = 200, 50, os.urandom(100_000)
_GIVEN_UP = 30.0


def main() -> None:
    """Start an instance, measure, print a table and one line of JSON."""
    folder = Path(tempfile.mkdtemp(prefix="rushes-bench-"))
    running = Running(folder / "instance", "--no-demo").start(within=600)
    try:
        figures = Bench(running).run()
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)
    for name, value in figures.items():
        print(f"  {name:<16} {value:9.4f}")
    print(json.dumps({"bench": "revoke", "figures": figures}))


class Bench:
    """What is measured on one running instance."""

    def __init__(self, running: Running) -> None:
        self._port = int(running.state["ports"]["edge"])
        self._cache = running.folder / "edge"
        settings = load(WorkerSettings, running.environment)
        self._ring = _ring(running.state["edge_signing_key"])
        self._storage = Storage(settings)
        self._bucket = settings.bucket("previews")
        url = running.database_url().replace("postgresql://", "postgresql+psycopg://")
        self._engine = create_engine(url, pool_size=5)
        self._others_refused = 0

    def run(self) -> dict[str, float]:
        """All figures."""
        keys = [self._put() for _ in range(_MEDIA)]
        stays = Viewer(self._port, self._address(keys[0], signing.new_scope("v")))
        over = threading.Event()
        watching = threading.Thread(target=self._watch, args=(stays, over))
        watching.start()
        times = sorted(self._one_by_one(keys))
        batch = self._at_once(keys)
        purges = sorted(self._purge(key) for key in keys[1:])
        over.set()
        watching.join()
        return {
            "revoke_p50_s": statistics.median(times),
            "revoke_p99_s": times[int(len(times) * 0.99)],
            "revoke_max_s": times[-1],
            "revoke_batch_s": batch,
            "purge_p99_s": purges[-1],
            "others_refused": self._others_refused,
        }

    def _one_by_one(self, keys: list[str]) -> list[float]:
        viewers = self._viewers(keys)
        random.shuffle(viewers)
        return [self._denied([scope], [viewer]) for scope, viewer in viewers]

    def _at_once(self, keys: list[str]) -> float:
        scopes, viewers = zip(*self._viewers(keys), strict=True)
        return self._denied(list(scopes), list(viewers))

    def _viewers(self, keys: list[str]) -> list[tuple[str, Viewer]]:
        """A scope and its viewer, who has played twice: once through the guard, once by Caddy alone."""
        made = []
        for number in range(_SCOPES):
            scope = signing.new_scope("v")
            viewer = Viewer(self._port, self._address(keys[number % len(keys)], scope))
            for _ in range(2):
                assert viewer.ask() == 200
            made.append((scope, viewer))
        return made

    def _denied(self, scopes: list[str], viewers: list[Viewer]) -> float:
        moment = self._commit(lambda session: deny_scopes(session, scopes))
        for viewer in viewers:
            while viewer.ask() == 200:
                _check(moment)
            viewer.close()
        return time.monotonic() - moment

    def _purge(self, key: str) -> float:
        media = key.split("/")[1]
        assert (self._cache / "objects" / media).exists()
        moment = self._commit(lambda session: purge_media(session, [media]))
        while (self._cache / "objects" / media).exists():
            _check(moment)
        return time.monotonic() - moment

    def _commit(self, work: Callable[[Session], None]) -> float:
        with Session(self._engine) as session:
            work(session)
            moment = time.monotonic()
            session.commit()
        return moment

    def _watch(self, viewer: Viewer, over: threading.Event) -> None:
        while not over.wait(0.01):
            self._others_refused += viewer.ask() != 200

    def _put(self) -> str:
        key = f"hls/{secrets.token_hex(32)}/b0/v1080/00000.m4s"
        self._storage["gpu-writer"].put_object(Bucket=self._bucket, Key=key, Body=_BODY)
        return key

    def _address(self, key: str, scope: str) -> str:
        exp = signing.expiry(time.time(), 3600)
        return f"/v/{signing.mint(self._ring, scope=scope, media=key.split('/')[1], exp=exp)}/{key}"


class Viewer:
    """Asks for one object over one connection."""

    def __init__(self, port: int, path: str) -> None:
        self._connection = http.client.HTTPConnection("localhost", port, timeout=20)
        self._path = path

    def ask(self) -> int:
        """The status."""
        self._connection.request("GET", self._path)
        response = self._connection.getresponse()
        response.read()
        return response.status

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def _ring(value: str) -> signing.KeyRing:
    import base64

    pairs = (entry.split(":") for entry in value.split(","))
    return signing.KeyRing({kid: base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4)) for kid, secret in pairs})


def _check(moment: float) -> None:
    if time.monotonic() - moment > _GIVEN_UP:
        raise SystemExit(f"not refused after {_GIVEN_UP:.0f} s")


if __name__ == "__main__":
    main()
