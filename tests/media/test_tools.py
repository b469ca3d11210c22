"""Programs and encoders are chosen by what they do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.core.errors import Unavailable
from app.media import encoders, tools
from app.media.tools import Tools

NVENC_FAULTS = ("CUDA", "cuda", "device", "Unknown encoder", "encoder", "libcuda", "nvenc")


def test_the_pair_in_use_passes_and_says_why(tools: Tools) -> None:
    assert "passed the check" in tools.reason
    assert Path(tools.ffmpeg).is_absolute()
    assert tools.ffmpeg_version[0].isalnum()


def test_a_program_that_is_no_ffmpeg_fails_the_check(tools: Tools, tmp_path: Path) -> None:
    from app.media.tools import check

    assert check(tools.ffmpeg, tools.ffprobe) is None
    fault = check("/bin/true", "/bin/true")
    assert fault is not None
    assert fault.startswith("has no ")
    assert check(str(tmp_path / "none"), "/bin/true") == "does not run (FileNotFoundError)"
    assert check(tools.ffmpeg, "/bin/true") == "its ffprobe does not read what ffmpeg wrote"


def test_without_any_ffmpeg_every_fault_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{'true' if name == 'ffmpeg' else 'false'}")
    monkeypatch.setattr(tools, "_bundled", lambda: (None, None, None))
    with pytest.raises(Unavailable) as caught:
        tools.locate.__wrapped__()
    assert caught.value.code == "no_ffmpeg"
    assert "system: has no " in caught.value.sentence
    assert "imageio-ffmpeg" in caught.value.sentence


def test_without_a_gpu_there_is_x264(tools: Tools) -> None:
    assert encoders.choose(tools, None) == encoders.X264
    assert encoders.choose(tools, "") == encoders.X264
    assert encoders.test(tools, encoders.X264) is None


@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="there is a card here")
def test_nvenc_compiled_in_without_a_card_falls_back(tools: Tools) -> None:
    chosen = encoders.choose(tools, "0")
    assert chosen.name == "libx264"
    assert "NVENC failed" in chosen.reason
    assert any(word in chosen.reason.split("NVENC failed", 1)[1] for word in NVENC_FAULTS)


def test_the_options_of_both_encoders_close_every_gop() -> None:
    for encoder in (encoders.X264, encoders.Encoder("h264_nvenc", "1", "")):
        options = encoder.options(gop=50, maxrate=2500)
        assert (options["g"], options["maxrate"], options["bufsize"]) == ("50", "2500k", "5000k")
        assert options["profile:v"] == "high"
        assert options.get("sc_threshold", options.get("no-scenecut")) in ("0", "1")
        assert encoders.Encoder.from_json(encoder.to_json()) == encoder
