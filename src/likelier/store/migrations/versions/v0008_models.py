"""Which model a run is asked to use; which it uses, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("runs", sa.Column("wish", sa.String(36)))
    op.add_column("runs", sa.Column("model", sa.JSON))
