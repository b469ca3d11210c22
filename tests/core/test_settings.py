"""Settings: typed, complete, all faults at once, no secret in a message."""

from __future__ import annotations

import pytest

from app.core.errors import ConfigurationError
from app.core.settings import EdgeSettings, ReleaseSettings, WebSettings, WorkerSettings, load, role_variables

WEB = {
    "DATABASE_URL": "postgres://rushes:hidden@db/rushes",
    "S3_ENDPOINT": "https://s3.example/",
    "S3_UPLOADER_ACCESS_KEY": "u",
    "S3_UPLOADER_SECRET_KEY": "su",
    "S3_DOWNLOADER_ACCESS_KEY": "d",
    "S3_DOWNLOADER_SECRET_KEY": "sd",
    "SECRET_KEY": "k" * 32,
    "EDGE_SIGNING_KEY": f"k2:{'A' * 43},k1:{'B' * 43}",
}


def test_a_complete_environment() -> None:
    settings = load(WebSettings, WEB)
    assert settings.database_url.get_secret_value() == "postgresql+psycopg://rushes:hidden@db/rushes"
    assert settings.s3_endpoint == "https://s3.example"
    assert settings.edge_signing_key.newest == "k2"
    assert settings.roles["uploader"].access_key == "u"
    assert settings.bucket("masters") == "masters"


def test_all_faults_are_listed_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(WebSettings, {"EDGE_SIGNING_KEY": "k1:short", "PREVIEW_TTL": "soon", "S3_ENDPOINT": "s3.example"})
    text = str(caught.value)
    for name in (
        "DATABASE_URL",
        "SECRET_KEY",
        "EDGE_SIGNING_KEY",
        "PREVIEW_TTL",
        "S3_ENDPOINT",
        *role_variables("uploader"),
        *role_variables("downloader"),
    ):
        assert name in text
    assert "short" not in text.replace("shorter", "")


def test_each_process_demands_only_its_own() -> None:
    assert load(ReleaseSettings, {"DATABASE_URL": WEB["DATABASE_URL"]})
    with pytest.raises(ConfigurationError) as caught:
        load(EdgeSettings, {"S3_ENDPOINT": "http://s3", "EDGE_SIGNING_KEY": WEB["EDGE_SIGNING_KEY"]})
    assert not any("DATABASE_URL" in fault or "PROMOTER" in fault for fault in caught.value.faults)
    with pytest.raises(ConfigurationError) as caught:
        load(WorkerSettings, WEB)
    assert {f.split()[0] for f in caught.value.faults} >= set(role_variables("promoter"))
    assert not any("UPLOADER" in fault for fault in caught.value.faults)


def test_aliases_and_empty_values() -> None:
    other = {k: v for k, v in WEB.items() if k not in ("DATABASE_URL", "S3_ENDPOINT")}
    settings = load(
        WebSettings,
        {**other, "POSTGRES_URL": "postgresql://x@y/z", "WASABI_ENDPOINT": "https://w.example", "EDGE_BASE_URL": ""},
    )
    assert settings.s3_endpoint == "https://w.example"
    assert settings.edge_base_url is None


def test_secrets_do_not_show() -> None:
    settings = load(WebSettings, WEB)
    assert "hidden" not in repr(settings)
    assert "k" * 32 not in repr(settings)
    assert "su" not in repr(settings.roles["uploader"])
