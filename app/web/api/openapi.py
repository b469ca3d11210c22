"""openapi.json (3.1), made of the routes and of what stands declared beside them (docs/decisions/0008)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from inspect import cleandoc
from typing import Any

from flask import Flask, Response, current_app
from flask.typing import ResponseReturnValue
from pydantic import TypeAdapter
from werkzeug.routing import Rule

from app.core.policy import TOKEN_SCOPES
from app.web.api.answers import Problem
from app.web.api.blueprint import blueprint
from app.web.api.contract import Contract, contract
from app.web.api.idempotency import HEADER, KEY_PATTERN
from app.web.errors import TITLES
from app.web.security import public

_REF = "#/components/schemas/{model}"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_ABOUT = """
Send a token as `Authorization: Bearer rsh_…`; people make them on the page *API tokens*. Every error is
`application/problem+json` (RFC 9457) with a stable `code`, a sentence that says what to do next, and a `requestId`.
Lists come in pages: pass `nextCursor` on as `cursor` until it is null. Times are ISO 8601 in UTC, frames whole numbers.
"""


@blueprint.get("/openapi.json")
@public("the contract holds nothing of anybody")
@contract({200: dict[str, Any]})
def openapi() -> ResponseReturnValue:
    """This document."""
    response = Response(_serialised(current_app._get_current_object()), mimetype="application/json")  # type: ignore[attr-defined]
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


@cache
def _serialised(app: Flask) -> str:
    return json.dumps(document(app))


def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI document of an app: every route under /api. Raises LookupError for one without a contract."""
    routes = [(rule, method) for rule in api_rules(app) for method in _METHODS if method in (rule.methods or ())]
    refs, schemas = _schemas([contract_of(app, rule) for rule, _ in routes])
    paths: dict[str, dict[str, Any]] = {}
    for rule, method in routes:
        paths.setdefault(path_of(rule), {})[method.lower()] = _operation(app, rule, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Rushes", "version": "1", "description": cleandoc(_ABOUT)},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def api_rules(app: Flask) -> list[Rule]:
    """The routes of the API, by path."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith(f"{blueprint.url_prefix}/")]
    return sorted(rules, key=lambda rule: rule.rule)


def path_of(rule: Rule) -> str:
    """`/api/assets/{assetId}` for `/api/assets/<uuid:asset_id>`."""
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: f"{{{_camel(found[1])}}}", rule.rule)


def contract_of(app: Flask, rule: Rule) -> Contract:
    """What stands beside the view of a route. Raises LookupError when nothing does."""
    declared = getattr(app.view_functions[rule.endpoint], "contract", None)
    if not isinstance(declared, Contract):
        raise LookupError(f"{rule.rule} declares no contract")
    return declared


def _schemas(contracts: list[Contract]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """References to the JSON Schemas of all bodies and answers, and the schemas by name."""
    kinds: dict[Any, tuple[str, TypeAdapter[Any]]] = {
        kind: ("validation", TypeAdapter(kind)) for c in contracts for kind in (c.body, c.query) if kind
    }
    kinds |= {
        kind: ("serialization", TypeAdapter(kind)) for c in contracts for kind in c.answers.values() if kind is not None
    }
    kinds[Problem] = ("serialization", TypeAdapter(Problem))
    made, definitions = TypeAdapter.json_schemas(
        [(str(number), mode, adapter) for number, (mode, adapter) in enumerate(kinds.values())],  # type: ignore[misc]
        ref_template=_REF,
    )
    refs = {
        kind: made[str(number), mode]  # type: ignore[index]
        for number, (kind, (mode, _)) in enumerate(kinds.items())
    }
    return refs, definitions.get("$defs", {})


def _operation(app: Flask, rule: Rule, refs: Mapping[Any, Any]) -> dict[str, Any]:
    view, declared = app.view_functions[rule.endpoint], contract_of(app, rule)
    policy = str(getattr(view, "policy", ""))
    words = cleandoc(view.__doc__ or "")
    operation: dict[str, Any] = {
        "operationId": rule.endpoint.removeprefix(f"{blueprint.name}."),
        "tags": [rule.rule.split("/")[2].partition(".")[0]],
        "summary": words.partition("\n")[0],
        "description": words,
        "parameters": _parameters(rule, declared, refs),
        "responses": _responses(rule, declared, refs, is_public=policy.startswith("public: ")),
    }
    if policy.startswith("public: "):
        operation["security"] = []
    else:
        scopes = [scope for scope, actions in TOKEN_SCOPES.items() if policy in actions]
        operation["x-token-scopes"] = [*scopes, "all"]
    if declared.body is not None:
        operation["requestBody"] = {
            "required": bool(declared.body.model_json_schema().get("required")),
            "content": {"application/json": {"schema": refs[declared.body]}},
        }
    return operation


def _parameters(rule: Rule, declared: Contract, refs: Mapping[Any, Any]) -> list[dict[str, Any]]:
    identity = {"type": "string", "format": "uuid"}
    found: list[dict[str, Any]] = [
        {"name": _camel(name), "in": "path", "required": True, "schema": identity} for name in sorted(rule.arguments)
    ]
    if declared.query is not None:
        schema = declared.query.model_json_schema()
        required = schema.get("required", ())
        found += [
            {"name": name, "in": "query", "required": name in required, "schema": _without_null(each)}
            for name, each in schema["properties"].items()
        ]
    if declared.idempotent:
        found.append(
            {
                "name": HEADER,
                "in": "header",
                "description": "The same key and body within 24 hours get the same answer; nothing is done twice.",
                "schema": {"type": "string", "pattern": KEY_PATTERN},
            }
        )
    return found


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an optional query parameter: it is left out, never null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind.get("type") != "null"]
    return kinds[0] if len(kinds) == 1 else {key: value for key, value in schema.items() if key != "title"}


def _responses(rule: Rule, declared: Contract, refs: Mapping[Any, Any], *, is_public: bool) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, kind in declared.answers.items():
        answers[str(status)] = {"description": "Done"}
        if kind is not None:
            answers[str(status)]["content"] = {"application/json": {"schema": refs[kind]}}
    problems = {429, *declared.errors}
    problems |= set() if is_public else {401, 403}
    problems |= {404} if rule.arguments else set()
    problems |= {413, 415, 422} if declared.body else {422} if declared.query or declared.idempotent else set()
    for status in sorted(problems):
        answers[str(status)] = {
            "description": TITLES.get(status, "Not accepted"),
            "content": {"application/problem+json": {"schema": refs[Problem]}},
        }
    return answers


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
