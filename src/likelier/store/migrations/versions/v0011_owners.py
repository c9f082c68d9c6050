"""Which process is at a delivery, so that others see when it is gone."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("owner", sa.Text))
