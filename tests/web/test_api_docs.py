"""docs/api.md is true: its lines are typed into a shell as they stand, and it names every call."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.api import client
from tests.support.coded_film import write_film
from tests.support.running import ROOT, Running

GUIDE = (ROOT / "docs" / "api.md").read_text()


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("jq") and shutil.which("curl")), reason="the guide uses curl and jq")
def test_the_guide_takes_a_film_from_upload_to_comment(stack: Running, tmp_path: Path) -> None:
    write_film(tmp_path / "film.mp4", frames=60, size=(320, 180))
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL))
    for written, here in (("http://localhost:8080", stack.url), ("instance/up.json", str(stack.folder / "up.json"))):
        assert lines.count(written) == 1
        lines = lines.replace(written, here)
    # A reader waits where the guide says "follow it until".
    waiting = "\nuntil api $URL/api/assets/$ASSET/proxy-status | grep -q complete; do sleep 0.3; done\n"
    lines = lines.replace("\napi $URL/api/assets/$ASSET/proxy-status\n", waiting)
    assert waiting in lines
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines + "\necho $ASSET $VERSION"],
        cwd=tmp_path, env={**os.environ, "LC_ALL": "C.UTF-8"}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    asset_id, version_id = done.stdout.split()[-2:]
    status, asset = client(stack).call("GET", f"/api/assets/{asset_id}")
    assert (status, asset["title"]) == (200, "A film, second cut")
    assert asset["versions"][0]["state"] == "promoted"
    said = client(stack).call("GET", f"/api/comments?versionId={version_id}")[1]["items"]
    assert [(comment["frameIn"], comment["frameOut"]) for comment in said] == [(12, 24)]


def test_the_guide_names_every_call(stack: Running) -> None:
    published = json.loads(client(stack).http.request("GET", f"{stack.url}/api/openapi.json").data)
    table = GUIDE[GUIDE.index("## Calls") :]
    for path in published["paths"]:
        start = "/".join(path.split("/")[:3])
        assert start in table or start in GUIDE, path
