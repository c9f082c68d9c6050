"""Instances with their versions, runs, insights."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "instances",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("schedule", sa.JSON),
        sa.Column("profile_enabled", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("draft", sa.JSON),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT),
    )
    living = sa.text("deleted_at IS NULL")
    op.create_index("instances_name", "instances", ["name"], unique=True, sqlite_where=living, postgresql_where=living)
    op.create_table(
        "instance_versions",
        sa.Column("instance_id", sa.String(36), sa.ForeignKey("instances.id"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("definition", sa.JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("started_by", sa.Text, nullable=False),
        sa.Column("queued_at", MOMENT, nullable=False),
        sa.Column("as_of", MOMENT),
        sa.Column("data_versions", sa.JSON),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.Column("stage", sa.String(16)),
        sa.Column("fraction", sa.Float),
        sa.Column("rows", sa.BigInteger),
        sa.Column("stages", sa.JSON, nullable=False),
        sa.Column("timings", sa.JSON, nullable=False),
        sa.Column("scored", sa.BigInteger),
        sa.Column("auc", sa.Float),
        sa.Column("error", sa.JSON),
        sa.Column("owner", sa.Text),
        sa.Column("lease_until", MOMENT),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id", "version"],
            ["instance_versions.instance_id", "instance_versions.version"],
            name="runs_version",
        ),
    )
    active = sa.text("state IN ('queued', 'running')")
    op.create_index(
        "runs_one_active", "runs", ["instance_id"], unique=True, sqlite_where=active, postgresql_where=active
    )
    op.create_index("runs_history", "runs", ["instance_id", "queued_at"])
    op.create_table(
        "insights",
        sa.Column("run_id", sa.String(36), sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("document", sa.JSON, nullable=False),
    )
