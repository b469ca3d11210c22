"""What the pages of activities and of jobs read, newest first.

Revision ID: 0007
Revises: 0005
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_activities_organization_id_created_at", "activities", ["organization_id", "created_at"]),
    ("ix_jobs_organization_id_finished_at", "jobs", ["organization_id", "finished_at"]),
)


def upgrade() -> None:
    for name, table, columns in _INDEXES:
        op.create_index(name, table, columns, unique=False)


def downgrade() -> None:
    for name, table, _columns in reversed(_INDEXES):
        op.drop_index(name, table_name=table)
