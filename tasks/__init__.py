"""The actors, and the broker that they are declared on. `dramatiq tasks` and `periodiq tasks` begin here."""

from __future__ import annotations

# isort: off
from tasks import broker  # sets the broker before the actors are declared
from tasks import pipeline, upkeep

__all__ = ["broker", "pipeline", "upkeep"]
