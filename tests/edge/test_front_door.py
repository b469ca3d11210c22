"""The front door: pages to the web, presigned parts to S3, and nothing else of S3."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.edge.harness import Answer, Edge, media_id, url
from tests.edge.storage import S3, free_ports

PART = secrets.token_bytes(6 * 1024 * 1024)


@dataclass
class Upload:
    """A multipart upload that was begun in staging."""

    s3: S3
    key: str
    id: str

    def presigned(self, host: str, number: int = 1, body: bytes = PART) -> tuple[str, dict[str, str]]:
        """Path and headers of one part, with its digest and size signed, for the host a browser uses."""
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        address = self.s3.client("uploader", host).generate_presigned_url(
            "upload_part",
            Params={
                "Bucket": "staging", "Key": self.key, "UploadId": self.id, "PartNumber": number,
                "ChecksumSHA256": digest, "ContentLength": len(body),
            },
            ExpiresIn=300,
        )  # fmt: skip
        parts = urlsplit(address)
        return f"{parts.path}?{parts.query}", {"x-amz-checksum-sha256": digest}


@pytest.fixture
def upload(s3: S3) -> Upload:
    key = secrets.token_hex(16)
    begun = s3.client().create_multipart_upload(Bucket="staging", Key=key, ChecksumAlgorithm="SHA256")
    return Upload(s3, key, begun["UploadId"])


def put(front: Edge, upload: Upload, host: str, headers: Mapping[str, str] | None = None, body: bytes = PART) -> Answer:
    path, signed = upload.presigned(host, body=body)
    return front.get(path, "PUT", {"Host": host, **signed, **(headers or {})}, body)


@pytest.mark.parametrize("host", ["localhost:{port}", "127.0.0.1:{port}", "localhost:9999", "review.example"])
def test_a_presigned_part_goes_through(front: Edge, s3: S3, upload: Upload, host: str) -> None:
    name = host.format(port=front.port)
    more = {"Cookie": "session=secret", "Authorization": "Bearer x", "Origin": "http://a.example"}
    answer = put(front, upload, name, more)
    assert answer.status == 200, answer
    assert answer.headers["etag"]
    digest = base64.b64encode(hashlib.sha256(PART).digest()).decode()
    parts = [{"PartNumber": 1, "ETag": answer.headers["etag"], "ChecksumSHA256": digest}]
    s3.client().complete_multipart_upload(
        Bucket="staging", Key=upload.key, UploadId=upload.id, MultipartUpload={"Parts": parts}
    )
    assert s3.client().get_object(Bucket="staging", Key=upload.key)["Body"].read() == PART


def test_the_signed_digest_holds(front: Edge, upload: Upload) -> None:
    host = f"localhost:{front.port}"
    path, signed = upload.presigned(host)
    assert front.get(path, "PUT", {"Host": host, **signed}, b"x" * len(PART)).status == 400
    assert front.get(path, "PUT", {"Host": host}, PART).status == 403


def test_an_acl_is_cut_off(front: Edge, s3: S3, upload: Upload) -> None:
    assert put(front, upload, f"localhost:{front.port}", {"X-Amz-Acl": "public-read"}).status == 200


def test_a_copy_source_is_refused(front: Edge, upload: Upload) -> None:
    answer = put(front, upload, f"localhost:{front.port}", {"X-Amz-Copy-Source": "/masters/x"}, b"x")
    assert answer.status == 403


def test_a_foreign_host_is_refused(front: Edge, upload: Upload) -> None:
    assert put(front, upload, "evil.example", body=b"x").status == 421
    assert front.raw(b"/staging/x", host=b"evil.example") == 421


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST", "OPTIONS", "PATCH"])
def test_no_other_method_reaches_a_bucket(front: Edge, upload: Upload, method: str) -> None:
    path, _ = upload.presigned(f"localhost:{front.port}")
    assert front.get(path, method).status == 403


def test_even_the_administrators_signature_opens_nothing_else(front: Edge, s3: S3, upload: Upload) -> None:
    host = f"localhost:{front.port}"
    admin = s3.client("admin", host)
    asked = [
        ("get_object", {"Bucket": "staging", "Key": upload.key}),
        ("put_object", {"Bucket": "staging", "Key": upload.key}),
        ("delete_object", {"Bucket": "staging", "Key": upload.key}),
        ("list_objects_v2", {"Bucket": "staging"}),
        ("list_objects_v2", {"Bucket": "previews"}),
        ("get_object", {"Bucket": "previews", "Key": "canary"}),
        ("put_object", {"Bucket": "masters", "Key": "x"}),
        ("delete_bucket", {"Bucket": "staging"}),
        ("list_parts", {"Bucket": "staging", "Key": upload.key, "UploadId": upload.id}),
        ("abort_multipart_upload", {"Bucket": "staging", "Key": upload.key, "UploadId": upload.id}),
        ("upload_part", {"Bucket": "masters", "Key": upload.key, "UploadId": upload.id, "PartNumber": 1}),
    ]
    methods = {
        "get": "GET",
        "put": "PUT",
        "delete": "DELETE",
        "list": "GET",
        "abort": "DELETE",
        "upload": "PUT",
    }
    for operation, params in asked:
        parts = urlsplit(admin.generate_presigned_url(operation, Params=params))
        method = methods[operation.split("_")[0]]
        assert front.get(f"{parts.path}?{parts.query}", method, body=b"" if method == "PUT" else None).status == 403
    listed = urlsplit(admin.generate_presigned_url("list_buckets"))
    seen = front.get(f"/?{listed.query}")
    assert json.loads(seen.body)["path"].startswith("/?")  # the web got it, S3 did not


@pytest.mark.parametrize(
    "bend",
    [
        ("/staging/", "//staging//"),
        ("/staging/", "/staging//"),
        ("/staging/", "//staging/"),
        ("/staging/", "/staging%2f"),
        ("/staging/", "/%73taging/"),
        ("/staging/", "/staging/../staging/"),
        ("/staging/", "/staging/%2e%2e/staging/"),
        ("/staging/", "/x/../staging/"),
        ("/staging/", "/./staging/"),
        ("/staging/", "/masters/"),
        ("/staging/", "/staging/a/"),
        ("?", "/?"),
        ("?", "%20?"),
        ("?", "x?"),
        ("uploadId=", "uploadid="),
        ("partNumber=", "x="),
        ("X-Amz-Signature=", "X-Amz-Signature2="),
    ],
)
def test_a_bent_address_reaches_no_bucket(front: Edge, upload: Upload, bend: tuple[str, str]) -> None:
    host = f"localhost:{front.port}"
    path, signed = upload.presigned(host)
    bent = path.replace(*bend, 1)
    assert bent != path
    answer = front.get(bent, "PUT", {"Host": host, **signed}, PART[:1000])
    assert answer.status in (400, 403), (bent, answer)


def test_a_forged_parameter_breaks_the_signature(front: Edge, upload: Upload) -> None:
    host = f"localhost:{front.port}"
    path, signed = upload.presigned(host)
    for more in ("&acl", "&partNumber=2", "&x=1"):
        assert front.get(path + more, "PUT", {"Host": host, **signed}, PART).status in (400, 403)


def test_pages_reach_the_web_with_one_trusted_hop(front: Edge) -> None:
    forged = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    answer = front.get("/assets/1?v=2", "POST", forged, b"a=b")
    seen = json.loads(answer.body)
    assert (answer.status, seen["method"], seen["path"], seen["body"]) == (200, "POST", "/assets/1?v=2", 3)
    assert seen["headers"]["host"] == f"localhost:{front.port}"
    assert seen["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert seen["headers"]["x-forwarded-proto"] == "http"
    assert seen["headers"]["x-forwarded-host"] == f"localhost:{front.port}"
    assert "server" not in answer.headers or answer.headers["server"] != "Caddy"


def test_the_web_decides_about_hosts_of_pages(front: Edge) -> None:
    seen = json.loads(front.get("/", headers={"Host": "custom.example"}).body)
    assert seen["headers"]["host"] == "custom.example"


@pytest.mark.parametrize("host", ["review.example", "other.example:8443", "a.wild.example", "wild.example"])
def test_named_hosts_get_media(front: Edge, s3: S3, host: str) -> None:
    key = f"hls/{media_id()}/b0/x.m4s"
    s3.put(key, b"body")
    assert front.get(url(key), headers={"Host": host}).body == b"body"


def test_media_never_reach_the_web(front: Edge) -> None:
    for path in ("/v/", "/v", "/v/x", "/v/../v/x", "//v/x", "/%76/x"):
        answer = front.raw(path.encode())
        assert answer in (400, 404), path


def test_events_are_not_held_back(front: Edge) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=10)
    begun = time.monotonic()
    connection.request("GET", "/events", headers={"Host": "localhost", "Accept-Encoding": "gzip"})
    response = connection.getresponse()
    assert response.read(9) == b"data: 0\n\n"
    assert time.monotonic() - begun < 0.5
    assert response.read().count(b"data:") == 4
    connection.close()


def test_static_files_are_compressed_and_pages_are_not(front: Edge) -> None:
    long = {"Accept-Encoding": "gzip", "X-Long": "x" * 2000}
    assert front.get("/static/a.css", headers=long).headers.get("content-encoding") == "gzip"
    assert "content-encoding" not in front.get("/page", headers=long).headers


def test_a_large_body_is_not_held_in_memory(front: Edge) -> None:
    assert json.loads(front.get("/form", "POST", body=b"x" * 30_000_000).body)["body"] == 30_000_000


def test_figures_of_caddy_and_guard_are_not_reachable(front: Edge, edge: Edge) -> None:
    assert edge.get("/metrics").status == 404
    seen = front.get("/metrics").body
    assert b"caddy_" not in seen
    assert b"guard_" not in seen
    assert json.loads(seen)["path"] == "/metrics"  # the web's own, which it guards itself


def test_a_web_that_is_down_is_said_in_words(edge: Edge, make_edge: Callable[..., Edge]) -> None:
    alone = make_edge(WEB_UPSTREAM=f"127.0.0.1:{free_ports(1)[0]}")
    answer = alone.get("/")
    assert answer.status == 502
    assert b"try again" in answer.body
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["retry-after"] == "5"


def test_an_edge_alone_has_no_front_door(edge: Edge, upload: Upload) -> None:
    path, signed = upload.presigned(f"localhost:{edge.port}")
    assert edge.get(path, "PUT", signed, PART[:10]).status == 403
    assert edge.get("/").status == 404
    assert edge.get("/masters/x").status == 403
