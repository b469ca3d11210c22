"""Rules of the house that a reader could not check by eye."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from app.core import queue
from app.core.policy import ALL_ACTIONS
from app.core.settings import WebSettings, load

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [path for folder in ("app", "tasks", "edge") for path in sorted((ROOT / folder).rglob("*.py"))]
LONGEST_FUNCTION = 60


@pytest.fixture(scope="module")
def flask_app() -> Flask:
    """The app with its routes; it connects to nothing."""
    from app.factory import create_app
    from tests.core.test_settings import WEB

    return create_app(load(WebSettings, WEB))


def test_every_route_declares_its_policy(flask_app: Flask) -> None:
    undeclared, unknown = [], []
    for rule in flask_app.url_map.iter_rules():
        if rule.endpoint == "static":  # files of the product, the same for all
            continue
        policy = getattr(flask_app.view_functions[rule.endpoint], "policy", None)
        if policy is None:
            undeclared.append(rule.rule)
        elif not policy.startswith("public: ") and policy not in ALL_ACTIONS:
            unknown.append((rule.rule, policy))
    assert not undeclared
    assert not unknown


def test_public_routes_are_few_and_known(flask_app: Flask) -> None:
    public = {
        rule.endpoint
        for rule in flask_app.url_map.iter_rules()
        if getattr(flask_app.view_functions[rule.endpoint], "policy", "").startswith("public: ")
    }
    assert public == {
        "auth.sign_in",
        "auth.submit_sign_in",
        "auth.sign_out",
        "auth.join",
        "auth.submit_join",
        "control.events",
        "health.healthz",
        "health.readyz",
        "health.metrics",
        "api.openapi",
    }


def test_routes_with_an_id_load_it_under_their_policy(flask_app: Flask) -> None:
    """A view gets the thing, never its id: the look-up is where the wall stands."""
    import inspect

    for rule in flask_app.url_map.iter_rules():
        if rule.endpoint == "static":
            continue
        view = inspect.unwrap(flask_app.view_functions[rule.endpoint])
        assert not any(name.endswith("_id") for name in inspect.signature(view).parameters), rule.rule


def test_templates_mirror_the_blueprints(flask_app: Flask) -> None:
    pages = {path.name for path in (ROOT / "templates").iterdir() if path.is_dir()}
    blueprints = {path.name for path in (ROOT / "app" / "web").iterdir() if (path / "routes.py").is_file()}
    assert pages - blueprints <= {"errors"}
    assert blueprints - pages <= {"api", "control", "health"}


def test_every_kind_of_job_is_an_actor_on_its_queue() -> None:
    """In a process of its own: declaring actors needs a broker, which needs an environment."""
    code = (
        "import json, dramatiq, tasks; b = dramatiq.get_broker();"
        "print(json.dumps({n: a.queue_name for n, a in b.actors.items()}))"
    )
    environment = {**os.environ, "DATABASE_URL": "postgresql://u@127.0.0.1:1/d", "REDIS_URL": "redis://127.0.0.1:1/0"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    import json

    declared = json.loads(done.stdout.splitlines()[-1])
    assert declared == {kind: description.queue for kind, description in queue.KINDS.items()} | queue.UPKEEP


def test_no_function_is_over_sixty_lines() -> None:
    long = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                lines = node.end_lineno - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines}")
    assert not long


def test_masters_are_never_written_by_copy_object() -> None:
    """CopyObject drops Object Lock on some servers; nothing in the product may call it."""
    for path in SOURCES:
        text = path.read_text()
        assert "copy_object(" not in text, path
        assert ".copy(" not in text or "s3" not in text.lower() or "client.copy(" not in text, path


def test_states_are_written_by_the_lifecycle_alone() -> None:
    """No assignment to an attribute `state` in the domain but in app/core/lifecycle.py."""
    writers = []
    for path in SOURCES:
        if not str(path.relative_to(ROOT)).startswith(("app/workflows", "app/web", "app/core", "tasks")):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AugAssign)
                else []
            )
            writers += [
                f"{path.name}:{node.lineno}"
                for target in targets
                if isinstance(target, ast.Attribute) and target.attr == "state"
            ]
    assert not writers


def test_object_keys_are_put_together_in_one_module() -> None:
    for path in SOURCES:
        if path.name in ("keys.py",) or "media" in path.parts or "stack" in path.parts or "edge" in path.parts:
            continue
        assert "sha256/{" not in path.read_text(), path


def test_edge_events_are_made_in_one_place() -> None:
    """Their ids are the cursor of every edge: they must become visible in order, which needs the lock there."""
    for path in SOURCES:
        text = path.read_text()
        if path.name != "edge_events.py":
            assert "EdgeEvent(" not in text.replace("class EdgeEvent(", ""), path
            assert "insert(EdgeEvent" not in text, path
