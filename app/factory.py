"""Make the web application."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

from app.core.database import ENGINE_OPTIONS
from app.core.queue import RedisSender, send_after_commit
from app.core.settings import WebSettings, load
from app.core.storage import Storage
from app.core.telemetry import configure_logging
from app.extensions import db, limiter
from app.web import errors, metrics, security
from app.web.filters import FILTERS
from app.web.services import Services
from app.web.static_files import asset_url
from app.web.visitor import visitor_facts

ROOT = Path(__file__).resolve().parent.parent
#: Bodies of pages and of the API; masters never pass through here.
MAX_BODY_BYTES = 2 * 1024 * 1024


def create_app(settings: WebSettings | None = None) -> Flask:
    """The app for one process. Without settings, reads the environment; raises ConfigurationError."""
    settings = settings or load(WebSettings, os.environ)
    configure_logging("web", level=settings.log_level, form=settings.log_format)
    app = Flask("rushes", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static"))
    app.config.update(_flask_config(settings))
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.globals["asset_url"] = asset_url
    app.extensions["rushes"] = Services(settings, Storage(settings))
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    _database(app, settings)
    limiter.init_app(app)
    security.register(app, settings)
    errors.register(app)
    metrics.register(app)
    _blueprints(app)
    return app


def _flask_config(settings: WebSettings) -> dict[str, Any]:
    secure = bool(settings.public_url and settings.public_url.startswith("https://"))
    return {
        "SECRET_KEY": settings.secret_key.get_secret_value(),
        "SQLALCHEMY_DATABASE_URI": settings.database_url.get_secret_value(),
        "SQLALCHEMY_ENGINE_OPTIONS": ENGINE_OPTIONS,
        "MAX_CONTENT_LENGTH": MAX_BODY_BYTES,
        "SESSION_COOKIE_NAME": "rushes",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": secure,
        "PERMANENT_SESSION_LIFETIME": timedelta(days=14),
        "SEND_FILE_MAX_AGE_DEFAULT": timedelta(days=365),
        "WTF_CSRF_CHECK_DEFAULT": False,  # app.web.security checks, except for bearer tokens
        "WTF_CSRF_TIME_LIMIT": None,  # as long as the session
        "WTF_CSRF_SSL_STRICT": False,  # Referer may be cut; the token is bound to the session
        "RATELIMIT_STORAGE_URI": settings.redis_url.get_secret_value(),
        "RATELIMIT_STORAGE_OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2},
        "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": True,
    }


def _database(app: Flask, settings: WebSettings) -> None:
    db.init_app(app)
    sender = RedisSender(settings.redis_url.get_secret_value())
    db.session.session_factory.configure(info={"sender": sender, "visitor": visitor_facts})
    send_after_commit(db.session.session_factory)


def _blueprints(app: Flask) -> None:
    from app.web.account.routes import blueprint as account
    from app.web.activity.routes import blueprint as activity
    from app.web.api.routes import blueprint as api
    from app.web.assets.routes import blueprint as assets
    from app.web.auth.routes import blueprint as auth
    from app.web.control.routes import blueprint as control
    from app.web.health.routes import blueprint as health
    from app.web.jobs.routes import blueprint as jobs
    from app.web.people.routes import blueprint as people
    from app.web.projects.routes import blueprint as projects
    from app.web.review.routes import blueprint as review
    from app.web.shares.guest import blueprint as guest
    from app.web.shares.routes import blueprint as shares
    from app.web.tokens.routes import blueprint as tokens

    pages = (auth, projects, assets, review, people, account, tokens, activity, jobs, shares, guest)
    for blueprint in (*pages, api, control, health):
        app.register_blueprint(blueprint)
