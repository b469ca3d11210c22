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

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from sqlalchemy import select

from app.core import keys
from app.core.errors import NotFound, Unavailable
from app.core.storage import translated
from app.media import encoders, source
from app.media.encoders import Encoder
from app.media.joined import Part, joined
from app.media.tools import Tools, locate
from app.models import Master, Preview
from app.workflows.context import Context

BLOCK = 1024 * 1024
UPLOADS_AT_ONCE = 4
LARGE = 16 * 1024 * 1024
_BY_PARTS = TransferConfig(multipart_threshold=LARGE, multipart_chunksize=LARGE, max_concurrency=UPLOADS_AT_ONCE)
_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".vtt": "text/vtt; charset=utf-8",
    ".json": "application/json",
}


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
def stored_url(context: Context, media: str, build: str, name: str, segments: list[tuple[str, int]]) -> Iterator[str]:
    """A stored rendition, or the sound ("a"), as one fragmented MP4 behind a loopback address.

    `segments` are names and sizes in bytes; the init segment comes before them. Raises Unavailable.
    """
    client, bucket = context.storage["gpu-writer"], context.storage.bucket("previews")

    def part(file: str, size: int) -> Part:
        key = keys.preview("hls", media, build, name, file)

        def read(start: int, end: int) -> Iterator[bytes]:
            with translated("reading a preview"):
                answer = client.get_object(Bucket=bucket, Key=key, Range=f"bytes={start}-{end - 1}")
                with closing(answer["Body"]) as body:
                    yield from body.iter_chunks(BLOCK)

        return Part(size, read)

    with translated("reading a preview"):
        init = client.head_object(Bucket=bucket, Key=keys.preview("hls", media, build, name, "init.mp4"))
    parts = [part("init.mp4", init["ContentLength"]), *(part(file, length) for file, length in segments)]
    with source.serve(*joined(parts)) as url:
        yield url


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
    key, size = keys.preview(kind, media, build, *path.relative_to(folder).parts), path.stat().st_size
    if size > LARGE:
        _store_large(context, key, path)
    else:
        store_bytes(context, key, path.read_bytes())
    return size


def _store_large(context: Context, key: str, path: Path) -> None:
    """Put a file by parts, without holding it in memory."""
    client, bucket = context.storage["gpu-writer"], context.storage.bucket("previews")
    try:
        with translated("storing a preview"):
            client.upload_file(str(path), bucket, key, ExtraArgs={"ContentType": _type_of(key)}, Config=_BY_PARTS)
    except Boto3Error as error:
        raise Unavailable("storage_unavailable", "Storing a preview: the storage is busy or away.") from error


def store_bytes(context: Context, key: str, data: bytes) -> None:
    """Put one small object into previews. Raises Unavailable."""
    with translated("storing a preview"):
        context.storage["gpu-writer"].put_object(
            Bucket=context.storage.bucket("previews"), Key=key, Body=data, ContentType=_type_of(key)
        )


def _type_of(key: str) -> str:
    return _TYPES.get(Path(key).suffix) or mimetypes.guess_type(key)[0] or "application/octet-stream"
