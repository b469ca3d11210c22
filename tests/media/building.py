"""Serve a file, and build a whole preview of it in one folder, as the workflows do piece by piece."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.media import encode, playlists, sound, source
from app.media.encoders import X264, Encoder
from app.media.plan import Plan, make_plan
from app.media.probe import Probe, probe
from app.media.results import AudioResult, ChunkResult, RenditionFacts, merge
from app.media.tools import Tools


@dataclass(frozen=True)
class Build:
    plan: Plan
    folder: Path
    chunks: list[ChunkResult]
    measured: dict[str, RenditionFacts]
    audio: AudioResult | None
    lists: dict[str, str]

    def whole(self, name: str) -> Path:
        """The rendition (or `a`) as one file: its init segment and every segment in order."""
        path = self.folder / f"{name}.mp4"
        parts = [self.folder / name / "init.mp4", *sorted((self.folder / name).glob("?????.m4s"))]
        path.write_bytes(b"".join(part.read_bytes() for part in parts))
        return path


def reader(path: Path) -> source.Read:
    def read(start: int, end: int) -> Iterator[bytes]:
        with path.open("rb") as file:
            file.seek(start)
            while start < end and (block := file.read(min(1 << 16, end - start))):
                start += len(block)
                yield block

    return read


@contextmanager
def served(path: Path) -> Iterator[str]:
    with source.serve(path.stat().st_size, reader(path)) as url:
        yield url


def probed(tools: Tools, path: Path) -> Probe:
    with served(path) as url, tempfile.TemporaryDirectory() as name:
        return probe(tools, url, Path(name))


def build(
    tools: Tools,
    path: Path,
    folder: Path,
    *,
    encoder: Encoder = X264,
    change: Callable[[Plan], Plan] = lambda plan: plan,
    on_progress: Callable[[int], None] | None = None,
) -> Build:
    """Probe, plan, encode every chunk and the sound, write the playlists into `folder`."""
    with served(path) as url:
        plan = change(make_plan(probed(tools, path)))
        plan = Plan.from_json(json.loads(json.dumps(plan.to_json())))
        chunks = []
        for chunk in plan.chunks:
            with tempfile.TemporaryDirectory() as name:
                result = encode.encode_chunk(tools, encoder, url, plan, chunk, Path(name), on_progress=on_progress)
                _keep(result.paths(Path(name)), Path(name), folder)
            chunks.append(ChunkResult.from_json(json.loads(json.dumps(result.to_json()))))
        audio = None
        if plan.has_audio:
            with tempfile.TemporaryDirectory() as name:
                audio = sound.encode_audio(tools, url, plan, Path(name))
                _keep([*audio.paths(Path(name)), Path(name) / sound.WAVEFORM], Path(name), folder)
            audio = AudioResult.from_json(json.loads(json.dumps(audio.to_json())))
    measured = merge(reversed(chunks))
    lists = playlists.write_playlists(plan, audio, measured)
    for name, text in lists.items():
        (folder / name).write_text(text)
    return Build(plan, folder, chunks, measured, audio, lists)


def _keep(paths: list[Path], place: Path, folder: Path) -> None:
    for path in paths:
        target = folder / path.relative_to(place)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
