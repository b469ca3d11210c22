"""The migrations make what the models say, and can be taken back."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect

from tests.support.running import ROOT


def configured(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["url"] = url
    return config


def test_forwards_backwards_and_forwards_again(database_url: str) -> None:
    config = configured(database_url)
    command.check(config)  # raises when the models and the tables differ
    command.downgrade(config, "base")
    engine = create_engine(database_url)
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    command.upgrade(config, "head")
    command.check(config)
    engine.dispose()
