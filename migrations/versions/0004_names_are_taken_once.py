"""Names of clients and collections are taken once; the assets of a collection, newest first.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "uq_clients_organization_id_name", "clients", ["organization_id", sa.literal_column("lower(name)")], unique=True
    )
    op.create_index(
        "uq_collections_project_id_name", "collections", ["project_id", sa.literal_column("lower(name)")], unique=True
    )
    op.create_index("ix_assets_collection_id_created_at", "assets", ["collection_id", "created_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_assets_collection_id_created_at", table_name="assets")
    op.drop_index("uq_collections_project_id_name", table_name="collections")
    op.drop_index("uq_clients_organization_id_name", table_name="clients")
