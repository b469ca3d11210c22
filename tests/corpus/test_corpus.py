"""All files of the corpus, from probe to preview: none crashes, hangs, or reaches anything on this machine.

The corpus is made by a script beside the repository (`CORPUS`, or ../shared/corpus/make_corpus.sh); without it
these tests are skipped. Large pictures are built in their two smallest renditions only, to keep this short.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from app.media import encode, metadata
from app.media.plan import Plan, make_plan
from app.media.probe import Unplayable
from app.media.tools import Tools, locate
from tests.corpus.expected import EXPECTED, Film, Outcome, Refused, Sound, Still
from tests.media.building import Build, build, probed, served
from tests.support.canary import Canary
from tests.support.running import ROOT

SCRIPT = Path(os.environ.get("CORPUS", ROOT.parent / "shared" / "corpus")) / "make_corpus.sh"
PORT = 18098
"""Where the hostile files point to."""
LONGEST = 30.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SCRIPT.is_file(), reason=f"there is no corpus beside the repository ({SCRIPT.parent.name})"),
]


@pytest.fixture(scope="module")
def corpus() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        subprocess.run(["bash", str(SCRIPT), name], check=True, timeout=300, stdout=subprocess.DEVNULL)
        yield Path(name)


@pytest.fixture(scope="module")
def tools() -> Tools:
    return locate()


@pytest.fixture(scope="module")
def listener() -> Iterator[Canary]:
    canary = Canary(PORT)
    yield canary
    canary.close()


def test_the_table_names_every_file(corpus: Path) -> None:
    assert {path.name for path in corpus.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize(("name", "outcome"), EXPECTED.items(), ids=list(EXPECTED))
def test_it_ends_as_it_must(
    corpus: Path, tools: Tools, listener: Canary, tmp_path: Path, name: str, outcome: Outcome
) -> None:
    begun = time.monotonic()
    path = corpus / name
    if isinstance(outcome, Refused):
        with pytest.raises(Unplayable) as caught:
            probed(tools, path)
        assert caught.value.code == outcome.code
        assert caught.value.sentence.startswith("Archived; no preview because ")
        assert outcome.because in caught.value.because
    elif isinstance(outcome, Still):
        _check_still(tools, path, tmp_path, outcome)
    elif isinstance(outcome, Sound):
        made = build(tools, path, tmp_path)
        assert (made.plan.probe.kind, made.plan.renditions) == ("audio", ())
        _check_sound(made, outcome.seconds)
    else:
        _check_film(tools, path, tmp_path, outcome)
    assert listener.hits == []
    assert not list(corpus.glob("pwned*"))
    assert time.monotonic() - begun < LONGEST


def _check_still(tools: Tools, path: Path, folder: Path, still: Still) -> None:
    plan = make_plan(probed(tools, path))
    assert (plan.probe.kind, plan.chunks, plan.has_audio) == ("still", (), False)
    with served(path) as url, Image.open(encode.make_poster(tools, url, plan, folder)) as poster:
        assert poster.size == still.poster


def _check_film(tools: Tools, path: Path, folder: Path, film: Film) -> None:
    whole = make_plan(probed(tools, path), wants_2160=True)
    top = whole.renditions[0]
    assert (whole.rate, f"{top.name[1:]}: {top.width}x{top.height}") == (film.rate, film.top)
    made = build(tools, path, folder, change=_smallest)
    frames, complaints = sum(c.frames for c in made.chunks), sum(c.complaints for c in made.chunks)
    assert made.plan.frame_count == film.frames
    assert frames == film.frames if not film.says else 0 < frames <= film.frames
    assert f"{made.plan.renditions[-1].name}.m3u8" in made.lists
    if film.sound is None:
        assert made.audio is None
    else:
        _check_sound(made, film.sound)
    with served(path) as url, tempfile.TemporaryDirectory() as name:
        documents = metadata.describe(tools, url, made.plan, Path(name))
    found = metadata.findings(made.plan, documents, frames=frames, complaints=complaints)
    assert film.says in " ".join(found) if film.says else found == []


def _check_sound(made: Build, seconds: float) -> None:
    assert made.audio
    assert float(sum(made.audio.durations)) == pytest.approx(seconds, abs=0.07)
    assert (made.folder / "waveform.json").stat().st_size > 50


def _smallest(plan: Plan) -> Plan:
    return dataclasses.replace(plan, renditions=plan.renditions[-2:])
