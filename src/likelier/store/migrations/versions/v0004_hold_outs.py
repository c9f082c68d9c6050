"""Hold-outs of segments."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "hold_outs",
        sa.Column("segment_id", sa.String(36), sa.ForeignKey("segments.id"), primary_key=True),
        sa.Column("cohort", sa.String(36), nullable=False),
        sa.Column("percent", sa.Float, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("window_days", sa.Integer, nullable=False),
        sa.Column("started", MOMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
    )
