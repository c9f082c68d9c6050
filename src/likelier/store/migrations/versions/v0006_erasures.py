"""Proofs of who was deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("digests", sa.JSON, nullable=False),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("requested_by", sa.Text, nullable=False),
        sa.Column("busy_until", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.Column("counts", sa.JSON),
    )
