"""A small client of the public API, and people to sign in as."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

import urllib3

from tests.support.running import Running

MIB = 1024 * 1024


class Api:
    """Calls with a bearer token; answers are (status, JSON or None)."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url, self.token = url, token
        self.http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=3, read=60), retries=False)

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """One call; `body` as JSON."""
        sent = dict(headers or {})
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        data = None
        if body is not None:
            data, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        answer = self.http.request(method, self.url + path, body=data, headers=sent, redirect=False)
        kind = answer.headers.get("Content-Type", "")
        return answer.status, json.loads(answer.data) if "json" in kind and answer.data else None

    def send(
        self,
        data: bytes,
        *,
        project_id: str,
        name: str = "film.mp4",
        title: str | None = None,
        mapping: bool = True,
        sha256: str | None = None,
    ) -> dict[str, Any]:
        """Upload by parts as a browser would; returns what `complete` says."""
        body: dict[str, Any] = {"projectId": project_id, "name": name, "size": len(data), "type": "video/mp4"}
        if mapping:
            body["mapping"] = {"projectId": project_id, **({"title": title} if title else {})}
        status, upload = self.call("POST", "/api/presign", body)
        assert status == 201, upload
        self.send_parts(upload, data)
        status, done = self.call(
            "POST", f"/api/uploads/{upload['uploadId']}/complete", {"sha256": sha256} if sha256 else {}
        )
        assert status == 200, done
        return {**done, "uploadId": upload["uploadId"]}

    def send_parts(self, upload: dict[str, Any], data: bytes) -> None:
        """PUT every part where the API says."""
        size = upload["partSize"]
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        wanted = [
            {"number": n, "size": len(p), "sha256": hashlib.sha256(p).hexdigest()} for n, p in enumerate(pieces, 1)
        ]
        status, signed = self.call("POST", f"/api/uploads/{upload['uploadId']}/parts", {"parts": wanted})
        assert status == 200, signed
        for part, piece in zip(signed["parts"], pieces, strict=True):
            assert self.put(part, piece) == 200

    def put(self, part: dict[str, Any], data: bytes) -> int:
        """Send one part to its signed URL."""
        return self.http.request("PUT", part["url"], body=data, headers=part["headers"]).status

    def wait(
        self, asset_id: str, *, within: float = 60, until: tuple[str, ...] = ("complete", "error")
    ) -> dict[str, Any]:
        """Wait until the asset's proxy status is one of `until`."""
        end = time.monotonic() + within
        while True:
            status, body = self.call("GET", f"/api/assets/{asset_id}/proxy-status")
            assert status == 200, body
            if body["state"] in until:
                return dict(body)
            assert time.monotonic() < end, body
            time.sleep(0.2)

    def version(self, asset_id: str) -> dict[str, Any]:
        """The latest version of an asset."""
        status, body = self.call("GET", f"/api/assets/{asset_id}")
        assert status == 200, body
        return dict(body["versions"][0])


def client(stack: Running) -> Api:
    """The admin's client."""
    return Api(stack.url, stack.api_token)
