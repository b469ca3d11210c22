"""What the edge must not open: every way to bend an address that we know of."""

from __future__ import annotations

import base64
import secrets
import time

import pytest

from app.core.signing import new_scope
from tests.edge.harness import NEW, OLD_RING, RING, STRANGE_RING, Edge, media_id, token, url
from tests.edge.storage import S3
from tests.edge.wire import Wire

BODY = secrets.token_bytes(10_000)


@pytest.fixture(scope="module")
def media(s3: S3) -> str:
    """A media id with one object of several kinds."""
    media = media_id()
    for key in (
        f"hls/{media}/b0/v360/00000.m4s",
        f"mp4/{media}/b0/proxy.mp4",
        f"stills/{media}/b0/poster.jpg",
    ):
        s3.put(key, BODY)
    return media


@pytest.fixture(scope="module")
def segment(media: str) -> str:
    return f"hls/{media}/b0/v360/00000.m4s"


def exp_of(bearer: str) -> str:
    return bearer.partition(".")[0]


def test_a_right_address_opens(edge: Edge, segment: str) -> None:
    answer = edge.get(url(segment))
    assert (answer.status, answer.body) == (200, BODY)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers


def test_a_second_key_of_the_ring_verifies(edge: Edge, segment: str, media: str) -> None:
    assert edge.get(f"/v/{token(media, ring=OLD_RING)}/{segment}").status == 200


def altered(bearer: str) -> dict[str, str]:
    """Tokens that differ from a right one in one thing."""
    exp, scope, kid, signature = bearer.split(".")
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    # 43 characters hold 258 bits, a signature 256: the last two bits are ignored by a lax decoder.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    lax = signature[:-1] + alphabet[alphabet.index(signature[-1]) + 1]
    assert base64.urlsafe_b64decode(lax + "=") == base64.urlsafe_b64decode(signature + "=")
    return {
        "flipped signature": f"{exp}.{scope}.{kid}.{flipped}",
        "lower-case signature": f"{exp}.{scope}.{kid}.{signature.lower()}",
        "not canonical base64": f"{exp}.{scope}.{kid}.{lax}",
        "later exp": f"{int(exp) + 60}.{scope}.{kid}.{signature}",
        "other scope": f"{exp}.{new_scope('v')}.{kid}.{signature}",
        "scope raised": f"{exp}.d{scope[1:]}.{kid}.{signature}",
        "other key id": f"{exp}.{scope}.k1.{signature}",
        "unknown key id": f"{exp}.{scope}.k9.{signature}",
    }


@pytest.mark.parametrize("change", list(altered(token(media_id()))))
def test_an_altered_token_is_refused(edge: Edge, segment: str, media: str, change: str) -> None:
    bearer = token(media)
    assert edge.get(f"/v/{bearer}/{segment}").status == 200  # the right one is granted and hot
    answer = edge.get(f"/v/{altered(bearer)[change]}/{segment}")
    assert (answer.status, answer.body) == (403, b"")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_strange_key_is_refused(edge: Edge, segment: str, media: str) -> None:
    assert edge.get(f"/v/{token(media, ring=STRANGE_RING)}/{segment}").status == 403


def test_a_token_opens_no_other_media(edge: Edge, s3: S3, media: str) -> None:
    other = f"hls/{media_id()}/b0/v360/00000.m4s"
    s3.put(other, BODY)
    assert edge.get(f"/v/{token(media)}/{other}").status == 403


@pytest.mark.parametrize(
    ("letter", "kind", "status"),
    [("v", "mp4", 403), ("v", "stills", 200), ("d", "mp4", 200), ("m", "mp4", 200), ("x", "stills", 403)],
)
def test_the_scope_says_which_kinds_open(edge: Edge, media: str, letter: str, kind: str, status: int) -> None:
    key = {"mp4": f"mp4/{media}/b0/proxy.mp4", "stills": f"stills/{media}/b0/poster.jpg"}[kind]
    scope = letter + new_scope("v")[1:]
    assert edge.get(f"/v/{token(media, scope=scope)}/{key}").status == status


