"""A client of the public API, as anybody could write one: uploads by presigned parts, follows an asset.

Design 5 has the contract. Parts are hashed as they are sent, four are in flight, an address that has
expired is asked for again, and what the server has already is not sent twice.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import urllib3

from app.core.errors import Denied, NotFound, Rejected, RushesError, Unauthenticated, Unavailable

IN_FLIGHT = 4
_READ = 1024 * 1024
_TRIES = 4
#: Sent bytes so far, all bytes.
Progress = Callable[[int, int], None]
_ERRORS: dict[int, type[RushesError]] = {401: Unauthenticated, 403: Denied, 404: NotFound}


@dataclass(frozen=True)
class Uploaded:
    """What `complete` answered: the upload, and the asset and version that it became."""

    upload_id: str
    asset_id: str | None
    version_id: str | None


@dataclass(frozen=True)
class _Part:
    number: int
    offset: int
    size: int
    sha256: str


class Client:
    """Speaks to one Rushes at `url` with a bearer token. Thread-safe."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token
        timeout = urllib3.Timeout(connect=5, read=300)
        self._http = urllib3.PoolManager(maxsize=IN_FLIGHT + 1, timeout=timeout, retries=False, blocksize=_READ)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One request to the API; its JSON, None when empty. Raises the typed error of the answer."""
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        answer = self._send(method, urljoin(self._url, path), headers, data)
        if answer.status >= 400:
            raise _error(answer)
        return json.loads(answer.data) if answer.data else None

    def upload(
        self,
        path: Path,
        project_id: str,
        *,
        title: str | None = None,
        upload_id: str | None = None,
        on_progress: Progress = lambda _sent, _all: None,
        on_begun: Callable[[str], None] = lambda _id: None,
    ) -> Uploaded:
        """Send a file as a new asset of a project; goes on with `upload_id` where that one stopped.

        `on_begun` is told the id as soon as there is one. Raises Rejected, Denied, NotFound or Unavailable.
        """
        upload = self.call("GET", f"/api/uploads/{upload_id}") if upload_id else None
        if upload is None:
            upload = self.call("POST", "/api/presign", _presign(path, project_id, title))
            on_begun(upload["uploadId"])
        identity = str(upload["uploadId"])
        # A completed one only has to say again what became of it.
        claim = {} if upload.get("state") == "completed" else {"sha256": self._send_parts(path, upload, on_progress)}
        done = self.call("POST", f"/api/uploads/{identity}/complete", claim)
        return Uploaded(identity, done.get("assetId"), done.get("versionId"))

    def _send_parts(self, path: Path, upload: Mapping[str, Any], on_progress: Progress) -> str:
        """Send what is not stored yet; the digest of the whole."""
        size, sent, whole = path.stat().st_size, 0, hashlib.sha256()
        stored = {part["number"]: part.get("sha256") for part in upload.get("parts", ()) if part.get("sha256")}
        with path.open("rb") as file, ThreadPoolExecutor(IN_FLIGHT) as pool:
            for batch in _batches(file, size, int(upload["partSize"]), whole):
                missing = [part for part in batch if stored.get(part.number) != part.sha256]
                for task in [pool.submit(self._put, path, str(upload["uploadId"]), part) for part in missing]:
                    task.result()
                sent += sum(part.size for part in batch)
                on_progress(sent, size)
        return whole.hexdigest()

    def follow(
        self, asset_id: str, on_status: Callable[[dict[str, Any]], None], *, limit: float = 3600
    ) -> dict[str, Any]:
        """Ask for `proxy-status` until it is complete or in error; the last answer.

        Raises Unavailable after `limit` seconds.
        """
        end = time.monotonic() + limit
        while time.monotonic() < end:
            status: dict[str, Any] = self.call("GET", f"/api/assets/{asset_id}/proxy-status")
            on_status(status)
            if status["state"] in ("complete", "error"):
                return status
            time.sleep(0.5)
        raise Unavailable("still_processing", "The previews are not complete yet; the page of the asset shows more.")

    def _put(self, path: Path, upload_id: str, part: _Part) -> None:
        claim = {"number": part.number, "size": part.size, "sha256": part.sha256}
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(2.0**attempt / 2)
            (signed,) = self.call("POST", f"/api/uploads/{upload_id}/parts", {"parts": [claim]})["parts"]
            headers = {**signed.get("headers", {}), "Content-Length": str(part.size)}
            try:
                answer = self._send(
                    "PUT", urljoin(self._url, signed["url"]), headers, _Slice(path, part.offset, part.size)
                )
            except Unavailable:
                continue
            if answer.status == 200:
                return
            if answer.status not in (403, 408, 429, 500, 502, 503, 504):
                break
        raise Unavailable("part_not_stored", f"Part {part.number} of {path.name} could not be stored; try again.")

    def _send(self, method: str, url: str, headers: dict[str, str], body: Any) -> urllib3.BaseHTTPResponse:
        try:
            return self._http.request(method, url, headers=headers, body=body)
        except urllib3.exceptions.HTTPError as error:
            where = url.partition("?")[0]  # behind it are signatures
            raise Unavailable("no_answer", f"{method} {where}: no answer ({type(error).__name__}).") from None


class _Slice:
    """A part of a file as something to send, so that it is never in memory whole."""

    def __init__(self, path: Path, offset: int, size: int) -> None:
        self._file = path.open("rb")
        self._file.seek(offset)
        self._left = size

    def read(self, amount: int = -1) -> bytes:
        """At most `amount` bytes; none at the end of the part."""
        wanted = self._left if amount < 0 else min(amount, self._left)
        data = self._file.read(wanted) if wanted else b""
        self._left -= len(data)
        if not data:
            self._file.close()
        return data


def _presign(path: Path, project_id: str, title: str | None) -> dict[str, Any]:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    mapping = {"projectId": project_id, "title": title or path.stem}
    return {"projectId": project_id, "name": path.name, "size": path.stat().st_size, "type": kind, "mapping": mapping}


def _batches(file: Any, size: int, part_size: int, whole: Any) -> Iterator[list[_Part]]:
    """Parts with their digests, IN_FLIGHT at a time; `whole` is fed with all bytes on the way."""
    batch: list[_Part] = []
    for number, offset in enumerate(range(0, size, part_size), 1):
        length, digest = min(part_size, size - offset), hashlib.sha256()
        left = length
        while left:
            data = file.read(min(_READ, left))
            if not data:
                raise Rejected("file_changed", "The file became shorter while it was sent.")
            digest.update(data)
            whole.update(data)
            left -= len(data)
        batch.append(_Part(number, offset, length, digest.hexdigest()))
        if len(batch) == IN_FLIGHT:
            yield batch
            batch = []
    if batch:
        yield batch


def _error(answer: urllib3.BaseHTTPResponse) -> RushesError:
    try:
        problem = json.loads(answer.data)
        code, sentence = str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        code, sentence = f"http_{answer.status}", f"The server answered {answer.status}."
    kind = Unavailable if answer.status >= 500 else _ERRORS.get(answer.status, Rejected)
    return kind(code, sentence)
