"""Downloads of masters through the front door: presigned, as attachments, and nothing else of that bucket."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.edge.harness import Edge
from tests.edge.storage import S3

BODY = secrets.token_bytes(300_000)
SHOWN = {
    "ResponseContentDisposition": 'attachment; filename="reel.mov"',
    "ResponseContentType": "application/octet-stream",
}


@pytest.fixture
def key(s3: S3) -> str:
    digest = secrets.token_hex(32)
    key = f"{uuid4()}/sha256/{digest[:2]}/{digest}"
    s3.client().put_object(Bucket="masters", Key=key, Body=BODY)
    return key


def presigned(s3: S3, front: Edge, key: str, operation: str = "get_object", **params: str) -> str:
    signer = s3.client("admin", f"localhost:{front.port}")
    wanted = {"Bucket": "masters", "Key": key, **params}
    parts = urlsplit(signer.generate_presigned_url(operation, Params=wanted, ExpiresIn=60))
    return f"{parts.path}?{parts.query}"


def test_a_master_comes_as_an_attachment(front: Edge, s3: S3, key: str) -> None:
    answer = front.get(
        presigned(s3, front, key, **SHOWN), headers={"Host": f"localhost:{front.port}", "Cookie": "session=secret"}
    )
    assert (answer.status, answer.body) == (200, BODY)
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not [name for name in answer.headers if name.startswith(("seaweed", "x-amz"))]
    part = front.get(
        presigned(s3, front, key, **SHOWN), headers={"Host": f"localhost:{front.port}", "Range": "bytes=10-19"}
    )
    assert (part.status, part.body) == (206, BODY[10:20])


@pytest.mark.parametrize("method", ["PUT", "HEAD", "DELETE", "POST", "OPTIONS", "PATCH"])
def test_no_other_method(front: Edge, s3: S3, key: str, method: str) -> None:
    address = presigned(s3, front, key, **SHOWN)
    assert front.get(address, method, {"Host": f"localhost:{front.port}"}).status == 403
    assert s3.client().get_object(Bucket="masters", Key=key)["Body"].read() == BODY


def test_nothing_else_of_the_bucket(front: Edge, s3: S3, key: str) -> None:
    host = {"Host": f"localhost:{front.port}"}
    good = presigned(s3, front, key, **SHOWN)
    for bent in (
        presigned(s3, front, key),  # shown in the browser
        presigned(s3, front, key, ResponseContentDisposition="inline"),
        presigned(s3, front, "canary", **SHOWN),
        presigned(s3, front, key + "/x", **SHOWN),
        good.replace("/masters/", "/previews/", 1),
        good.replace("/masters/", "//masters/", 1),
        good.replace("/sha256/", "/sha256//", 1),
        good.partition("?")[0],
        good.replace("X-Amz-Signature=", "X-Amz-Signature2="),
        good[:-4] + "0000",
    ):
        assert front.get(bent, headers=host).status == 403, bent
    assert front.get(good, headers={"Host": "evil.example"}).status in (403, 421)
