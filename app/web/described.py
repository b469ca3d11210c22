"""What the analysis of a source says, for people: rows of the facts, and the files that hold it whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.models import Preview

#: The documents of an analysis, as people call them.
DOCUMENTS = {"mediainfo.json": "MediaInfo", "ebucore.json": "EBUCore", "ffprobe.json": "ffprobe"}


def described_facts(preview: Preview) -> list[tuple[str, str]]:
    """(label, value) of loudness, of what MediaInfo adds to the probe, and of damage."""
    described = (preview.probe or {}).get("described") or {}
    tracks = {str(track.get("type")): track for track in reversed(described.get("tracks") or [])}  # the first counts
    general, video = tracks.get("General", {}), tracks.get("Video", {})
    rows = [
        ("Loudness", loudness_words(preview.loudness)),
        ("Called", video.get("Format_Commercial_IfAny") or general.get("Format_Commercial_IfAny") or ""),
        ("Pixels", _pixels(video)),
        ("HDR", video.get("HDR_Format", "")),
        ("Bit rate", _rate(general.get("OverallBitRate"))),
        ("Written by", _writer(general)),
        ("Written on", str(general.get("Encoded_Date", "")).removeprefix("UTC ").removesuffix(" UTC")),
        ("Findings", " ".join(described.get("findings") or ())),
    ]
    return [(label, str(value)) for label, value in rows if value]


def documents_of(preview: Preview | None) -> list[tuple[str, str]]:
    """(file name, what people call it) of the documents that are stored."""
    described = ((preview.probe if preview else None) or {}).get("described") or {}
    stored = described.get("documents") or ()
    return [(name, words) for name, words in DOCUMENTS.items() if name in stored]


def loudness_words(loudness: Mapping[str, Any] | None) -> str:
    """`−23.0 LUFS, range 5.2 LU, true peak −1.3 dBTP`."""
    if loudness is None:
        return ""
    if loudness.get("integrated") is None:
        return "silence"
    words = [f"{loudness['integrated']:.1f} LUFS"]
    if loudness.get("range") is not None:
        words.append(f"range {loudness['range']:.1f} LU")
    if loudness.get("truePeak") is not None:
        words.append(f"true peak {loudness['truePeak']:.1f} dBTP")
    return ", ".join(words).replace("-", "−")


def _pixels(video: Mapping[str, str]) -> str:
    depth = f"{video['BitDepth']} bit" if video.get("BitDepth") else ""
    space = " ".join(filter(None, (video.get("ColorSpace"), video.get("ChromaSubsampling"))))
    return ", ".join(filter(None, (space, depth)))


def _rate(text: str | None) -> str:
    if not (text or "").isdigit():
        return ""
    return f"{int(text or 0) / 1e6:,.1f} Mbit/s" if int(text or 0) >= 1e6 else f"{int(text or 0) / 1e3:,.0f} kbit/s"


def _writer(general: Mapping[str, str]) -> str:
    company, name = general.get("Encoded_Application_CompanyName", ""), general.get("Encoded_Application", "")
    return name if company and name.startswith(company) else " ".join(filter(None, (company, name)))
