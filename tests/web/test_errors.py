"""What people are told while the database is away."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.core.settings import WebSettings, load
from app.factory import create_app
from tests.core.test_settings import WEB


@pytest.fixture
def client() -> FlaskClient:
    """A web whose database does not answer (nothing listens on port 9 of this machine)."""
    return create_app(load(WebSettings, {**WEB, "DATABASE_URL": "postgresql://u:p@127.0.0.1:9/x"})).test_client()


def test_the_api_says_try_again(client: FlaskClient) -> None:
    answer = client.get("/api/assets", headers={"Authorization": "Bearer rsh_x", "Host": "localhost"})
    assert (answer.status_code, answer.json["code"]) == (503, "database_unavailable")  # type: ignore[index]
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["Retry-After"] == "5"


def test_a_page_says_so_in_words(client: FlaskClient) -> None:
    with client.session_transaction(base_url="http://localhost/") as session:
        session["_user_id"] = "01a1fc16-92b6-7566-bb41-b4aa0313c55a"  # somebody's cookie: asks the database who
    answer = client.get("/", headers={"Host": "localhost"})
    assert answer.status_code == 503
    assert "database does not answer" in answer.text


def test_readiness_tells_the_platform(client: FlaskClient) -> None:
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200
