"""Bad input gets a clear sentence and a code, changes nothing, and is logged once."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.support.api import MIB, Api
from tests.support.running import Running
from tests.web.conftest import Known


def refused(answer: tuple[int, Any], status: int, code: str) -> dict[str, Any]:
    """Check a problem+json answer; a sentence for people stands in `detail`."""
    got, body = answer
    assert (got, body["code"]) == (status, code), body
    assert body["status"] == status
    assert body["detail"].endswith((".", "!", "?", "…"))
    assert body["requestId"]
    return dict(body)


def presign(api: Api, project_id: str, **changes: Any) -> tuple[int, Any]:
    body = {"projectId": project_id, "name": "a.mov", "size": 9 * MIB, "type": "video/quicktime", **changes}
    return api.call("POST", "/api/presign", {k: v for k, v in body.items() if v is not None})


def test_files_that_cannot_be(admin: Api, stack: Running) -> None:
    refused(presign(admin, stack.project_id, size=0), 422, "zero_bytes")
    refused(presign(admin, stack.project_id, size=6 * 1024**4), 413, "too_large")
    refused(presign(admin, stack.project_id, name="/"), 422, "bad_name")
    refused(presign(admin, stack.project_id, size=-1), 422, "bad_body")
    refused(presign(admin, stack.project_id, sha256="xyz"), 422, "bad_body")
    refused(presign(admin, stack.project_id, colour="red"), 422, "bad_body")
    refused(presign(admin, str(uuid4())), 404, "not_found")
    refused(presign(admin, stack.project_id, mapping={"projectId": str(uuid4())}), 422, "projects_differ")


def test_a_body_that_is_no_json(admin: Api) -> None:
    answer = admin.http.request(
        "POST", admin.url + "/api/presign", body=b"{not json", headers={"Authorization": f"Bearer {admin.token}"}
    )
    assert answer.status == 422
    assert json.loads(answer.data)["code"] == "bad_json"
    huge = admin.http.request(
        "POST", admin.url + "/api/presign", body=b" " * (3 * MIB), headers={"Authorization": f"Bearer {admin.token}"}
    )
    assert huge.status == 413


def test_parts_are_what_was_signed(admin: Api, stack: Running) -> None:
    status, upload = presign(admin, stack.project_id)
    assert status == 201
    path = f"/api/uploads/{upload['uploadId']}/parts"
    data = secrets.token_bytes(8 * MIB)
    part = {"number": 1, "size": 8 * MIB, "sha256": hashlib.sha256(data).hexdigest()}
    refused(admin.call("POST", path, {"parts": [{**part, "size": 5}]}), 422, "bad_part_size")
    refused(admin.call("POST", path, {"parts": [{**part, "number": 3}]}), 422, "bad_part_number")
    signed = admin.call("POST", path, {"parts": [part]})[1]["parts"][0]
    assert admin.put(signed, data[:-1] + b"x") == 400  # other bytes than the digest
    assert admin.put(signed, data + b"x") in (400, 403)  # longer
    assert admin.put(signed, data[:-1]) in (400, 403)  # shorter
    assert admin.put({**signed, "headers": {}}, data) == 403  # without its digest
    expired = signed["url"].replace("X-Amz-Expires=900", "X-Amz-Expires=1")
    assert admin.put({**signed, "url": expired}, data) == 403
    refused(admin.call("POST", path, {"parts": [{**part, "sha256": "0" * 64}]}), 409, "part_differs")
    missing = refused(admin.call("POST", f"/api/uploads/{upload['uploadId']}/complete", {}), 422, "parts_missing")
    assert "2 of 2" in missing["detail"]
    assert admin.call("GET", f"/api/uploads/{upload['uploadId']}")[1]["state"] == "open"
    assert admin.put(signed, data) == 200
    assert admin.call("DELETE", f"/api/uploads/{upload['uploadId']}")[0] == 204
    assert admin.put(signed, data) == 404  # after the end
    refused(admin.call("POST", f"/api/uploads/{upload['uploadId']}/complete", {}), 409, "upload_is_aborted")


def test_anothers_upload(admin: Api, stack: Running, member: Callable[[str], Known], stranger: Known) -> None:
    upload = presign(admin, stack.project_id)[1]
    calls = [
        ("GET", f"/api/uploads/{upload['uploadId']}", None),
        ("POST", f"/api/uploads/{upload['uploadId']}/parts", {"parts": [{"number": 1, "size": 8 * MIB}]}),
        ("POST", f"/api/uploads/{upload['uploadId']}/complete", {}),
        ("DELETE", f"/api/uploads/{upload['uploadId']}", None),
    ]
    editor = member("editor")
    for method, path, body in calls:
        refused(editor.api.call(method, path, body), 403, "not_allowed")
        refused(stranger.api.call(method, path, body), 404, "not_found")
    theirs = {"projectId": stranger.project_id}
    refused(
        stranger.api.call("POST", "/api/promote", {"stagingKey": upload["stagingKey"], "mapping": theirs}),
        404, "unknown_staging_key",
    )  # fmt: skip
    assert admin.call("DELETE", f"/api/uploads/{upload['uploadId']}")[0] == 204


def test_promoting_twice_at_once_is_one_version(admin: Api, stack: Running) -> None:
    from concurrent.futures import ThreadPoolExecutor

    done = admin.send(secrets.token_bytes(1000), project_id=stack.project_id, mapping=False)
    assert "assetId" not in done
    body = {"stagingKey": done["stagingKey"], "mapping": {"projectId": stack.project_id, "title": "Twice"}}
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda _n: admin.call("POST", "/api/promote", body, {"Idempotency-Key": "one"}), range(4))
        )
    assert {status for status, _ in answers} == {202}
    assert len({json.dumps(answer, sort_keys=True) for _, answer in answers}) == 1
    other = {**body, "mapping": {**body["mapping"], "projectId": str(uuid4())}}  # type: ignore[dict-item]
    assert admin.call("POST", "/api/promote", other)[0] in (202, 404, 409, 422)
    again = admin.call("POST", f"/api/uploads/{done['uploadId']}/complete", {})
    assert again[0] == 200
    assert again[1]["assetId"] == answers[0][1]["assetId"]


def test_a_wrong_claim_is_rejected_and_said(admin: Api, stack: Running) -> None:
    done = admin.send(b"not what was claimed", project_id=stack.project_id, sha256="0" * 64)
    assert admin.wait(done["assetId"])["error"]["code"] == "digest_mismatch"
    version = admin.version(done["assetId"])
    assert (version["state"], version["sha256"], version["lock"]) == ("rejected", None, None)
    assert "upload it again" in version["error"]["detail"]


def test_half_a_film_is_archived_and_its_preview_tells_the_truth(admin: Api, stack: Running, tmp_path: Any) -> None:
    from tests.support.coded_film import write_film

    whole = write_film(tmp_path / "half.mp4", frames=250, size=(320, 180)).read_bytes()
    done = admin.send(whole[: len(whole) // 2], project_id=stack.project_id, title="Half")
    admin.wait(done["assetId"])
    version = admin.version(done["assetId"])
    assert version["state"] == "promoted"
    if version["preview"]["state"] == "ready":
        assert 0 < version["media"]["frameCount"] < 250
    else:
        assert version["preview"]["state"] == "unsupported"
        assert "no preview because" in version["preview"]["reason"]


def test_walls_between_organisations(admin: Api, stack: Running, stranger: Known, asset: str) -> None:
    version = admin.version(asset)
    comment = admin.call("POST", "/api/comments", {"versionId": version["id"], "frameIn": 0, "body": "ours"})[1]
    calls = [
        ("GET", f"/api/assets/{asset}", None),
        ("GET", f"/api/assets/{asset}/proxy-status", None),
        ("GET", f"/api/assets?projectId={stack.project_id}", None),
        ("GET", f"/api/comments?versionId={version['id']}", None),
        ("POST", "/api/comments", {"versionId": version["id"], "frameIn": 0, "body": "x"}),
        ("PATCH", f"/api/comments/{comment['id']}", {"body": "x"}),
        ("DELETE", f"/api/comments/{comment['id']}", None),
        ("POST", "/api/preview", {"versionSha": version["sha256"]}),
        ("POST", "/api/presign", {"projectId": stack.project_id, "name": "a", "size": 1}),
    ]
    for method, path, body in calls:
        assert stranger.api.call(method, path, body)[0] == 404, path
    for page in (
        f"/projects/{stack.project_id}",
        f"/assets/{asset}",
        f"/assets/{asset}/review",
        f"/assets/{asset}/review/playback",
    ):
        assert stranger.api.call("GET", page)[0] == 404, page
    assert stranger.api.call("GET", "/api/assets")[1]["items"] == []
    assert admin.call("DELETE", f"/api/comments/{comment['id']}")[0] == 204


def test_roles_in_one_project(asset: str, admin: Api, stack: Running, member: Callable[[str], Known]) -> None:
    version = admin.version(asset)
    remark = {"versionId": version["id"], "frameIn": 3, "body": "mine"}
    viewer, reviewer = member("viewer"), member("reviewer")
    assert viewer.api.call("GET", f"/api/assets/{asset}")[0] == 200
    refused(viewer.api.call("POST", "/api/comments", remark), 403, "not_allowed")
    refused(presign(reviewer.api, stack.project_id), 403, "not_allowed")
    status, comment = reviewer.api.call("POST", "/api/comments", remark)
    assert status == 201
    refused(viewer.api.call("DELETE", f"/api/comments/{comment['id']}"), 403, "not_allowed")
    assert reviewer.api.call("DELETE", f"/api/comments/{comment['id']}")[0] == 204
    refused(reviewer.api.call("DELETE", f"/api/comments/{comment['id']}"), 404, "not_found")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"frameIn": 60}, 422, "frame_outside"),
        ({"frameIn": -1}, 422, "frame_outside"),
        ({"frameIn": 10, "frameOut": 9}, 422, "range_outside"),
        ({"frameIn": 10, "frameOut": 60}, 422, "range_outside"),
        ({"body": ""}, 422, "empty_comment"),
        ({"body": " \n\t "}, 422, "empty_comment"),
        ({"body": "\x00"}, 422, "empty_comment"),
        ({"body": "x" * 100_000}, 422, "comment_too_long"),
        ({"frameIn": "three"}, 422, "bad_body"),
        ({"frameIn": 2**70}, 422, "frame_outside"),
        ({"anchor": {"x": 1.5, "y": 0}}, 422, "bad_body"),
        ({"parentId": str(uuid4())}, 422, "unknown_parent"),
        ({"versionId": str(uuid4())}, 404, "not_found"),
        ({"versionId": "me"}, 422, "bad_body"),
    ],
    ids=str,
)
def test_comments_that_cannot_be(admin: Api, asset: str, changes: dict[str, Any], status: int, code: str) -> None:
    version = admin.version(asset)
    before = admin.call("GET", f"/api/comments?versionId={version['id']}")[1]["items"]
    body = {"versionId": version["id"], "frameIn": 3, "body": "fine", **changes}
    refused(admin.call("POST", "/api/comments", body), status, code)
    assert admin.call("GET", f"/api/comments?versionId={version['id']}")[1]["items"] == before


def test_markup_is_text(admin: Api, asset: str) -> None:
    version = admin.version(asset)
    nasty = "<script>alert(1)</script> <img src=x onerror=alert(1)> {{ 7*7 }} \u202e"
    comment = admin.call("POST", "/api/comments", {"versionId": version["id"], "frameIn": 0, "body": nasty})[1]
    assert comment["body"] == nasty
    page = admin.http.request(
        "GET", f"{admin.url}/assets/{asset}/review", headers={"Authorization": f"Bearer {admin.token}"}
    ).data.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    admin.call("DELETE", f"/api/comments/{comment['id']}")


def test_edge_tokens(admin: Api, asset: str) -> None:
    url = admin.version(asset)["playback"]["hls"]
    head, token, rest = (
        url.partition("/v/")[0],
        url.split("/v/")[1].split("/")[0],
        url.split("/v/")[1].partition("/")[2],
    )
    exp, scope, kid, sig = token.split(".")

    def status(changed: str, tail: str = rest) -> int:
        return int(admin.http.request("GET", f"{head}/v/{changed}/{tail}").status)

    assert status(token) == 200
    assert status(f"{exp}.{scope}.{kid}.{sig[:-2]}{'A' if sig[-2] != 'A' else 'B'}{sig[-1]}") == 403
    assert status(f"{int(exp) + 300}.{scope}.{kid}.{sig}") == 403
    assert status(f"{int(time.time()) - 10}.{scope}.{kid}.{sig}") in (403, 410)
    other = rest.replace(rest.split("/")[1], "0" * 64)
    assert status(token, other) == 403


def test_unknown_hosts(admin: Api, stack: Running) -> None:
    for path in ("/", "/sign-in", "/api/assets"):
        answer = admin.http.request("GET", stack.url + path, headers={"Host": "evil.example"}, redirect=False)
        assert answer.status == 421, path
        assert b"evil.example" not in answer.data or b"TRUSTED_HOSTS" in answer.data
    assert admin.http.request("GET", stack.url + "/sign-in", headers={"Host": "localhost:9999"}).status == 200


def test_tokens_and_sessions(stack: Running) -> None:
    refused(Api(stack.url, None).call("GET", "/api/assets"), 401, "sign_in")
    refused(Api(stack.url, "rsh_wrong").call("GET", "/api/assets"), 401, "bad_token")


def test_each_refusal_is_logged_once(admin: Api, stack: Running) -> None:
    body = refused(presign(admin, stack.project_id, size=0), 422, "zero_bytes")
    time.sleep(0.3)
    lines = [line for line in (stack.folder / "logs" / "web.log").read_text().splitlines() if body["requestId"] in line]
    assert len(lines) == 1
    assert json.loads(lines[0])["code"] == "zero_bytes"
