"""The tables of the store, as they stand after the last migration."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import sqlalchemy as sa

from likelier.phrases import Phrase, dump, load

metadata = sa.MetaData()


class Moment(sa.TypeDecorator[dt.datetime]):
    """An aware moment in UTC on every database; SQLite alone would forget the zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Any) -> dt.datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: Any) -> dt.datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


class Said(sa.TypeDecorator[str]):
    """A text; a phrase keeps its parts, as JSON, so that it can be said in another language later."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:  # noqa: ARG002
        return json.dumps(dump(value)) if isinstance(value, Phrase) else value

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:  # noqa: ARG002
        return load(json.loads(value)) if value is not None and value.startswith('{"english": ') else value


instances = sa.Table(
    "instances",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("schedule", sa.JSON),
    sa.Column("profile_enabled", sa.Boolean, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("draft", sa.JSON),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("deleted_at", Moment),
    sa.Column("kept_run", sa.String(36)),
    sa.Column("kept_until", Moment),
)
sa.Index(
    "instances_name",
    instances.c.name,
    unique=True,
    sqlite_where=instances.c.deleted_at.is_(None),
    postgresql_where=instances.c.deleted_at.is_(None),
)

instance_versions = sa.Table(
    "instance_versions",
    metadata,
    sa.Column("instance_id", sa.String(36), sa.ForeignKey("instances.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("definition", sa.JSON, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("instance_id", sa.String(36), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("started_by", sa.Text, nullable=False),
    sa.Column("queued_at", Moment, nullable=False),
    sa.Column("as_of", Moment),
    sa.Column("data_versions", sa.JSON),
    sa.Column("wish", sa.String(36)),
    sa.Column("model", sa.JSON),
    sa.Column("started_at", Moment),
    sa.Column("finished_at", Moment),
    sa.Column("stage", sa.String(16)),
    sa.Column("fraction", sa.Float),
    sa.Column("rows", sa.BigInteger),
    sa.Column("stages", sa.JSON, nullable=False),
    sa.Column("timings", sa.JSON, nullable=False),
    sa.Column("scored", sa.BigInteger),
    sa.Column("auc", sa.Float),
    sa.Column("error", sa.JSON),
    sa.Column("owner", sa.Text),
    sa.Column("lease_until", Moment),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("cancel_requested", sa.Boolean, nullable=False),
    sa.ForeignKeyConstraint(
        ["instance_id", "version"], ["instance_versions.instance_id", "instance_versions.version"], name="runs_version"
    ),
)
_active = runs.c.state.in_(["queued", "running"])
# Two runs of one instance cannot be under way: the database itself refuses the second.
sa.Index("runs_one_active", runs.c.instance_id, unique=True, sqlite_where=_active, postgresql_where=_active)
sa.Index("runs_history", runs.c.instance_id, runs.c.queued_at)

insights = sa.Table(
    "insights",
    metadata,
    sa.Column("run_id", sa.String(36), sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("document", sa.JSON, nullable=False),
)

outcomes = sa.Table(
    "outcomes",
    metadata,
    sa.Column("run_id", sa.String(36), sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("document", sa.JSON, nullable=False),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("data_versions", sa.JSON, nullable=False),
    sa.Column("known_until", Moment, nullable=False),
    sa.Column("computed_at", Moment, nullable=False),
    sa.Column("corrections", sa.JSON, nullable=False),
)

segments = sa.Table(
    "segments",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("namespace", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("kept_until", Moment),
)
sa.Index(
    "segments_name",
    segments.c.name,
    unique=True,
    sqlite_where=segments.c.kept_until.is_(None),
    postgresql_where=segments.c.kept_until.is_(None),
)

segment_counts = sa.Table(
    "segment_counts",
    metadata,
    sa.Column("snapshot", sa.String(36), primary_key=True),
    sa.Column("segment_id", sa.String(36), sa.ForeignKey("segments.id"), nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("as_of", Moment, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("basis", sa.Text, nullable=False),
)
sa.Index("segment_counts_history", segment_counts.c.segment_id, segment_counts.c.at)

schedules = sa.Table(
    "schedules",
    metadata,
    sa.Column("instance_id", sa.String(36), sa.ForeignKey("instances.id"), primary_key=True),
    sa.Column("timing", sa.JSON, nullable=False),
    sa.Column("next_at", Moment),
    sa.Column("last_at", Moment),
)
sa.Index("schedules_next", schedules.c.next_at)

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("password", sa.Text),
    sa.Column("subject", sa.Text, unique=True),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("disabled_at", Moment),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("locked_until", Moment),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id"), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("expires_at", Moment),
    sa.Column("revoked_at", Moment),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("at", Moment, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("address", sa.Text),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("object_type", sa.String(32), nullable=False),
    sa.Column("object_id", sa.Text, nullable=False),
    sa.Column("object_name", sa.Text, nullable=False),
    sa.Column("before", sa.JSON),
    sa.Column("after", sa.JSON),
)
sa.Index("audit_object", audit.c.object_type, audit.c.object_id, audit.c.id)

replies = sa.Table(
    "replies",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("request", sa.String(64), nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("headers", sa.JSON),
    sa.Column("body", sa.LargeBinary),
    sa.Column("created_at", Moment, nullable=False),
)

hold_outs = sa.Table(
    "hold_outs",
    metadata,
    sa.Column("segment_id", sa.String(36), sa.ForeignKey("segments.id"), primary_key=True),
    sa.Column("cohort", sa.String(36), nullable=False),
    sa.Column("percent", sa.Float, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("window_days", sa.Integer, nullable=False),
    sa.Column("started", Moment, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
)

erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("salt", sa.String(32), nullable=False),
    sa.Column("digests", sa.JSON, nullable=False),
    sa.Column("requested_at", Moment, nullable=False),
    sa.Column("requested_by", sa.Text, nullable=False),
    sa.Column("busy_until", Moment),
    sa.Column("finished_at", Moment),
    sa.Column("counts", sa.JSON),
)

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("instance_id", sa.String(36), nullable=False),
    sa.Column("instance", sa.Text, nullable=False),
    sa.Column("run_id", sa.String(36)),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("words", sa.JSON, nullable=False),
    sa.Column("noticed_at", Moment, nullable=False),
    sa.Column("over_at", Moment),
    sa.Column("sent", sa.JSON, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_at", Moment),
    sa.Column("error", Said),
)
_lasting = alerts.c.over_at.is_(None)
# While a matter lasts there is one alert of it: the database itself refuses the second.
sa.Index(
    "alerts_lasting", alerts.c.instance_id, alerts.c.key, unique=True, sqlite_where=_lasting, postgresql_where=_lasting
)
sa.Index("alerts_waiting", alerts.c.next_at)

exports = sa.Table(
    "exports",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("segment_id", sa.String(36)),
    sa.Column("instance_id", sa.String(36)),
    sa.Column("destination", sa.JSON, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("key", sa.String(64), nullable=False),
    sa.Column("export", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("destination", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("started_by", sa.Text, nullable=False),
    sa.Column("finished_at", Moment),
    sa.Column("rows", sa.BigInteger),
    sa.Column("error", Said),
    sa.Column("owner", sa.Text),
)
sa.Index("deliveries_history", deliveries.c.started_at)
