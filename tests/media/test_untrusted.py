"""The runner, with real programs that misbehave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest

from app.media.untrusted import Cancelled, Limits, MediaFailed, TimedOut, run_untrusted

SH = "/bin/sh"


def shell(folder: Path, script: str, **options: object) -> str:
    """Run a script as we run media programs; its output."""
    return run_untrusted([SH, "-c", script], folder=folder, time_limit=10, **options).stdout.decode()  # type: ignore[arg-type]


def alive(marker: str) -> list[int]:
    """Processes whose command line holds the marker."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if marker in " ".join(process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return [pid for pid in found if pid != os.getpid()]


def gone(marker: str, seconds: float = 3) -> bool:
    deadline = time.monotonic() + seconds
    while alive(marker):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_the_environment_is_empty_and_the_folder_is_home(folder: Path) -> None:
    os.environ["RUSHES_TEST_SECRET"] = "do not leak"
    try:
        lines = run_untrusted(["/usr/bin/env"], folder=folder, time_limit=5).stdout.decode().splitlines()
    finally:
        del os.environ["RUSHES_TEST_SECRET"]
    names = dict(line.split("=", 1) for line in lines)
    assert set(names) == {"LC_ALL", "HOME", "TMPDIR", "GCONV_PATH", "MALLOC_ARENA_MAX"}
    assert names["HOME"] == names["TMPDIR"] == str(folder)
    assert shell(folder, "pwd").strip() == str(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")
def test_root_becomes_nobody_without_groups(folder: Path) -> None:
    (folder / "inner").mkdir()
    assert shell(folder, "/usr/bin/id -u; /usr/bin/id -G; echo made > inner/file").split() == ["65534", "65534"]
    assert (folder / "inner" / "file").stat().st_uid == 65534
    with pytest.raises(MediaFailed):
        shell(folder, "echo x > /root/made-by-nobody")


def test_limits_hold_and_no_privilege_can_be_gained(folder: Path) -> None:
    text = shell(folder, "ulimit -c; ulimit -n; ulimit -v; ulimit -f; grep NoNewPrivs /proc/self/status; nice")
    core, files, space, size, _, privileges, nice = text.split()
    assert (core, files, space, privileges) == ("0", "256", str(6 << 20), "1")
    assert int(size) * 512 == 16 << 30
    assert int(nice) >= 10
    with pytest.raises(MediaFailed):
        shell(folder, "head -c 100000 /dev/zero > big", limits=Limits(file_size=4096))
    assert (folder / "big").stat().st_size <= 4096


def test_memory_is_bounded(folder: Path) -> None:
    with pytest.raises(MediaFailed) as caught:
        run_untrusted(
            [os.path.realpath(sys.executable), "-I", "-S", "-c", "x = bytearray(1 << 30)"],
            folder=folder,
            time_limit=10,
            limits=Limits(address_space=512 << 20),
        )
    assert "MemoryError" in caught.value.tail or caught.value.code == "media_failed"


def test_standard_input_is_empty(folder: Path) -> None:
    assert shell(folder, "cat; echo end") == "end\n"


def test_a_failure_carries_the_end_of_the_messages_without_addresses(folder: Path) -> None:
    url = "http://127.0.0.1:1/0123456789abcdef0123456789abcdef"
    with pytest.raises(MediaFailed) as caught:
        shell(folder, f"echo '{url}: Invalid data; https://x.example/?X-Amz-Signature=1' >&2; exit 3")
    assert "Invalid data" in caught.value.tail
    assert "127.0.0.1" not in caught.value.tail
    assert "Signature" not in caught.value.tail
    assert "0123456789abcdef" not in str(caught.value)


def test_talk_on_both_pipes_never_blocks_and_is_bounded(folder: Path) -> None:
    done = run_untrusted(
        [SH, "-c", "head -c 3000000 /dev/zero >&2; head -c 3000000 /dev/zero; echo last >&2"],
        folder=folder,
        time_limit=10,
    )
    assert len(done.stdout) == 3_000_000
    assert len(done.stderr_tail) <= 8192
    assert done.stderr_tail.endswith("last\n")


def test_a_flood_of_output_ends_the_program(folder: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(MediaFailed):
        run_untrusted(["/usr/bin/yes", "flood-of-output"], folder=folder, time_limit=20)
    assert time.monotonic() - begun < 5
    assert gone("flood-of-output")


def test_lines_come_as_they_are_written(folder: Path) -> None:
    seen: list[tuple[float, str]] = []
    run_untrusted(
        [SH, "-c", "echo one; sleep 0.4; echo two"],
        folder=folder,
        time_limit=10,
        on_line=lambda line: seen.append((time.monotonic(), line)),
    )
    assert [line for _, line in seen] == ["one", "two"]
    assert seen[1][0] - seen[0][0] > 0.3


def test_an_error_in_the_callers_own_callback_is_raised(folder: Path) -> None:
    def fail(line: str) -> None:
        raise LookupError(line)

    with pytest.raises(LookupError):
        run_untrusted([SH, "-c", "echo one; sleep 30"], folder=folder, time_limit=20, on_line=fail)


def test_cancel_ends_the_whole_group_within_a_second(folder: Path) -> None:
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    script = "/bin/sh -c 'trap \"\" TERM INT; sleep 61.7; true' & sleep 61.7; true"
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        run_untrusted([SH, "-c", script], folder=folder, time_limit=30, cancelled=stop.is_set)
    assert time.monotonic() - begun < 1.5
    assert gone("sleep 61.7", 0.5)


def test_the_time_limit_ends_the_whole_group(folder: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(TimedOut) as caught:
        run_untrusted([SH, "-c", "sleep 62.7 & sleep 62.7"], folder=folder, time_limit=0.5)
    assert time.monotonic() - begun < 1.5
    assert caught.value.code == "media_timeout"
    assert gone("sleep 62.7", 0.5)


def test_what_a_program_leaves_behind_is_ended_too(folder: Path) -> None:
    shell(folder, "sleep 63.7 >/dev/null 2>&1 & true")
    assert gone("sleep 63.7", 0.5)


def test_children_die_with_a_parent_that_is_killed(folder: Path) -> None:
    code = textwrap.dedent(
        f"""
        from pathlib import Path
        from app.media.untrusted import run_untrusted
        run_untrusted(["/bin/sleep", "64.7"], folder=Path({str(folder)!r}), time_limit=60)
        """
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2]) as parent:
        deadline = time.monotonic() + 10
        while not (children := alive("/bin/sleep 64.7")) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert children
        parent.send_signal(signal.SIGKILL)
    assert gone("/bin/sleep 64.7", 2)


def test_a_relative_program_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="absolute"):
        run_untrusted(["sh"], folder=folder, time_limit=1)
