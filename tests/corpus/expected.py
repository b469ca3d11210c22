"""What must become of every file of the corpus. Why, in a word, stands beside it.

A film: exact rate, frames of the preview, its largest rendition, seconds of sound (None: no sound).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Film:
    rate: str
    frames: int
    top: str
    sound: float | None = None
    says: str = ""
    """What one of the findings must contain; "" where nothing may be found fault with."""


@dataclass(frozen=True)
class Sound:
    seconds: float


@dataclass(frozen=True)
class Still:
    poster: tuple[int, int]


@dataclass(frozen=True)
class Refused:
    """Archived, without a preview."""

    code: str
    because: str = "not a film, a sound or a picture"


Outcome = Film | Sound | Still | Refused
SMALL = "360: 640x360"
BASE = Film("25/1", 150, SMALL, 6)
NO_MEDIA = Refused("not_media")

EXPECTED: dict[str, Outcome] = {
    # Rates and time
    "f23976.mp4": Film("24000/1001", 96, "720: 1280x720", 4),
    "f2997df_tc.mov": Film("30000/1001", 120, "720: 1280x720", 4),
    "i25_tff.mp4": Film("25/1", 100, "1080: 1920x1080", 4),  # fields become whole pictures
    "i25_bff_sd.mxf": Film("25/1", 100, "540: 960x540", 4),  # 720 × 576 at 64:45 is 1024 × 576
    "f50p.mp4": Film("50/1", 200, "720: 1280x720", 4),
    "f120.mp4": Film("60/1", 120, SMALL),  # every other frame
    "vfr.mp4": Film("30/1", 178, "720: 1280x720", 6),  # the grid is the finest that fits, not the average
    "negstart.ts": Film("25/1", 100, SMALL, 4),  # timestamps wrap
    "neg_pts.mov": Film("25/1", 50, SMALL, 2),  # its edit list hides the half before zero
    "base_lg.mp4": BASE,
    "editlist.mp4": Film("25/1", 117, SMALL, 4.7),
    "av_offset.mp4": Film("25/1", 120, SMALL, 4.8),  # the sound begins late, and so ends late
    "opengop.ts": Film("25/1", 100, SMALL),
    "oneframe.mp4": Still((640, 360)),
    "short02.mp4": Film("25/1", 5, SMALL, 0.2),
    # Geometry
    "rot90.mp4": Film("25/1", 150, "360: 360x640", 6),  # upright
    "portrait.mp4": Film("30/1", 60, "1080: 1080x1920"),
    "odd_853x479.mkv": Film("25/1", 50, "478: 852x478"),  # even sides
    "tiny_2x2.mkv": Refused("too_small", "2 × 2 pixels"),
    "anamorph.mp4": Film("25/1", 50, "1080: 1920x1080"),  # square pixels
    "uhd.mp4": Film("25/1", 50, "2160: 3840x2160"),
    "wide_8000x200.mp4": Film("25/1", 25, "2160: 3840x94"),  # the long side is limited too
    "resize.ts": Film("25/1", 100, SMALL),  # its pictures grow in the middle
    # Colour
    "hdr10.mp4": Film("25/1", 50, "720: 1280x720"),
    "hlg.mp4": Film("25/1", 50, "720: 1280x720"),
    "fullrange.mp4": Film("25/1", 50, SMALL),
    "bt601.mp4": Film("25/1", 50, "540: 676x540"),
    "rgb_png.mov": Film("25/1", 25, SMALL),
    "prores4444a.mov": Film("25/1", 10, "720: 1280x720"),
    "prores422.mov": Film("25/1", 50, "720: 1280x720", 2),
    "dnxhd_8mono.mxf": Film("25/1", 50, "1080: 1920x1080", 2),
    "gray16.mkv": Film("25/1", 25, SMALL),
    # Sound
    "noaudio.mp4": Film("25/1", 75, SMALL),
    "audioonly.wav": Sound(4),
    "audioonly.m4a": Sound(4),
    "s51.mp4": Film("25/1", 75, SMALL, 3),
    "mono.mp4": Film("25/1", 75, SMALL, 3),
    "tracks8.mov": Film("25/1", 75, SMALL, 3),
    "ch16.mov": Film("25/1", 50, SMALL, 2),
    "silent_clip.mp4": Film("25/1", 75, SMALL, 3),
    "longaudio.mp4": Film("25/1", 225, SMALL, 9),  # the last picture stands until the sound has ended
    # Pictures, covers, more streams than one
    "cover.jpg": Still((600, 600)),
    "coverart.mp3": Sound(4),  # the cover is no film
    "still.png": Still((800, 600)),
    "anim.gif": Film("10/1", 30, "180: 320x180"),
    "subs.mkv": BASE,
    "twovideo.mkv": Film("25/1", 50, SMALL),  # the first one
    # Damaged
    "trunc_moovend.mp4": NO_MEDIA,
    "trunc_faststart.mp4": Film("25/1", 87, SMALL, 3.5, says="promises 6.00 seconds; 3.48 can be read"),
    "bitrot.ts": Film("25/1", 153, SMALL, 6.1, says="The decoder met"),
    "hugedur.mp4": BASE,  # what its header says of its length is not believed
    "zero.mp4": NO_MEDIA,
    "text.mp4": NO_MEDIA,
    "random.mp4": NO_MEDIA,
    # Hostile
    "pngbomb.png": Refused("no_decoder", "cannot decode"),
    "evil_file_hls.mp4": NO_MEDIA,
    "evil_http_hls.m3u8": NO_MEDIA,
    "evil_concat_hls.mov": NO_MEDIA,
    "evil_ffconcat.mp4": NO_MEDIA,
    "evil_dash.mpd": NO_MEDIA,
    "evil.sdp": NO_MEDIA,
    "evil.svg": NO_MEDIA,
    '-vf null %03d ;$(touch pwned) "q".mp4': BASE,
    "concat:evil|name.mp4": BASE,
}
