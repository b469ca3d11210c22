"""Structured logs: one line of JSON an event, with request, job and asset ids, and nothing secret."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

#: What must never reach a log: edge tokens, SigV4 parameters, bearer tokens, passwords in URLs.
_SECRETS = (
    (re.compile(r"/v/\d{10}\.[a-z0-9]{14}\.[a-z0-9]{1,8}\.[A-Za-z0-9_-]{43}"), "/v/[token]"),
    (re.compile(r"/s/[^/\s?#\"'\\]+"), "/s/[share]"),
    (re.compile(r"([?&]X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"']+", re.IGNORECASE), r"\1[cut]"),
    (re.compile(r"/join/[A-Za-z0-9_-]{16,}"), "/join/[token]"),
    (re.compile(r"\brsh_[A-Za-z0-9_-]{20,}"), "[api token]"),
    (re.compile(r"(\w+://[^/\s:@]*:)[^@\s/]+@"), r"\1[cut]@"),
)


def scrub(text: str) -> str:
    """The text without tokens, signatures and passwords."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _scrub_event(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = scrub(value)
    return event


def configure_logging(process: str, *, level: str = "INFO", form: str = "json") -> None:
    """Send structlog's and the standard library's records to stderr in one form."""

    def name_process(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = process
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        name_process,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: Any = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _scrub_event, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("botocore", "boto3", "urllib3", "s3transfer", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
