"""What the API answers, as types: the views' literals are checked against them, and openapi.json is made of them.

Names are those of the JSON, in camelCase. An absent key is `NotRequired`; what may be unknown is null.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import ConfigDict, WithJsonSchema, with_config
from typing_extensions import TypedDict  # before 3.12 the standard one tells pydantic too little

from app.core.lifecycle import SHOWN, STATES
from app.models import Preview, Upload, Version


def _text(**schema: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **schema})


Id = Annotated[str, _text(format="uuid")]
Moment = Annotated[str, _text(format="date-time")]
Url = Annotated[str, _text(format="uri-reference", description="Complete and signed; clients never build one.")]
Sha256Hex = Annotated[str, _text(pattern="^[0-9a-f]{64}$")]
StagingKey = Annotated[str, _text(pattern="^[0-9a-f]{32}$")]
UploadState = Annotated[str, _text(enum=list(STATES[Upload]))]
VersionState = Annotated[str, _text(enum=list(STATES[Version]))]
PreviewState = Annotated[str, _text(enum=list(STATES[Preview]))]
ProxyState = Annotated[str, _text(enum=["queued", "processing", "complete", "error"])]
Step = Annotated[str, _text(enum=list(SHOWN))]

#: Nothing but what is written here is answered.
_closed = with_config(ConfigDict(extra="forbid"))


@_closed
class Problem(TypedDict):
    """An error (RFC 9457), as application/problem+json. `code` is stable; `detail` says what to do next."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    requestId: str
    errors: NotRequired[dict[str, str]]


@_closed
class ErrorNote(TypedDict):
    """Why a thing has failed: a stable code, and a sentence for people."""

    code: str
    detail: str


@_closed
class ProjectAnswer(TypedDict):
    """A project, and the caller's role in it."""

    id: Id
    name: str
    client: str | None
    role: str
    createdAt: Moment


@_closed
class ProjectPage(TypedDict):
    """Some projects, newest first, and the cursor of the next page."""

    items: list[ProjectAnswer]
    nextCursor: str | None


@_closed
class SignedPartAnswer(TypedDict):
    """Where to PUT a part within 15 minutes, and the headers to send with it."""

    number: int
    url: Url
    headers: dict[str, str]


@_closed
class PresignAnswer(TypedDict):
    """An open upload; `parts` are those whose digests were given."""

    uploadId: Id
    stagingKey: StagingKey
    partSize: int
    parts: list[SignedPartAnswer]


@_closed
class PartsAnswer(TypedDict):
    """Addresses of parts."""

    parts: list[SignedPartAnswer]


@_closed
class StoredPartAnswer(TypedDict):
    """A part that the storage has. `sha256` is null where none was given."""

    number: int
    size: int
    etag: str
    sha256: Sha256Hex | None


@_closed
class UploadAnswer(TypedDict):
    """An upload and what of it is stored, for resuming."""

    uploadId: Id
    stagingKey: StagingKey
    state: UploadState
    name: str
    size: int
    partSize: int
    parts: list[StoredPartAnswer]


@_closed
class CompleteAnswer(TypedDict):
    """A complete upload, and what it became where `presign` had a mapping."""

    stagingKey: StagingKey
    size: int
    etag: str
    assetId: NotRequired[Id]
    versionId: NotRequired[Id]


@_closed
class PlacedAnswer(TypedDict):
    """The asset and the version that were made or found."""

    assetId: Id
    versionId: Id


@_closed
class LockAnswer(TypedDict):
    """The lock on the master, as the storage told it at `verifiedAt`."""

    mode: str
    retainUntil: Moment
    legalHold: bool
    verifiedAt: Moment


@_closed
class LoudnessAnswer(TypedDict):
    """EBU R 128 of what is heard: LUFS, LU, dBTP; null for silence."""

    integrated: float | None
    range: float | None
    truePeak: float | None


@_closed
class MediaAnswer(TypedDict):
    """The frame grid against which comments are kept. `rate` is exact (30000/1001); `source` is what was probed."""

    rate: str
    frameCount: int | None
    startFrame: int | None
    dropFrame: bool | None
    source: dict[str, Any] | None
    loudness: LoudnessAnswer | None


@_closed
class PreviewAnswer(TypedDict):
    """How far the preview is, in per cent; `reason` says why there is none."""

    state: PreviewState
    progress: int
    reason: str | None


@_closed
class PlaybackAnswer(TypedDict):
    """Signed addresses of what is built; null for what is not. `expiresAt` in Unix seconds."""

    hls: Url | None
    mp4: Url | None
    poster: Url | None
    storyboard: Url | None
    waveform: Url | None
    expiresAt: int | None


@_closed
class VersionAnswer(TypedDict):
    """A version: what arrived, its lock, its preview, and where it plays."""

    id: Id
    number: int
    fileName: str
    sha256: Sha256Hex | None
    size: int
    state: VersionState
    createdAt: Moment
    error: NotRequired[ErrorNote]
    lock: LockAnswer | None
    media: MediaAnswer | None
    preview: PreviewAnswer | None
    playback: PlaybackAnswer


@_closed
class AssetAnswer(TypedDict):
    """An asset with its versions, newest first. `shares` are the ids of the open links that show it."""

    id: Id
    projectId: Id
    title: str
    createdAt: Moment
    shares: list[Id]
    versions: list[VersionAnswer]


@_closed
class AssetPage(TypedDict):
    """Some assets, newest first, each with its latest version alone, and the cursor of the next page."""

    items: list[AssetAnswer]
    nextCursor: str | None


@_closed
class ProxyStatusAnswer(TypedDict):
    """How far the latest version is."""

    state: ProxyState
    step: Step
    progress: int
    error: NotRequired[ErrorNote]


@_closed
class AnchorAnswer(TypedDict):
    """A point of the picture: 0, 0 is the upper left, 1, 1 the lower right."""

    x: float
    y: float


@_closed
class AuthorAnswer(TypedDict):
    """Who said it: a member, or a guest of a link."""

    id: Id
    name: str
    guest: bool


@_closed
class CommentAnswer(TypedDict):
    """A comment on a frame, or on the range up to `frameOut`, both included."""

    id: Id
    versionId: Id
    frameIn: int
    frameOut: int | None
    anchor: AnchorAnswer | None
    body: str
    parentId: Id | None
    author: AuthorAnswer
    createdAt: Moment
    editedAt: Moment | None


@_closed
class CommentPage(TypedDict):
    """Some comments of a version in frame order, and the cursor of the next page."""

    items: list[CommentAnswer]
    nextCursor: str | None
