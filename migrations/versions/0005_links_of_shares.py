"""The link of a share has a number of its own.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shares", sa.Column("link_generation", sa.Integer(), server_default="1", nullable=False))


def downgrade() -> None:
    op.drop_column("shares", "link_generation")
