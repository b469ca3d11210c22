"""The ffmpeg commands. ffmpeg-python puts graphs and argv together; `untrusted` runs them.

One decode feeds every rendition. Times are those of the file (-copyts) less that of its first picture: a chunk
that begins at frame n asks for n / rate. `-noaccurate_seek` hands over everything from the key frame
before, and the fps filter, told where to start, throws away what comes too early: so frame n of a chunk is
frame n of the whole, whatever the container's index says.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ffmpeg

from app.media.encoders import Encoder
from app.media.facts import Video
from app.media.grid import Chunk
from app.media.ladder import Rendition, poster_size
from app.media.plan import Plan
from app.media.source import input_options
from app.media.tools import Tools

INDEXED = ("mov", "matroska", "mxf")
"""Containers whose index finds the key frame before a time; in the others we start three seconds earlier."""

PRE_ROLL = 3.0
_REC709 = {"color_primaries": "bt709", "color_trc": "bt709", "colorspace": "bt709", "color_range": "tv"}
_MATRICES = {
    "bt709": "bt709", "smpte170m": "smpte170m", "bt470bg": "bt470bg", "fcc": "fcc", "smpte240m": "smpte240m",
    "bt2020nc": "bt2020", "bt2020c": "bt2020",
}  # fmt: skip


def chunk_command(tools: Tools, encoder: Encoder, url: str, plan: Plan, chunk: Chunk) -> list[str]:
    """Encode one chunk into every rendition: `{name}/init.mp4` and `{name}/{segment:05d}.m4s`.

    CMAF-like fragmented MP4 (ISO/IEC 14496-12 8.8): one moof a segment, absolute decode times.
    """
    video = _video(plan)
    first = min(chunk.first_frame, plan.picture_frames - 1) if plan.holds_last else chunk.first_frame
    start = first / plan.exact_rate
    source = open_input(url, plan, _seek(video.start + float(start), plan, video))
    picture = _held(_on_grid(source[str(video.stream)], plan, video, start), plan, chunk)
    outputs = [
        ffmpeg.output(scaled, f"{rendition.name}/chunk.m3u8", **_segment_options(encoder, plan, chunk, rendition))
        for rendition, scaled in zip(plan.renditions, _scaled(picture, video, plan.renditions), strict=True)
    ]
    return compiled(tools, outputs)


def poster_command(tools: Tools, url: str, plan: Plan, name: str, *, frame: int) -> list[str]:
    """One picture as JPEG, at most 1280 pixels a side: the most telling one of the second from `frame` on."""
    video = _video(plan)
    size = poster_size(*video.display)
    if plan.probe.kind == "still":
        picture = open_input(url, plan, None)[str(video.stream)]
    else:
        start = frame / plan.exact_rate
        picture = open_input(url, plan, _seek(video.start + float(start), plan, video))[str(video.stream)]
        picture = _on_grid(picture, plan, video, start)
        picture = picture.filter("thumbnail", str(max(1, min(plan.frame_count // 2, round(plan.exact_rate)))))
    picture = _converted(picture, video, size, matrix="bt601", value_range="full").filter("format", "yuvj420p")
    options = {"frames:v": "1", "c:v": "mjpeg", "q:v": "3", "f": "mjpeg", "map_metadata": "-1"}
    return compiled(tools, [ffmpeg.output(picture, name, **options)])


def compiled(tools: Tools, outputs: list[Any], *, level: str = "error", progress: bool = True) -> list[str]:
    """The argv of ffmpeg for these outputs, with messages of `level`; progress goes to standard output."""
    reports = ("-progress", "pipe:1", "-stats_period", "0.25") if progress else ("-nostats",)
    merged = ffmpeg.merge_outputs(*outputs).global_args("-nostdin", "-hide_banner", "-v", level, *reports)
    command: list[str] = ffmpeg.compile(merged, cmd=tools.ffmpeg, overwrite_output=True)
    return command


def open_input(url: str, plan: Plan, seek: float | None) -> Any:
    """The source, read from `seek` seconds of its own timestamps on."""
    options: dict[str, str | None] = {
        **input_options(),
        "copyts": None,
        "noaccurate_seek": None,
    }
    if plan.probe.forced_format:
        options["f"] = plan.probe.forced_format
    if seek is not None:
        options["ss"] = f"{seek:.6f}"
    return ffmpeg.input(url, **options)


def _seek(time: float, plan: Plan, video: Video) -> float | None:
    """Where to start reading for a picture at `time`; None for the beginning.

    Deinterlacing looks at the frame before; a stream without an index is found only roughly, and in one of
    variable rate a key frame may be decoded long before it is shown, which is what an MP4 index goes by.
    """
    rough = not plan.probe.container.startswith(INDEXED) or video.interlaced or video.variable_rate
    seek = time - PRE_ROLL if rough else time
    return seek if seek > 0 and time > video.start else None


def _on_grid(stream: Any, plan: Plan, video: Video, start: Fraction) -> Any:
    """Progressive pictures at the exact rate, from `start` on, counted from the first picture."""
    rate = plan.exact_rate
    if video.interlaced:
        stream = stream.filter("bwdif", mode="send_frame", parity=video.field_order, deint="all")
    if plan.probe.zero:
        stream = stream.filter("setpts", f"round(PTS-({plan.probe.zero:.6f})/TB)")
    return stream.filter(
        "fps",
        fps=f"{rate.numerator}/{rate.denominator}",
        start_time=in_seconds(start),
        round="near",
        eof_action="pass",
    )


def _held(stream: Any, plan: Plan, chunk: Chunk) -> Any:
    """The last picture again and again, in a chunk that reaches beyond it."""
    last = plan.picture_frames - 1
    beyond = chunk.first_frame + chunk.frames - 1 - last
    if beyond <= 0 or not plan.holds_last:
        return stream
    late = chunk.first_frame - last
    if late > 0:  # the picture was read alone, at its own time
        stream, beyond = stream.filter("setpts", f"PTS+{late}"), chunk.frames - 1
    return stream.filter("tpad", stop=beyond, stop_mode="clone")


def _scaled(stream: Any, video: Video, renditions: tuple[Rendition, ...]) -> list[Any]:
    """One stream for each rendition, each scaled from the next larger one."""
    current = _converted(stream, video, (renditions[0].width, renditions[0].height)).filter("format", "yuv420p")
    current = current.filter("setsar", "1").filter(
        "setparams", range="tv", color_primaries="bt709", color_trc="bt709", colorspace="bt709"
    )
    outputs: list[Any] = []
    for smaller in renditions[1:]:
        both = current.filter_multi_output("split", 2)
        outputs.append(both[0])
        current = both[1].filter("scale", smaller.width, smaller.height).filter("setsar", "1")
    return [*outputs, current]


def _converted(
    stream: Any, video: Video, size: tuple[int, int], *, matrix: str = "bt709", value_range: str = "tv"
) -> Any:
    """Scale, and bring the colours to BT.709 primaries and transfer, with the matrix and range asked for."""
    if video.alpha:
        planes = "yuva444p" if video.pixel_format.startswith("yuva") else "gbrap"
        stream = stream.filter("format", planes).filter("premultiply", inplace=1)
        stream = stream.filter("format", planes.replace("yuva", "yuv").replace("gbrap", "gbrp"))
    if video.hdr or video.color_primaries == "bt2020":
        stream = _tone_mapped(stream.filter("scale", *size), video)
        return stream.filter("scale", *size, in_color_matrix="bt709", out_color_matrix=matrix, out_range=value_range)
    options = {"out_color_matrix": matrix, "out_range": value_range}
    if not _is_rgb(video.pixel_format):
        options["in_color_matrix"] = _matrix(video)
        options["in_range"] = "full" if video.color_range == "pc" else "tv"
    return stream.filter("scale", *size, **options)


def _tone_mapped(stream: Any, video: Video) -> Any:
    """BT.2020 to BT.709; PQ and HLG by a Hable curve with graphics white at 203 cd/m² (ITU-R BT.2408)."""
    stream = stream.filter(
        "setparams",
        range=video.color_range or "tv",
        color_primaries=video.color_primaries or "bt2020",
        color_trc=video.color_transfer or "bt2020-10",
        colorspace=video.color_matrix or "bt2020nc",
    )
    if not video.hdr:
        return stream.filter("zscale", p="bt709", t="bt709", m="bt709", r="tv")
    return (
        stream.filter("zscale", t="linear", npl="203")
        .filter("format", "gbrpf32le")
        .filter("zscale", p="bt709")
        .filter("tonemap", tonemap="hable", desat="0")
        .filter("zscale", t="bt709", m="bt709", r="tv")
    )


def _matrix(video: Video) -> str:
    """The source's matrix; untagged pictures of more than standard definition are BT.709, others BT.601."""
    tagged = _MATRICES.get(video.color_matrix or "")
    return tagged or ("bt709" if video.width > 1024 or video.height > 576 else "bt601")


