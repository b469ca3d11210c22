"""`rushes migrate`: bring the database to this release (the Procfile's release step)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def run(revision: str = "head") -> None:
    """Upgrade to `revision`; migrations/env.py reads the address from the environment."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    command.upgrade(config, revision)
