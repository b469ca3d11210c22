"""Schemathesis plays openapi.json against the app on real servers: no fault of ours, nothing undeclared.

It sends what the contract allows and what it forbids, edge cases of every field, and sequences of calls whose
answers feed the next ones; with a seed, and no longer than a minute. Every second identifier of the right form is
swapped for that of a real thing, so that the calls reach further than 404.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from schemathesis.engine import Status, StopReason, events, from_schema
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from app.models import Comment
from tests.support.house_app import Caller, make_app, make_callers, make_film

SECONDS = 55
SEED = 20
_HEX = re.compile(r"[0-9a-f-]{32,64}")


@dataclass(frozen=True)
class Fuzzed:
    """The contract, a caller, and ids of real things by the name of the field that may hold them."""

    app: Any
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
    yield Fuzzed(
        app,
        caller,
        {
            "projectId": [str(house.project.id)],
            "assetId": [str(asset.id) for asset, _ in films],
            "versionId": [str(version.id) for _, version in films],
            "commentId": comments,
            "parentId": comments,
            "uploadId": [upload["uploadId"] for upload in uploads],
            "stagingKey": [upload["stagingKey"] for upload in uploads],
            "versionSha": [version.sha256 or "" for _, version in films],
        },
    )


def _contract(fuzzed: Fuzzed) -> Any:
    """The schema as Schemathesis reads it from the app, with its checks, its seed, and ids that lead somewhere."""
    config = schemathesis.Config.from_dict(
        {
            "seed": SEED,
            "max-time": SECONDS,
            "headers": {"Authorization": f"Bearer {fuzzed.caller.token}"},
            "generation": {"max-examples": 25, "deterministic": True, "no-shrink": True},
            "checks": {
                # What the contract allows is refused for good reasons too: a frame behind the end, no such project.
                "positive_data_acceptance": {"enabled": False},
                "negative_data_rejection": {"expected-statuses": [401, 403, 404, 405, 409, 413, 415, 422]},
            },
        }
    )
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", fuzzed.app, config=config)

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
    calls, failures, errors, end = 0, [], [], None
    for event in from_schema(_contract(fuzzed)).execute():
        if isinstance(event, events.ScenarioFinished):
            calls += len(event.recorder.interactions)
            for case_id, checks in event.recorder.checks.items():
                for check in checks:
                    if check.status == Status.FAILURE and check.failure_info:
                        case = event.recorder.cases[case_id].value
                        failures.append(f"{case.method} {case.formatted_path}: {check.failure_info.failure}")
        elif isinstance(event, events.NonFatalError | events.FatalError):
            errors.append(event)
        elif isinstance(event, events.EngineFinished):
            end = event.stop_reason
    print(f"{calls} calls, {end}")
    assert not failures, "\n\n".join(failures[:10])
    assert not errors, errors[:3]
    assert end in (StopReason.COMPLETED, StopReason.MAX_TIME)
    assert calls > 200
