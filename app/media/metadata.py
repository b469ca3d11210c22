"""What others say about a source: ffprobe, MediaInfo and EBUCore, whole for the files, in part for the row."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from app.media.plan import Plan
from app.media.scan import Scanner
from app.media.tools import Tools
from app.media.untrusted import MediaFailed, run_untrusted

SECONDS = 120.0
LONGEST_VALUE = 200
MOST_TRACKS = 24
SHORTER = 0.5
_CHILD = Path(__file__).with_name("mediainfo_child.py")
_KEPT = {
    "General": ("Format", "Format_Commercial_IfAny", "Format_Profile", "OverallBitRate", "Encoded_Application",
                "Encoded_Application_CompanyName", "Encoded_Library", "Encoded_Date", "Tagged_Date"),
    "Video": ("Format", "Format_Commercial_IfAny", "Format_Profile", "Format_Level", "CodecID", "BitRate", "BitDepth",
              "ColorSpace", "ChromaSubsampling", "ScanType", "ScanOrder", "HDR_Format", "HDR_Format_Compatibility",
              "MasteringDisplay_Luminance", "MaxCLL", "MaxFALL", "colour_primaries", "transfer_characteristics",
              "matrix_coefficients", "TimeCode_FirstFrame", "Encoded_Library"),
    "Audio": ("Format", "Format_Commercial_IfAny", "CodecID", "BitRate", "BitDepth", "Channels", "ChannelLayout",
              "SamplingRate", "Language", "Title"),
    "Text": ("Format", "Language", "Title"),
    "Other": ("Type", "Format", "TimeCode_FirstFrame", "TimeCode_LastFrame"),
}  # fmt: skip


def describe(
    tools: Tools, url: str, plan: Plan, folder: Path, *, cancelled: Callable[[], bool] | None = None
) -> dict[str, Any]:
    """The documents by name: "ffprobe", "mediainfo", "ebucore". What a program cannot tell is left out.

    `folder` is private and stays empty. Raises TimedOut and Cancelled.
    """
    documents: dict[str, Any] = {}
    scanner = Scanner(tools, url, folder, plan.probe.forced_format, cancelled)
    try:
        documents["ffprobe"] = scanner.describe("-show_chapters", "-show_programs")
    except MediaFailed as error:
        _unless_merely_failed(error)
    try:
        documents |= _mediainfo(url, folder, cancelled)
    except MediaFailed as error:
        _unless_merely_failed(error)
    return documents


def compact(documents: Mapping[str, Any]) -> dict[str, Any]:
    """What of MediaInfo's document people ask for: {"tracks": [{"type": "Video", "Format": …}, …]}."""
    media = _mapping(_mapping(documents.get("mediainfo")).get("media"))
    tracks = media.get("track")
    found = []
    for track in tracks[:MOST_TRACKS] if isinstance(tracks, list) else []:
        kind = _mapping(track).get("@type")
        kept = {
            name: track[name][:LONGEST_VALUE]
            for name in _KEPT.get(str(kind), ())
            if isinstance(track.get(name), str) and track[name]
        }
        if kept:
            found.append({"type": str(kind), **kept})
    return {"tracks": found}


def findings(plan: Plan, documents: Mapping[str, Any], *, frames: int, complaints: int) -> list[str]:
    """Sentences about damage: a header that promises more than there is, pictures that could not be decoded.

    `frames` is what came out, `complaints` what the decoder said while it worked.
    """
    sentences = []
    stated = _stated_duration(plan, _mapping(documents.get("ffprobe")))
    real = frames / float(plan.exact_rate) if frames else plan.probe.duration
    if not plan.probe.trusted and stated - real > SHORTER:
        sentences.append(f"Its header promises {stated:,.2f} seconds; {real:,.2f} can be read.")
    if frames and frames < plan.frame_count:
        sentences.append(f"Its picture ends {plan.frame_count - frames} frames early.")
    if complaints:
        sentences.append(f"The decoder met {complaints} fault{'s' if complaints > 1 else ''} in it.")
    return sentences


def _mediainfo(url: str, folder: Path, cancelled: Callable[[], bool] | None) -> dict[str, Any]:
    done = run_untrusted(
        [sys.executable, "-I", "-c", _CHILD.read_text(), url], folder=folder, time_limit=SECONDS, cancelled=cancelled
    )
    try:
        documents = json.loads(done.stdout)
    except ValueError as error:
        raise MediaFailed("media_failed", "MediaInfo's answer cannot be read.") from error
    return documents if isinstance(documents, dict) else {}


def _unless_merely_failed(error: MediaFailed) -> None:
    if error.code != "media_failed":
        raise error


def _stated_duration(plan: Plan, document: Mapping[str, Any]) -> float:
    """Seconds of the main stream, or of the whole, as the header has it; 0 where it says nothing."""
    main = plan.probe.video or (plan.probe.audio[0] if plan.probe.audio else None)
    streams = document.get("streams")
    claims = [
        _mapping(stream).get("duration")
        for stream in (streams if isinstance(streams, list) else [])
        if main is not None and _mapping(stream).get("index") == main.stream
    ]
    claims.append(_mapping(document.get("format")).get("duration"))
    return next((seconds for claim in claims if (seconds := _number(claim)) is not None), 0.0)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
