"""What was deleted, for as long as it can be put back."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("instances", sa.Column("kept_until", MOMENT))
    op.add_column("segments", sa.Column("kept_until", MOMENT))
    living = sa.text("kept_until IS NULL")
    op.drop_index("segments_name", "segments")
    op.create_index("segments_name", "segments", ["name"], unique=True, sqlite_where=living, postgresql_where=living)
