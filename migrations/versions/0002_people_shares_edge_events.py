"""People, shares, edge events; personal fields of the audit chain apart.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "edge_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind in ('deny', 'purge')", name=op.f("ck_edge_events_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edge_events")),
    )
    op.create_table(
        "clients",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_clients_organization_id_organizations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clients")),
    )
    op.create_index(op.f("ix_clients_organization_id"), "clients", ["organization_id"], unique=False)
    op.create_table(
        "activity_people",
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        sa.Column("salt", sa.String(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activities.id"], name=op.f("fk_activity_people_activity_id_activities")
        ),
        sa.PrimaryKeyConstraint("activity_id", name=op.f("pk_activity_people")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request_hash", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("response", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_idempotency_keys_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_table(
        "invitations",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("project_role", sa.String(), nullable=True),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_by", sa.Uuid(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["accepted_by"], ["users.id"], name=op.f("fk_invitations_accepted_by_users")),
        sa.ForeignKeyConstraint(["invited_by"], ["users.id"], name=op.f("fk_invitations_invited_by_users")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_invitations_organization_id_organizations")
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_invitations_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    op.create_index(op.f("ix_invitations_organization_id"), "invitations", ["organization_id"], unique=False)
    op.create_table(
        "shares",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("may_comment", sa.Boolean(), nullable=False),
        sa.Column("download", sa.String(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("download in ('none', 'proxy', 'master')", name=op.f("ck_shares_download")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_shares_created_by_users")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_shares_organization_id_organizations")
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_shares_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shares")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_shares_token_hash")),
    )
    op.create_index(op.f("ix_shares_project_id"), "shares", ["project_id"], unique=False)
    op.create_table(
        "guests",
        sa.Column("share_id", sa.Uuid(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["share_id"], ["shares.id"], name=op.f("fk_guests_share_id_shares"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guests")),
    )
    op.create_index(op.f("ix_guests_share_id"), "guests", ["share_id"], unique=False)
    op.create_table(
        "share_accesses",
        sa.Column("share_id", sa.Uuid(), nullable=False),
        sa.Column("guest_id", sa.Uuid(), nullable=True),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=True),
        sa.Column("ip", sa.String(), nullable=False),
        sa.Column("user_agent", sa.String(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["guest_id"], ["guests.id"], name=op.f("fk_share_accesses_guest_id_guests"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["share_id"], ["shares.id"], name=op.f("fk_share_accesses_share_id_shares"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_accesses")),
    )
    op.create_index("ix_share_accesses_share_id_created_at", "share_accesses", ["share_id", "created_at"], unique=False)
    op.create_table(
        "share_assets",
        sa.Column("share_id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.id"], name=op.f("fk_share_assets_asset_id_assets")),
        sa.ForeignKeyConstraint(
            ["share_id"], ["shares.id"], name=op.f("fk_share_assets_share_id_shares"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("share_id", "asset_id", name=op.f("pk_share_assets")),
    )
    op.create_index(op.f("ix_share_assets_asset_id"), "share_assets", ["asset_id"], unique=False)
    op.add_column("api_tokens", sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("activities", sa.Column("people_digest", sa.String(), nullable=True))
    op.create_index(
        "ix_activities_unsealed",
        "activities",
        ["organization_id", "id"],
        unique=False,
        postgresql_where=sa.text("sequence is null"),
    )
    op.add_column("comments", sa.Column("guest_id", sa.Uuid(), nullable=True))
    op.alter_column("comments", "author_id", existing_type=sa.UUID(), nullable=True)
    op.create_foreign_key(op.f("fk_comments_guest_id_guests"), "comments", "guests", ["guest_id"], ["id"])
    op.add_column("jobs", sa.Column("worker", sa.String(), nullable=True))
    op.add_column("media_scopes", sa.Column("share_id", sa.Uuid(), nullable=True))
    op.alter_column("media_scopes", "user_id", existing_type=sa.UUID(), nullable=True)
    op.create_unique_constraint(op.f("uq_media_scopes_share_id_generation"), "media_scopes", ["share_id", "generation"])
    op.create_foreign_key(
        op.f("fk_media_scopes_share_id_shares"), "media_scopes", "shares", ["share_id"], ["id"], ondelete="CASCADE"
    )
    op.add_column("previews", sa.Column("has_mp4", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column(
        "previews", sa.Column("has_storyboard", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("previews", sa.Column("has_waveform", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("previews", sa.Column("loudness", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("projects", sa.Column("client_id", sa.Uuid(), nullable=True))
    op.add_column("projects", sa.Column("wants_2160", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_foreign_key(op.f("fk_projects_client_id_clients"), "projects", "clients", ["client_id"], ["id"])
    # Autogenerate does not see check constraints.
    op.create_check_constraint(op.f("ck_comments_author"), "comments", "(author_id is null) <> (guest_id is null)")
    op.create_check_constraint(
        op.f("ck_media_scopes_holder"), "media_scopes", "(user_id is null) <> (share_id is null)"
    )
    op.drop_constraint(op.f("ck_preview_chunks_kind"), "preview_chunks", type_="check")
    op.create_check_constraint(
        op.f("ck_preview_chunks_kind"),
        "preview_chunks",
        "kind in ('video', 'audio', 'poster', 'mp4', 'storyboard', 'analysis')",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_comments_author"), "comments", type_="check")
    op.drop_constraint(op.f("ck_media_scopes_holder"), "media_scopes", type_="check")
    op.execute("delete from preview_chunks where kind not in ('video', 'audio', 'poster')")
    op.drop_constraint(op.f("ck_preview_chunks_kind"), "preview_chunks", type_="check")
    op.create_check_constraint(op.f("ck_preview_chunks_kind"), "preview_chunks", "kind in ('video', 'audio', 'poster')")
    op.execute("delete from comments where author_id is null")
    op.execute("delete from media_scopes where user_id is null")
    op.drop_column("api_tokens", "scopes")
    op.drop_constraint(op.f("fk_projects_client_id_clients"), "projects", type_="foreignkey")
    op.drop_column("projects", "wants_2160")
    op.drop_column("projects", "client_id")
    op.drop_column("previews", "loudness")
    op.drop_column("previews", "has_waveform")
    op.drop_column("previews", "has_storyboard")
    op.drop_column("previews", "has_mp4")
    op.drop_constraint(op.f("fk_media_scopes_share_id_shares"), "media_scopes", type_="foreignkey")
    op.drop_constraint(op.f("uq_media_scopes_share_id_generation"), "media_scopes", type_="unique")
    op.alter_column("media_scopes", "user_id", existing_type=sa.UUID(), nullable=False)
    op.drop_column("media_scopes", "share_id")
    op.drop_column("jobs", "worker")
    op.drop_constraint(op.f("fk_comments_guest_id_guests"), "comments", type_="foreignkey")
    op.alter_column("comments", "author_id", existing_type=sa.UUID(), nullable=False)
    op.drop_column("comments", "guest_id")
    op.drop_index("ix_activities_unsealed", table_name="activities", postgresql_where=sa.text("sequence is null"))
    op.drop_column("activities", "people_digest")
    op.drop_index(op.f("ix_share_assets_asset_id"), table_name="share_assets")
    op.drop_table("share_assets")
    op.drop_index("ix_share_accesses_share_id_created_at", table_name="share_accesses")
    op.drop_table("share_accesses")
    op.drop_index(op.f("ix_guests_share_id"), table_name="guests")
    op.drop_table("guests")
    op.drop_index(op.f("ix_shares_project_id"), table_name="shares")
    op.drop_table("shares")
    op.drop_index(op.f("ix_invitations_organization_id"), table_name="invitations")
    op.drop_table("invitations")
    op.drop_table("idempotency_keys")
    op.drop_table("activity_people")
    op.drop_index(op.f("ix_clients_organization_id"), table_name="clients")
    op.drop_table("clients")
    op.drop_table("edge_events")
