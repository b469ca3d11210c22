"""A small server that keeps the review room's promises: its pages from the real templates, media behind tokens in
the path that end when the test says so, comments that are stored or refused."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace as View
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from review_media import Film

from app.core.timecode import Timecode

ROOT = Path(__file__).parents[2]
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".jpg": "image/jpeg",
         ".m3u8": "application/vnd.apple.mpegurl", ".m4s": "video/mp4", ".mp4": "video/mp4",
         ".vtt": "text/vtt", ".json": "application/json"}  # fmt: skip
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "media-src 'self' blob:; worker-src 'self'; form-action 'self'; base-uri 'none'"
)


class Room:
    """What the server knows, and what the test changes while the page is open."""

    def __init__(self, media: Path, films: dict[str, Film]) -> None:
        self.media = media
        self.films = films
        self.ready = True
        self.status = View(
            code="ready",
            word="Ready",
            kind="ok",
            icon="done",
            detail="",
            progress=None,
            settled=True,
            retry=False,
        )
        self.comments: list[dict[str, Any]] = []
        self.posted: list[dict[str, str]] = []
        self.post_status = 200
        self.poll_delay = 0.0
        self.serial = itertools.count()
        self.valid: set[str] = set()
        self.revoked = False
        self.asked = 0  # for playback
        self.refused = 0  # media requests with a token that has ended
        self.start = 0
        self.mp4_only = False
        self.tracks: dict[str, str] = {}  # file names of the storyboard and the waveform, as soon as they exist
        self.built: int | None = None  # segments of a preview that is still being built
        self.lock: View | None = View(retain_until=datetime(2031, 3, 2, tzinfo=UTC))
        self.env = Environment(loader=FileSystemLoader(ROOT / "templates"), autoescape=True, undefined=StrictUndefined)
        self.env.filters["when"] = _when
        user = View(is_admin=False, is_authenticated=True, name="Lewis Obi", email="lewis@example.org", initials="LO")
        self.env.globals.update(
            url_for=_url_for, csrf_token=lambda: "token", asset_url=lambda path: f"/static/{path}", current_user=user,
            get_flashed_messages=lambda **_: [], request=View(query_string=b"", args={}),
        )  # fmt: skip

    def token(self) -> str:
        token = f"{int(time.time()) + 900}.m{next(self.serial):013d}.k1.c2ln"
        self.valid.add(token)
        return token

    def playback(self, name: str) -> tuple[int, dict[str, Any]]:
        self.asked += 1
        if self.revoked:
            return 404, {}
        token = self.token()
        hls = None if self.mp4_only else f"/v/{token}/{name}/master.m3u8"
        tracks = {kind: f"/v/{token}/{name}/{file}" for kind, file in self.tracks.items()}
        return 200, {"hls": hls, "mp4": f"/v/{token}/{name}/proxy.mp4", "poster": None, "storyboard": None,
                     "waveform": None, "token": token, "expiresIn": 900, **tracks}  # fmt: skip

    def growing(self, file: Path) -> str | None:
        """The text of a playlist while only the first `built` segments of the smallest rendition and of the sound
        exist; the other playlists do not (None)."""
        if file.name == "master.m3u8":
            return file.read_text().replace("v180.m3u8", "v180.live.m3u8").replace("audio.m3u8", "audio.live.m3u8")
        done = file.with_name(file.name.replace(".live.", ".")).read_text()
        if not file.name.endswith(".live.m3u8"):
            return done if self.built == 99 else None
        head, *segments = done.replace("#EXT-X-ENDLIST\n", "").split("#EXTINF")
        text = "#EXTINF".join([head.replace("VOD", "EVENT"), *segments[: self.built]])
        return text + ("#EXT-X-ENDLIST\n" if self.built == 99 else "")

    def add(self, frame: int, body: str, *, author: str = "Aiko Sandoval", minutes: int = 7, **more: Any) -> None:
        """Stores a comment, written `minutes` ago; `more` may say mine, guest, frame_out."""
        facts = {"frame_out": None, "mine": False, "guest": False, **more}
        created = datetime.now(UTC) - timedelta(minutes=minutes)
        comment = {
            "id": f"c{next(self.serial)}",
            "frame_in": frame,
            "body": body,
            "author": author,
            "created": created,
        }
        self.comments.append(comment | facts)
        self.comments.sort(key=lambda comment: comment["frame_in"])

    def context(self, name: str, first: int = 0, error: str | None = None, draft: str = "") -> dict[str, Any]:
        film = self.films[name]
        drop = film.rate.denominator == 1001
        preview = View(state="ready" if self.built in (None, 99) else "playable", progress=None, reason=None)
        version = View(id=f"version-{name}", number=2, file_name="northbound_r2_v2.mov", status=self.status,
                       lock=self.lock, error=None, preview=preview)  # fmt: skip
        path = f"/assets/{name}/review"
        room = View(asset_id=name, title="Reel 2, grade", project=View(name="Northbound", href="/project"),
                    version=version, versions=[(2, f"{path}?v=2", True), (1, f"{path}?v=1", False)],
                    rate_num=film.rate.numerator, rate_den=film.rate.denominator, frame_count=film.frames,
                    start_frame=self.start, drop_frame=drop, width=640, height=360, has_audio=True, ready=self.ready,
                    growing=self.built not in (None, 99),
                    playback_href=f"{path}/playback?v=2", poster=None, first_frame=first, can_comment=True, notes=True,
                    links=self._links(path))  # fmt: skip
        return {"room": room, "comments": [self._comment(name, c) for c in self.comments], "comment_error": error,
                "comment_draft": draft, "frame_in": first}  # fmt: skip

    def _comment(self, name: str, comment: dict[str, Any]) -> View:
        initials = "".join(word[0] for word in comment["author"].split())
        label = self.timecode(name).label
        return View(**comment, initials=initials, timecode=label(comment["frame_in"]),
                    timecode_out=None if comment["frame_out"] is None else label(comment["frame_out"]),
                    href=f"/assets/{name}/review?v=2&f={comment['frame_in']}#comment-{comment['id']}",
                    can_delete=comment["mine"], delete_href=f"/comments/{comment['id']}/delete")  # fmt: skip

    def _links(self, path: str) -> View:
        return View(comments=f"{path}/comments?v=2", preview_status=f"{path}/preview-status?v=2",
                    post=f"{path}/comments?v=2", facts="/facts", retry="/retry")  # fmt: skip

    def timecode(self, name: str) -> Timecode:
        film = self.films[name]
        return Timecode(film.rate, film.rate.denominator == 1001, self.start)

    def page(self, name: str, **context: Any) -> str:
        return self.env.get_template("review/show.html").render(self.context(name, **context))

    def fragment(self, block: str, name: str, **context: Any) -> str:
        template = self.env.get_template("review/show.html")
        return "".join(template.blocks[block](template.new_context(self.context(name, **context))))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    room: Room

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        parts = url.path.split("/")
        if parts[1] == "static":
            return self._file(ROOT / url.path[1:])
        if parts[1] == "v":
            return self._media(parts[2], "/".join(parts[3:]))
        if parts[1] != "assets" or parts[2] not in self.room.films:
            return self._send(404, b"", "text/plain")
        return self._asset(parts[2], "/".join(parts[3:]), int(parse_qs(url.query).get("f", ["0"])[0]))

    def _asset(self, name: str, rest: str, first: int) -> None:
        if rest == "review/playback":
            status, playback = self.room.playback(name)
            return self._send(status, json.dumps(playback).encode(), "application/json")
        if rest == "review/comments":
            text = self.room.fragment("comments", name)
            time.sleep(self.room.poll_delay)
        elif rest == "review/preview-status":
            text = self.room.fragment("preview_status", name)
        else:
            text = self.room.page(name, first=first)
        return self._send(200, text.encode(), "text/html; charset=utf-8")

    def do_POST(self) -> None:
        form = {
            key: values[0]
            for key, values in parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).items()
        }
        parts = urlsplit(self.path).path.split("/")
        assert form["csrf_token"] == "token"
        name = parts[2] if parts[1] == "assets" else next(iter(self.room.films))
        if parts[1] == "comments":
            self.room.comments = [comment for comment in self.room.comments if comment["id"] != parts[2]]
            return self._send(200, self.room.fragment("comments", name).encode(), "text/html; charset=utf-8")
        return self._post_comment(name, form)

    def _post_comment(self, name: str, form: dict[str, str]) -> None:
        self.room.posted.append(form)
        if self.room.post_status != 200:
            error = self.room.fragment("comment_error", name, error="Write at most 10 characters.")
            return self._send(self.room.post_status, error.encode(), "text/html; charset=utf-8")
        self.room.add(int(form["frame_in"]), form["body"], author="Lewis Obi", mine=True, minutes=0)
        if self.headers["HX-Request"]:
            return self._send(200, self.room.fragment("comments", name).encode(), "text/html; charset=utf-8")
        return self._send(303, b"", "text/plain", {"Location": f"/assets/{name}/review?v=2&f={form['frame_in']}"})

    def _media(self, token: str, rest: str) -> None:
        if token not in self.room.valid:
            self.room.refused += 1
            return self._send(410, b"", "text/plain")
        file = self.room.media / rest
        if self.room.built is None or file.suffix != ".m3u8":
            return self._file(file)
        text = self.room.growing(file)
        return self._send(404, b"", "text/plain") if text is None else self._send(200, text.encode(), TYPES[".m3u8"])

    def _file(self, file: Path) -> None:
        if not file.is_file():
            return self._send(404, b"", "text/plain")
        body = file.read_bytes()
        if not (wanted := self.headers["Range"]):
            return self._send(200, body, TYPES[file.suffix], {"Accept-Ranges": "bytes"})
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        part = body[int(first) : int(last) + 1 if last else None]
        span = f"bytes {first}-{int(first) + len(part) - 1}/{len(body)}"
        return self._send(206, part, TYPES[file.suffix], {"Content-Range": span})

    def _send(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        fixed = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Content-Security-Policy": CSP,
            "Cache-Control": "no-store",
        }
        for name, value in {**fixed, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def serve(room: Room) -> Iterator[str]:
    """Serves `room` on a free port of loopback; gives the origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("RoomHandler", (Handler,), {"room": room}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _when(moment: datetime) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(), moment.strftime("%Y-%m-%d %H:%M"))


def _url_for(endpoint: str, **values: Any) -> str:
    if endpoint == "review.delete_comment":
        return f"/comments/{values['comment_id']}/delete"
    if endpoint.startswith("review."):
        rest = {
            "review.post_comment": "comments",
            "review.comments": "comments",
            "review.preview_status": "preview-status",
        }
        return f"/assets/{values['asset_id']}/review/{rest[endpoint]}?v=2"
    return f"/{endpoint}"
