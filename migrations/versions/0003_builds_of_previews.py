"""Builds of previews: one that will replace the present one, and those that wait to be deleted.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "preview_builds",
        sa.Column("preview_id", sa.Uuid(), nullable=False),
        sa.Column("build", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("plan", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("encoder", sa.String(), nullable=False),
        sa.Column("frame_count", sa.Integer(), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["preview_id"], ["previews.id"], name=op.f("fk_preview_builds_preview_id_previews"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("preview_id", "build", name=op.f("pk_preview_builds")),
    )
    op.create_index(op.f("ix_preview_builds_retired_at"), "preview_builds", ["retired_at"], unique=False)
    op.add_column("previews", sa.Column("next_build", sa.String(), nullable=True))
    op.add_column("previews", sa.Column("next_progress", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.execute(
        "insert into preview_builds (preview_id, build, created_at, plan, encoder, frame_count) "
        "select id, build, created_at, plan, coalesce(encoder, 'libx264'), frame_count from previews "
        "where build is not null and plan is not null"
    )


def downgrade() -> None:
    op.drop_column("previews", "next_progress")
    op.drop_column("previews", "next_build")
    op.drop_index(op.f("ix_preview_builds_retired_at"), table_name="preview_builds")
    op.drop_table("preview_builds")
