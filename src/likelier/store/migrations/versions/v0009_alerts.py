"""What people are told without asking."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("instance", sa.Text, nullable=False),
        sa.Column("run_id", sa.String(36)),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("words", sa.JSON, nullable=False),
        sa.Column("noticed_at", MOMENT, nullable=False),
        sa.Column("over_at", MOMENT),
        sa.Column("sent", sa.JSON, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", MOMENT),
        sa.Column("error", sa.Text),
    )
    lasting = sa.text("over_at IS NULL")
    op.create_index(
        "alerts_lasting", "alerts", ["instance_id", "key"], unique=True, sqlite_where=lasting, postgresql_where=lasting
    )
    op.create_index("alerts_waiting", "alerts", ["next_at"])
