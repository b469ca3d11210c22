"""Schemathesis plays openapi.json against the app on real servers: no fault of ours, nothing undeclared.

It sends what the contract allows and what it forbids, edge cases of every field, and sequences of calls whose
answers feed the next ones; with a seed, and no longer than a minute. Every second identifier of the right form is
swapped for that of a real thing, so that the calls reach further than 404.
"""

from __future__ import annotations

import re
import threading
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from schemathesis.engine import Status, StopReason, events, from_schema
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from app.models import Comment
from tests.support.house_app import Caller, make_app, make_callers, make_film

SECONDS = 45
SEED = 20
_HEX = re.compile(r"[0-9a-f-]{32,64}")


@dataclass(frozen=True)
class Fuzzed:
    """Where the app answers, a caller, and ids of real things by the name of the field that may hold them."""

    url: str
    caller: Caller
    ids: Mapping[str, list[str]]


@pytest.fixture(scope="module")
def fuzzed(environment: dict[str, str], database_url: str) -> Iterator[Fuzzed]:
    app = make_app(environment)
    engine = create_engine(database_url)
    with Session(engine, expire_on_commit=False) as session:
        house, caller = make_callers(session, app)
        films = [make_film(session, house, f"Reel {number}", comments=40) for number in range(3)]
        comments = [str(key) for key in session.scalars(select(Comment.id))]
    engine.dispose()
    body = {"projectId": str(house.project.id), "name": "a.mov", "size": 100}
    uploads = [caller.call("POST", "/api/presign", body)[1] for _ in range(20)]
    asset_ids = [str(asset.id) for asset, _ in films]
    link = {"projectId": str(house.project.id), "name": "Client", "assetIds": asset_ids[:1]}
    shares = [caller.call("POST", "/api/shares", link)[1]["id"] for _ in range(10)]
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Fuzzed(
        f"http://127.0.0.1:{server.port}",
        caller,
        {
            "projectId": [str(house.project.id)],
            "assetId": asset_ids,
            "shareId": shares,
            "versionId": [str(version.id) for _, version in films],
            "commentId": comments,
            "parentId": comments,
            "uploadId": [upload["uploadId"] for upload in uploads],
            "stagingKey": [upload["stagingKey"] for upload in uploads],
            "versionSha": [version.sha256 or "" for _, version in films],
        },
    )
    server.shutdown()


def _contract(fuzzed: Fuzzed) -> Any:
    """The schema as Schemathesis reads it, with its checks, its seed, and ids that lead somewhere."""
    config = schemathesis.Config.from_dict(
        {
            "seed": SEED,
            "max-time": SECONDS,
            "headers": {"Authorization": f"Bearer {fuzzed.caller.token}"},
            "generation": {"max-examples": 20, "deterministic": True, "no-shrink": True},
            "checks": {
                # What the contract allows is refused for good reasons too: a frame behind the end, no such project.
                "positive_data_acceptance": {"enabled": False},
                "negative_data_rejection": {"expected-statuses": [401, 403, 404, 405, 409, 413, 415, 422]},
            },
        }
    )
    schema = schemathesis.openapi.from_url(f"{fuzzed.url}/api/openapi.json", config=config)

    def real(_context: Any, part: Any) -> Any:
        return _with_real_ids(part, fuzzed.ids)

    for name in ("map_path_parameters", "map_query", "map_body"):
        schema.hook(name)(real)
    return schema


def _with_real_ids(part: Any, ids: Mapping[str, list[str]]) -> Any:
    """The same, with every second id that has the right form replaced; always the same one for the same id."""
    if not isinstance(part, dict):
        return part
    swapped = {}
    for name, value in part.items():
        number = zlib.crc32(value.encode()) if isinstance(value, str) and _HEX.fullmatch(value) else 1
        if name in ids and number % 2 == 0:
            swapped[name] = ids[name][number % len(ids[name])]
        else:
            swapped[name] = _with_real_ids(value, ids)
    return swapped


@pytest.mark.slow
def test_no_fault_and_nothing_undeclared(fuzzed: Fuzzed) -> None:
    answers: Counter[tuple[str, int]] = Counter()
    failures, errors, end = [], [], None
    for event in from_schema(_contract(fuzzed)).execute():
        if isinstance(event, events.ScenarioFinished):
            answers.update(_answers(event.recorder))
            failures += _failures(event.recorder)
        elif isinstance(event, events.NonFatalError | events.FatalError):
            errors.append(event)
        elif isinstance(event, events.EngineFinished):
            end = event.stop_reason
    for (operation, status), count in sorted(answers.items()):
        print(f"{operation:45} {status} {count:5}")
    assert not failures, "\n\n".join(failures[:10])
    assert not errors, errors[:3]
    assert end in (StopReason.COMPLETED, StopReason.MAX_TIME)
    assert not [operation for operation, status in answers if status >= 500]
    reached = {operation for operation, status in answers if status < 300}
    assert reached >= {
        "GET /api/assets/{assetId}",
        "POST /api/comments",
        "POST /api/presign",
        "PATCH /api/assets/{assetId}",
    }


def _answers(recorder: Any) -> list[tuple[str, int]]:
    labels = {case_id: node.value.operation.label for case_id, node in recorder.cases.items()}
    return [
        (labels[case_id], interaction.response.status_code)
        for case_id, interaction in recorder.interactions.items()
        if interaction.response is not None and case_id in labels
    ]


def _failures(recorder: Any) -> list[str]:
    found = []
    for case_id, checks in recorder.checks.items():
        case = recorder.cases[case_id].value
        found += [
            f"{case.method} {case.formatted_path}: {check.failure_info.failure}"
            for check in checks
            if check.status == Status.FAILURE and check.failure_info
        ]
    return found
