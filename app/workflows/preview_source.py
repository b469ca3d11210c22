"""How a worker reads a master and keeps what it makes: scratch folders, ranges, uploads."""

from __future__ import annotations

import mimetypes
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from uuid import UUID

from sqlalchemy import select

from app.core import keys
from app.core.errors import NotFound
from app.core.storage import translated
from app.media import encoders, source
from app.media.encoders import Encoder
from app.media.tools import Tools, locate
from app.models import Master, Preview
from app.workflows.context import Context

BLOCK = 1024 * 1024
UPLOADS_AT_ONCE = 4
_TYPES = {".m3u8": "application/vnd.apple.mpegurl", ".m4s": "video/iso.segment", ".mp4": "video/mp4"}


def tools() -> Tools:
    """The ffmpeg pair of this worker."""
    return locate()


@lru_cache(maxsize=4)
def encoder(gpu_device: str | None) -> Encoder:
    """The encoder of this worker, found by a test encode once."""
    return encoders.choose(tools(), gpu_device)


@contextmanager
def scratch(context: Context) -> Iterator[Path]:
    """A private empty folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="rushes-", dir=context.settings.scratch_path) as name:
        yield Path(name)


@contextmanager
def master_url(context: Context, preview_id: UUID) -> Iterator[str]:
    """The master of a preview behind a loopback address. Raises NotFound, Unavailable."""
    with context.unit_of_work() as session:
        master = session.scalars(
            select(Master)
            .join(Preview, (Preview.organization_id == Master.organization_id) & (Preview.sha256 == Master.sha256))
            .where(Preview.id == preview_id)
        ).one_or_none()
    if master is None:
        raise NotFound("no_master", "There is no master of this preview.")
    client, bucket = context.storage["gpu-writer"], context.storage.bucket("masters")

    def read(start: int, end: int) -> Iterator[bytes]:
        with translated("reading the master"):
            answer = client.get_object(
                Bucket=bucket, Key=master.key, Range=f"bytes={start}-{end - 1}", IfMatch=master.etag
            )
            with closing(answer["Body"]) as body:
                yield from body.iter_chunks(BLOCK)

    with source.serve(master.size, read) as url:
        yield url


def store_files(context: Context, kind: str, media: str, build: str, folder: Path, paths: Iterable[Path]) -> int:
    """Put files of `folder` under their keys, some at once; returns their bytes. Writing again is harmless."""
    with ThreadPoolExecutor(UPLOADS_AT_ONCE, thread_name_prefix="put") as pool:
        sizes = pool.map(lambda path: _put(context, kind, media, build, folder, path), list(paths))
        return sum(sizes)


def _put(context: Context, kind: str, media: str, build: str, folder: Path, path: Path) -> int:
    key = keys.preview(kind, media, build, *path.relative_to(folder).parts)
    store_bytes(context, key, path.read_bytes())
    return path.stat().st_size


def store_bytes(context: Context, key: str, data: bytes) -> None:
    """Put one small object into previews. Raises Unavailable."""
    suffix = Path(key).suffix
    kind = _TYPES.get(suffix) or mimetypes.guess_type(key)[0] or "application/octet-stream"
    with translated("storing a preview"):
        context.storage["gpu-writer"].put_object(
            Bucket=context.storage.bucket("previews"), Key=key, Body=data, ContentType=kind
        )
