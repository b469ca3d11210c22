"""Uploads: presign, parts, resume, complete, cancel, promote."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.core.errors import Conflict, NotFound
from app.core.storage import Missing
from app.extensions import db
from app.models import Upload, UploadPart
from app.web.api.answers import CompleteAnswer, PartsAnswer, PlacedAnswer, PresignAnswer, UploadAnswer
from app.web.api.blueprint import blueprint
from app.web.api.bodies import CompleteBody, PartBody, PartsBody, PresignBody, PromoteBody, read
from app.web.api.contract import contract
from app.web.api.idempotency import answers_once
from app.web.api.json_views import signed_parts, upload_json
from app.web.security import current_principal, requires
from app.web.services import services
from app.workflows.abort_upload import abort_upload
from app.workflows.find import find_project, find_upload
from app.workflows.finish_upload import finish_upload, list_stored
from app.workflows.place_version import Mapping, place_version
from app.workflows.sign_parts import PartWanted, SignedPart, sign_parts
from app.workflows.start_upload import Announced, start_upload


def _signed_again(kept: dict[str, Any]) -> dict[str, Any]:
    """The kept answer of `presign` with fresh addresses; none once the upload is over."""
    upload = find_upload(db.session(), current_principal(), UUID(kept["uploadId"]))
    parts = _sign(upload, _given(read(PresignBody))) if upload.state == "open" else []
    return {**kept, "parts": signed_parts(parts)}


@blueprint.post("/presign")
@requires("upload.create")
@contract({201: PresignAnswer}, body=PresignBody, errors=(404, 409, 503), idempotent=True)
@answers_once(again=_signed_again)
def presign() -> tuple[Any, int]:
    """Begin an upload; URLs come for the parts whose digests were given."""
    body = read(PresignBody)
    principal = current_principal()
    project = find_project(db.session(), principal, body.project_id, "upload.create")
    mapping = body.mapping.model_dump(mode="json", by_alias=True) if body.mapping else None
    announced = Announced(body.name, body.size, body.type, body.sha256, mapping)
    upload = start_upload(
        db.session(),
        services().storage,
        principal,
        project,
        announced,
        max_bytes=services().settings.upload_max_bytes,
    )
    parts = _sign(upload, _given(body))
    answer: PresignAnswer = {
        "uploadId": str(upload.id),
        "stagingKey": upload.id.hex,
        "partSize": upload.part_size,
        "parts": signed_parts(parts),
    }
    return answer, 201


@blueprint.post("/uploads/<uuid:upload_id>/parts")
@requires("upload.change_own", upload="upload_id")
@contract({200: PartsAnswer}, body=PartsBody, errors=(409,))
def sign_upload_parts(upload: Upload) -> ResponseReturnValue:
    """URLs for parts that are about to be sent."""
    parts = _sign(upload, read(PartsBody).parts)
    db.session.commit()
    return jsonify(parts=signed_parts(parts))


@blueprint.get("/uploads/<uuid:upload_id>")
@requires("upload.change_own", upload="upload_id")
@contract({200: UploadAnswer}, errors=(503,))
def show_upload(upload: Upload) -> ResponseReturnValue:
    """What of an upload is stored."""
    db.session.commit()  # no connection is held while the storage is asked
    try:
        stored = list_stored(services().storage, upload) if upload.state == "open" else []
    except Missing:
        stored = []
    rows = db.session.scalars(select(UploadPart).where(UploadPart.upload_id == upload.id))
    return jsonify(upload_json(upload, stored, {row.number: row.sha256 for row in rows}))


@blueprint.post("/uploads/<uuid:upload_id>/complete")
@requires("upload.change_own", upload="upload_id")
@contract({200: CompleteAnswer}, body=CompleteBody, errors=(409, 503))
def complete_upload(upload: Upload) -> ResponseReturnValue:
    """All parts are there. With a mapping from presign the promotion is ordered in the same transaction."""
    body = read(CompleteBody)
    done = finish_upload(db.session(), services().storage, current_principal(), upload, sha256=body.sha256)
    db.session.commit()
    answer: CompleteAnswer = {"stagingKey": done.staging_key, "size": done.size, "etag": done.etag}
    if done.asset_id is not None:
        answer["assetId"], answer["versionId"] = str(done.asset_id), str(done.version_id)
    return jsonify(answer)


@blueprint.delete("/uploads/<uuid:upload_id>")
@requires("upload.change_own", upload="upload_id")
@contract({204: None}, errors=(409, 503))
def cancel_upload(upload: Upload) -> ResponseReturnValue:
    """Give the upload up and free its parts."""
    abort_upload(db.session(), services().storage, current_principal(), upload)
    db.session.commit()
    return "", 204


@blueprint.post("/promote")
@requires("version.promote")
@contract({202: PlacedAnswer}, body=PromoteBody, errors=(404, 409), idempotent=True)
@answers_once
def promote() -> tuple[Any, int]:
    """Make a complete upload a version and order its promotion; the same staging key always gives the same one.

    An upload becomes a version once, so a repeated call with or without its Idempotency-Key is answered alike.
    """
    body = read(PromoteBody)
    principal = current_principal()
    try:
        upload = find_upload(db.session(), principal, UUID(hex=body.staging_key))
    except NotFound:
        raise NotFound("unknown_staging_key", "There is no such staging key, or it is not yours.") from None
    db.session.refresh(upload, with_for_update=True)
    if body.sha256 is not None:
        if upload.claimed_sha256 not in (None, body.sha256):
            raise Conflict("claim_differs", "Another digest was claimed for this upload before.")
        upload.claimed_sha256 = body.sha256
    mapping = Mapping.of(body.mapping.model_dump(mode="json", by_alias=True))
    version = place_version(db.session(), principal, upload, mapping)
    placed: PlacedAnswer = {"assetId": str(version.asset_id), "versionId": str(version.id)}
    return placed, 202


def _given(body: PresignBody) -> list[PartBody]:
    """The parts that can be signed already: their digests are known."""
    return [part for part in body.parts if part.sha256]


def _sign(upload: Upload, parts: list[PartBody]) -> list[SignedPart]:
    if not parts:
        return []
    wanted = [PartWanted(part.number, part.size, part.sha256) for part in parts]
    bucket = services().storage.bucket("staging")
    return sign_parts(db.session(), services().part_signer(), bucket, upload, wanted)