def _is_rgb(pixels: str) -> bool:
    return pixels.startswith(("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8", "x2rgb", "x2bgr"))


def _segment_options(encoder: Encoder, plan: Plan, chunk: Chunk, rendition: Rendition) -> dict[str, str]:
    # The muxer cuts at the first key frame past hls_time, counted from the chunk's beginning: a little less
    # than a segment, so that rounding never carries a cut to the next GOP.
    segment = plan.grid.segment_frames / plan.exact_rate * Fraction(997, 1000)
    return {
        **encoder.options(gop=plan.grid.gop_frames, maxrate=rendition.maxrate),
        **_REC709,
        "frames:v": str(chunk.frames),
        "avoid_negative_ts": "disabled",
        "map_metadata": "-1",
        "f": "hls",
        "hls_segment_type": "fmp4",
        "hls_time": in_seconds(segment),
        "hls_list_size": "0",
        "start_number": str(chunk.first_segment),
        "hls_segment_options": "movflags=+frag_discont+negative_cts_offsets",
        "hls_fmp4_init_filename": "init.mp4",
        "hls_segment_filename": f"{rendition.name}/%05d.m4s",
    }


def _video(plan: Plan) -> Video:
    if plan.probe.video is None:
        raise ValueError("this plan has no picture")
    return plan.probe.video


def in_seconds(value: Fraction) -> str:
    """With microseconds, as ffmpeg reads it."""
    return f"{float(value):.6f}"