def test_a_granted_kind_opens_no_other_kind(edge: Edge, media: str) -> None:
    bearer = token(media)
    assert edge.get(f"/v/{bearer}/hls/{media}/b0/v360/00000.m4s").status == 200
    assert edge.get(f"/v/{bearer}/mp4/{media}/b0/proxy.mp4").status == 403


def test_an_expired_token_is_gone(edge: Edge, segment: str, media: str) -> None:
    answer = edge.get(f"/v/{token(media, life=-1)}/{segment}")
    assert answer.status == 410
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_granted_token_dies_in_the_second_of_its_exp(edge: Edge, segment: str, media: str) -> None:
    bearer = token(media, life=2)
    assert edge.get(f"/v/{bearer}/{segment}").status == 200
    while time.time() < int(exp_of(bearer)):
        time.sleep(0.02)
    assert edge.get(f"/v/{bearer}/{segment}").status == 410


def test_nobody_signs_for_longer_than_six_hours(edge: Edge, segment: str, media: str) -> None:
    assert edge.get(f"/v/{token(media, life=6 * 3600)}/{segment}").status == 200
    assert edge.get(f"/v/{token(media, life=6 * 3600 + 600)}/{segment}").status == 403


def bent(bearer: str, media: str) -> dict[str, bytes]:
    """Other spellings of a granted address, and addresses beside it, byte for byte."""
    right = f"/v/{bearer}/hls/{media}/b0/v360/00000.m4s"
    base = f"/v/{bearer}/hls/{media}"
    return {
        name: target.encode("latin-1")
        for name, target in {
            "dot dot": f"{base}/b0/../b0/v360/00000.m4s",
            "dot dot out": f"{base}/../../../../../etc/passwd",
            "encoded dots": f"{base}/b0/%2e%2e/b0/v360/00000.m4s",
            "half encoded dots": f"{base}/b0/.%2e/b0/v360/00000.m4s",
            "dots and encoded slash": f"{base}/b0/..%2fb0/v360/00000.m4s",
            "twice encoded": f"{base}/b0/%252e%252e/b0/v360/00000.m4s",
            "encoded slash": f"{base}/b0%2fv360/00000.m4s",
            "encoded slash after kind": f"/v/{bearer}/hls%2f{media}/b0/v360/00000.m4s",
            "encoded letter": right.replace("00000.m4s", "0000%30.m4s"),
            "encoded letter in the token": right.replace("/v/", "/v/%31", 1).replace("%311", "%31", 1),
            "encoded v": right.replace("/v/", "/%76/", 1),
            "double slash": right.replace("/b0/", "//b0/"),
            "double slash in front": "/" + right,
            "backslash": right.replace("/v360/", "\\v360\\"),
            "encoded backslash": right.replace("/v360/", "%5cv360%5c"),
            "encoded NUL": right + "%00",
            "encoded line feed": right + "%0a",
            "bare NUL": right + "\0",
            "dotfile": f"{base}/b0/.hidden",
            "dot folder": f"{base}/b0/./v360/00000.m4s",
            "glob": f"{base}/b0/v360/0000?.m4s",
            "star": f"{base}/b0/v360/*.m4s",
            "placeholder": f"{base}/b0/{{env.HOME}}/x",
            "encoded placeholder": f"{base}/b0/%7benv.HOME%7d/x",
            "upper-case media": right.replace(media, media.upper()),
            "upper-case kind": right.replace("/hls/", "/HLS/"),
            "upper-case v": right.replace("/v/", "/V/", 1),
            "folder": f"{base}/b0/v360",
            "folder with slash": f"{base}/b0/v360/",
            "only media": base,
            "trailing slash": right + "/",
            "query": right + "?x=1",
            "empty query": right + "?",
            "fragment": right + "#x",
            "too deep": f"{base}/b0/a/b/c/d/e",
            "not ASCII": f"{base}/b0/\xe4",
            "grants": f"/grants/{bearer.split('.')[1]}/{media}/{bearer}.hls/b0/v360/00000.m4s",
            "rewritten form": f"/{bearer.split('.')[1]}/{media}/{bearer}.hls/b0/v360/00000.m4s",
            "objects": f"/objects/{media}/hls/b0/v360/00000.m4s",
            "guard": "/healthz",
            "figures": "/metrics",
            "v alone": "/v",
            "v folder": "/v/",
        }.items()
    }


