"""The broker of the worker and scheduler processes, and the order of its middleware."""

from __future__ import annotations

import os

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AgeLimit, Pipelines, ShutdownNotifications
from periodiq import PeriodiqMiddleware

from app.core.settings import SchedulerSettings, load
from app.core.telemetry import configure_logging
from tasks.middleware import Boot, DieWithParent
from tasks.sealer import Sealer

_settings = load(SchedulerSettings, os.environ)
configure_logging("worker", level=_settings.log_level, form=_settings.log_format)

#: No Retries and no TimeLimit: attempts stand in the jobs table, and every program that is run has its own limit.
dramatiq.set_broker(
    RedisBroker(
        client=redis.Redis.from_url(
            _settings.redis_url.get_secret_value(), socket_connect_timeout=2, socket_timeout=10
        ),
        middleware=[
            AgeLimit(),
            ShutdownNotifications(),
            Pipelines(),
            PeriodiqMiddleware(skip_delay=30),
            DieWithParent(),
            Boot(),
            Sealer(),
        ],
        # A dead worker's messages go back to the queue within about a minute; by default it is chance.
        maintenance_chance=100_000,
        dead_message_ttl=3_600_000,
    )
)
