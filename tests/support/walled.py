"""An organisation with one of everything, each called by a word that nobody else uses."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy.orm import Session

from app.models import (
    ApiToken,
    Asset,
    Client,
    Collection,
    Comment,
    Guest,
    Invitation,
    Job,
    Master,
    Membership,
    Preview,
    Share,
    ShareAsset,
    Upload,
    UserSession,
    Version,
    utc_now,
)  # fmt: skip
from tests.factories import House, make_house, make_user

#: Stands in every name, title and text of the organisation.
SECRET = "Aurelian"
DAY = timedelta(days=1)


class Walled:
    """The organisation, and its ids by the names that URL arguments have."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.house: House = make_house(session, f"{SECRET} House")
        self.house.project.name = f"{SECRET} film"
        self.house.user.name = f"{SECRET} admin"
        self.member = make_user(session, self.house.organization, project=self.house.project, project_role="editor")
        self.member.name = f"{SECRET} editor"
        self.outsider = make_user(session, self.house.organization)
        self.outsider.name = "Nobody of the film"
        self._people()
        self._film()
        self._rest()
        session.commit()

    @property
    def ids(self) -> dict[str, str]:
        """URL argument → id."""
        return {
            "project_id": str(self.house.project.id),
            "user_id": str(self.member.id),
            "membership_id": str(self.membership.id),
            "invitation_id": str(self.invitation.id),
            "client_id": str(self.client.id),
            "collection_id": str(self.collection.id),
            "visit_id": str(self.visit.id),
            "token_id": str(self.token.id),
            "asset_id": str(self.asset.id),
            "version_id": str(self.version.id),
            "comment_id": str(self.comment.id),
            "upload_id": str(self.upload.id),
            "share_id": str(self.share.id),
            "job_id": str(self.job.id),
        }

    def _add(self, thing: Any) -> Any:
        self.session.add(thing)
        self.session.flush()
        return thing

    def _people(self) -> None:
        organization_id, admin_id = self.house.organization.id, self.house.user.id
        self.membership = self.session.query(Membership).filter_by(user_id=self.member.id).one()
        self.invitation = self._add(
            Invitation(
                organization_id=organization_id, email=f"{SECRET.lower()}@example.org", role="member",
                token_hash=secrets.token_hex(32), invited_by=admin_id, expires_at=utc_now() + DAY,
            )
        )  # fmt: skip
        self.visit = self._add(UserSession(user_id=admin_id, last_seen_at=utc_now(), user_agent=SECRET))
        self.token = self._add(
            ApiToken(
                organization_id=organization_id, user_id=admin_id, name=SECRET, token_hash=secrets.token_hex(32)
            )
        )  # fmt: skip
        self.client = self._add(Client(organization_id=organization_id, name=f"{SECRET} client"))
        self.collection = self._add(Collection(project_id=self.house.project.id, name=f"{SECRET} reels"))

    def _film(self) -> None:
        organization_id, project_id, admin_id = self.house.organization.id, self.house.project.id, self.house.user.id
        self.sha256 = secrets.token_hex(32)
        self.upload = self._add(
            Upload(
                organization_id=organization_id, project_id=project_id, user_id=admin_id, name=f"{SECRET}.mov", size=8,
                content_type="video/quicktime", part_size=8 * 1024 * 1024, storage_upload_id="unknown", state="open",
                last_part_at=utc_now(), mapping={"projectId": str(project_id)},
            )
        )  # fmt: skip
        master = self._add(
            Master(
                organization_id=organization_id, sha256=self.sha256, size=8, key=f"{SECRET}/key", etag="e",
                composite_sha256="c-1", part_size=8, lock_mode="GOVERNANCE", retain_until=utc_now() + DAY,
                verified_at=utc_now(), manifest_key="m",
            )
        )  # fmt: skip
        preview = self._add(
            Preview(
                organization_id=organization_id, sha256=self.sha256, media=secrets.token_hex(32), state="ready",
                build="b1", rate_num=25, rate_den=1, frame_count=100, has_poster=True, progress=100,
            )
        )  # fmt: skip
        self.asset = self._add(
            Asset(
                project_id=project_id, title=f"{SECRET} reel", collection_id=self.collection.id, created_by=admin_id
            )
        )  # fmt: skip
        self.version = self._add(
            Version(
                asset_id=self.asset.id, number=1, file_name=f"{SECRET}.mov", size=8, sha256=self.sha256,
                state="promoted", master_id=master.id, preview_id=preview.id, created_by=admin_id,
            )
        )  # fmt: skip
        self.comment = self._add(
            Comment(
                asset_id=self.asset.id, version_id=self.version.id, author_id=admin_id, frame_in=3, body=f"{SECRET}!"
            )
        )  # fmt: skip

    def _rest(self) -> None:
        organization_id, project_id, admin_id = self.house.organization.id, self.house.project.id, self.house.user.id
        self.share = self._add(
            Share(
                organization_id=organization_id, project_id=project_id, name=f"{SECRET} share",
                token_hash=secrets.token_hex(32), created_by=admin_id, expires_at=utc_now() + DAY,
            )
        )  # fmt: skip
        self._add(ShareAsset(share_id=self.share.id, asset_id=self.asset.id))
        self._add(Guest(share_id=self.share.id, generation=1, name=f"{SECRET} guest"))
        self.job = self._add(
            Job(
                kind="promote_version", organization_id=organization_id, target_id=self.version.id, payload={},
                outcome="failed", finished_at=utc_now(), error=f"{SECRET} failed", error_code="broken",
                dedupe_key=str(uuid4()),
            )
        )  # fmt: skip