@pytest.mark.parametrize("form", list(bent(token("0" * 64), "a" * 64)))
def test_a_bent_address_opens_nothing(edge: Edge, media: str, segment: str, form: str) -> None:
    bearer = token(media)
    assert edge.get(f"/v/{bearer}/{segment}").status == 200
    assert edge.raw(bent(bearer, media)[form]) in (400, 404), form


def test_a_very_long_name_is_refused(edge: Edge, media: str) -> None:
    assert edge.get(f"/v/{token(media)}/hls/{media}/b0/{'x' * 300}").status in (400, 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND"])
def test_only_reading(edge: Edge, segment: str, method: str) -> None:
    assert edge.raw(url(segment).encode(), method.encode()) in (400, 404, 405)


def test_preflight(edge: Edge, segment: str) -> None:
    answer = edge.get(
        url(segment), "OPTIONS", {"Origin": "https://a.example", "Access-Control-Request-Headers": "range"}
    )
    assert answer.status == 204
    assert "Range" in answer.headers["access-control-allow-headers"]


def test_a_client_cannot_say_that_the_file_may_be_served(edge: Edge, segment: str, media: str) -> None:
    bearer = token(media, ring=STRANGE_RING)
    answer = edge.get(f"/v/{bearer}/{segment}", headers={"X-Edge-Serve": "1"})
    assert answer.status == 403
    assert "x-edge-serve" not in edge.get(url(segment)).headers


@pytest.mark.parametrize("host", [b"evil.example", b"localhost.evil.example", b"127.0.0.1.evil.example", b"10.0.0.1"])
def test_a_foreign_host_gets_no_media(edge: Edge, segment: str, host: bytes) -> None:
    assert edge.raw(url(segment).encode(), host=host) == 421
    assert edge.raw(b"/", host=host) == 421


@pytest.mark.parametrize("host", [b"localhost", b"localhost:9", b"127.0.0.1:65000", b"LOCALHOST", b"[::1]:80"])
def test_loopback_names_work_on_any_port(edge: Edge, segment: str, host: bytes) -> None:
    assert edge.raw(url(segment).encode(), host=host) == 200


def test_the_guard_refuses_by_itself(edge: Edge, segment: str, media: str) -> None:
    """Without Caddy before it: nothing rests on the checks of the Caddyfile alone."""
    right = url(segment)
    assert edge.guard(right).status == 200
    assert edge.guard(right, "POST").status == 405
    assert edge.guard(right.replace("/b0/", "//b0/")).status == 404
    assert edge.guard(right.replace("/b0/", "/b0/%2e%2e/")).status == 404
    assert edge.guard(f"/v/{token(media, life=-1)}/{segment}").status == 410
    assert edge.guard(f"/v/{token(media, ring=STRANGE_RING)}/{segment}").status == 403
    assert edge.guard(f"/v/{token(media, ring=STRANGE_RING)}/{segment}", headers={"X-Edge-Serve": "1"}).status == 403


def test_refusals_cost_no_read_of_the_storage(edge: Edge, wire: Wire, media: str) -> None:
    fresh = f"hls/{media}/b1/x.m4s"
    for ring in (STRANGE_RING, RING):
        edge.get(f"/v/{token(media, ring=ring, life=-1)}/{fresh}")
    edge.get(f"/v/{token(media, ring=STRANGE_RING)}/{fresh}")
    assert wire.count(fresh) == 0


def test_the_sockets_are_closed_to_others(edge: Edge) -> None:
    assert edge.run.stat().st_mode & 0o077 == 0
    assert (edge.run / "guard.sock").stat().st_mode & 0o077 == 0
    assert (edge.run / "caddy-admin.sock").stat().st_mode & 0o077 == 0
    assert edge.cache.stat().st_mode & 0o077 == 0


def test_keys_stay_out_of_caddys_environment(edge: Edge) -> None:
    from pathlib import Path

    environ = Path(f"/proc/{edge.child('caddy')}/environ").read_bytes()
    assert b"SIGNING" not in environ
    assert b"S3_EDGE_READER" not in environ
    assert base64.urlsafe_b64encode(NEW) not in environ
