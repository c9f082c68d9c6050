"""The tasks of the tournament: who is asked what, when, and what happened. Nothing here is seen by our own code.

A task is laid out as a folder that every competitor reads, all moments in UTC without saying so:

``events.parquet``    customer_id, timestamp, event_type, every flat column, and `is_goal`: the event meets the goal
``profiles.parquet``  customer_id, known_since and attributes, where there are any
``examples.parquet``  customer_id, cut_off, label: everybody eligible at every cut-off of the grid
``task.json``         window_days, lookback_days and the cut-offs that judge

A competitor asked about the cut-off T may use events and attributes before T and labels whose outcome window closed by
T. Labels are read from the raw files by SQL of their own, so our windows are checked on the way.
"""

import datetime as dt
import json
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import yaml

from likelier.events.ingest import ingest
from likelier.events.mapping import parse_mapping
from likelier.lake import Lake
from likelier.simulate import simulate

EXAMPLES = Path(__file__).parents[2] / "examples"
MOST_JUDGES = 4
FEW_JUDGES = 4  # with fewer of them an outcome window apart, judges stand a third of it apart
GRID_PER_WINDOW = 3
LEAST_EACH = 500  # examples of either outcome before a judge
LEAST_JUDGED = 40  # of either outcome at a judge
EVER = "TIMESTAMP '2000-01-01 00:00:00'"


@dataclass(frozen=True)
class Source:
    """Data: where it lies as a flat table, and how it comes into the lake."""

    name: str
    flat: str  # SQL that selects customer_id, timestamp, event_type and more FROM the files at {data}
    mapping: str | None  # a mapping file of `examples/`, or its text
    profiles: str | None = None
    profiles_mapping: str | None = None


@dataclass(frozen=True)
class Task:
    """A goal among a population, said twice: for us as an instance, for the judge as SQL over the flat events."""

    name: str
    source: Source
    window_days: int
    lookback_days: int
    goal: list[dict]
    goal_sql: str
    population: dict = field(default_factory=dict)
    member_sql: str = "true"  # which events make a person a member of the population
    most_members: int | None = None  # with more such events in the lookback a person is left out
    attributes: list[dict] = field(default_factory=list)

    def instance(self) -> dict:
        datasets = [self.source.name, *([f"{self.source.name}_people"] if self.source.profiles else [])]
        return {
            "name": self.name,
            "propensity_type": "conversion",
            "datasets": datasets,
            "namespace": "CRMID",
            "goal": {"events": [{"name": "goal", "conditions": self.goal}], "window_days": self.window_days},
            "eligible_population": {"lookback_days": self.lookback_days, **self.population},
            "profile_attributes": self.attributes,
        }


def utc(column: str) -> str:
    return f"make_timestamp(epoch_us({column}))"


def of_type(value: str) -> list[dict]:
    return [{"field": "eventType", "operator": "equals", "value": value}]


RETAIL = Source(
    "online_retail",
    "SELECT * FROM '{data}/online_retail.parquet'",
    (EXAMPLES / "online_retail.mapping.yaml").read_text(),
)
ORDERS = Source(
    "online_orders",
    """SELECT customer_id, min(timestamp) AS timestamp, event_type, invoice_id, sum(amount) AS amount,
       sum(quantity) AS quantity, count(DISTINCT sku) AS articles, max(price) AS dearest, any_value(country) AS country
       FROM '{data}/online_retail.parquet' GROUP BY customer_id, event_type, invoice_id""",
    """
identity: {namespace: CRMID, value: customer_id}
timestamp: timestamp
fields:
  eventType: event_type
  commerce.purchases.value: CASE WHEN event_type = 'purchase' THEN 1 END
  commerce.returns.value: CASE WHEN event_type = 'return' THEN 1 END
  commerce.order.priceTotal: amount
  commerce.order.quantity: quantity
  commerce.order.articles: articles
  commerce.order.dearest: dearest
  placeContext.geo.country: country
""",
)
JOURNEY = Source(
    "completejourney",
    "SELECT * FROM '{data}/completejourney.parquet'",
    (EXAMPLES / "completejourney.mapping.yaml").read_text(),
    f"SELECT {EVER} AS known_since, * FROM '{{data}}/completejourney_demographics.parquet'",
    (EXAMPLES / "completejourney_demographics.mapping.yaml").read_text(),
)
MESSAGES = Source(
    "collegemsg", "SELECT * FROM '{data}/collegemsg.parquet'", (EXAMPLES / "collegemsg.mapping.yaml").read_text()
)
SIMULATED_PROFILES = """SELECT "identityMap.CRMID" AS customer_id, make_timestamp(epoch_us(timestamp)) AS known_since,
    * EXCLUDE ("identityMap.CRMID", timestamp) FROM '{data}/profiles-*.parquet'"""


def simulated(kind: str) -> Source:
    """A simulated shop as XDM; its flat table has every column that is not a list."""
    return Source(f"simulated_{kind}", SIMULATED_FLAT, None, SIMULATED_PROFILES, None)


SIMULATED_FLAT = """SELECT "identityMap.CRMID" AS customer_id, timestamp, eventType AS event_type,
    COLUMNS(lambda name: name NOT IN ('_id', 'identityMap.CRMID', 'timestamp', 'eventType')
            AND name NOT LIKE 'productListItems%') FROM read_parquet('{data}/events-*.parquet', union_by_name = true)
    WHERE "identityMap.CRMID" IS NOT NULL"""
HOUSEHOLD = yaml.safe_load((EXAMPLES / "completejourney_coupon_60.yaml").read_text())["profile_attributes"]
SHOPPER = [
    {"name": "Age band", "field": "person.ageBand"},
    {"name": "Country", "field": "homeAddress.countryCode"},
    {"name": "Loyalty tier", "field": "loyalty.tier"},
]
BOUGHT = [{"field": "commerce.purchases.value", "operator": "exists"}]
FRESH = [{"field": "productListItems.department", "operator": "equals", "value": "PRODUCE"}]
RUNNING = [{"field": "subscription.status", "operator": "in", "value": ["active", "pastDue"]}]

TASKS = [
    Task("retail, buy in 30 days", RETAIL, 30, 120, BOUGHT, "event_type = 'purchase'"),
    Task("retail, buy in 90 days", RETAIL, 90, 120, BOUGHT, "event_type = 'purchase'"),
    Task("retail, return in 30 days", RETAIL, 30, 120, of_type("return"), "event_type = 'return'"),
    Task(
        "orders, second purchase in 60 days", ORDERS, 60, 90, BOUGHT, "event_type = 'purchase'",
        {"events": [{"name": "bought", "conditions": BOUGHT}],
         "exclude": [{"name": "bought twice", "conditions": BOUGHT, "at_least": 2}]},
        "event_type = 'purchase'", most_members=1,
    ),
    Task("journey, redeem a coupon in 60 days", JOURNEY, 60, 120, of_type("coupon_redeemed"),
         "event_type = 'coupon_redeemed'", attributes=HOUSEHOLD),
    Task("journey, buy in 7 days", JOURNEY, 7, 45, BOUGHT, "event_type = 'purchase'", attributes=HOUSEHOLD),
    Task(
        "journey, answer a campaign in 30 days", JOURNEY, 30, 30, of_type("coupon_redeemed"),
        "event_type = 'coupon_redeemed'", {"events": [{"name": "asked", "conditions": of_type("campaign_received")}]},
        "event_type = 'campaign_received'", attributes=HOUSEHOLD,
    ),
    Task("journey, buy fresh produce in 14 days", JOURNEY, 14, 60, FRESH,
         "event_type = 'purchase' AND department = 'PRODUCE'", attributes=HOUSEHOLD),
    Task("messages, send one in 14 days", MESSAGES, 14, 45, of_type("message_sent"), "event_type = 'message_sent'"),
    Task("simulated shop, buy in 30 days", simulated("shop"), 30, 45, BOUGHT,
         '"commerce.purchases.value" IS NOT NULL', attributes=SHOPPER),
    Task(
        "simulated media, cancel in 30 days", simulated("media"), 30, 100, of_type("subscription.cancellation"),
        "event_type = 'subscription.cancellation'", {"events": [{"name": "subscribed", "conditions": RUNNING}]},
        "\"subscription.status\" IN ('active', 'pastDue')", attributes=SHOPPER,
    ),
]  # fmt: skip


def lay_out(task: Task, data: Path, work: Path) -> Path:
    """Write a task's folder, once."""
    folder = work / "tasks" / task.name
    if (folder / "task.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    place = _made(task.source, data, work)
    database = duckdb.connect()
    database.sql(
        f"CREATE TABLE events AS SELECT * REPLACE ({utc('timestamp')} AS timestamp), ({task.goal_sql}) AS is_goal, "
        f"({task.member_sql}) AS is_member FROM ({task.source.flat.format(data=place)}) ORDER BY customer_id, timestamp"
    )
    database.sql(f"COPY (SELECT * EXCLUDE (is_member) FROM events) TO '{folder / 'events.parquet'}'")
    if task.source.profiles:
        query = task.source.profiles.format(data=place)
        database.sql(f"COPY ({query} ORDER BY customer_id, known_since) TO '{folder / 'profiles.parquet'}'")
    judges = _examples(task, database, folder)
    (folder / "task.json").write_text(
        json.dumps(
            {
                "window_days": task.window_days,
                "lookback_days": task.lookback_days,
                "judges": [moment.isoformat() for moment in judges],
            }
        )
    )
    return folder


def _examples(task: Task, database: duckdb.DuckDBPyConnection, folder: Path) -> list[dt.datetime]:
    first, last = database.execute("SELECT min(timestamp), max(timestamp) FROM events").fetchone()
    window = dt.timedelta(days=task.window_days)
    end = last.replace(hour=0, minute=0, second=0, microsecond=0) + (last.time() != dt.time()) * dt.timedelta(days=1)
    earliest = first + dt.timedelta(days=min(30, task.lookback_days))
    grid, moment = [], end - window
    while moment >= earliest:
        grid.append(moment)
        moment -= window / GRID_PER_WINDOW
    database.execute("CREATE TABLE grid (cut_off TIMESTAMP)")
    database.executemany("INSERT INTO grid VALUES (?)", [[moment] for moment in grid])
    limit = f"HAVING count(*) <= {task.most_members}" if task.most_members else ""
    database.sql(f"""
        CREATE TABLE examples AS
        WITH members AS (
            SELECT cut_off, customer_id FROM grid JOIN events
            ON timestamp < cut_off AND timestamp >= cut_off - INTERVAL {task.lookback_days} DAY AND is_member
            GROUP BY cut_off, customer_id {limit}),
        reached AS (
            SELECT DISTINCT cut_off, customer_id FROM grid JOIN events
            ON timestamp >= cut_off AND timestamp < cut_off + INTERVAL {task.window_days} DAY AND is_goal)
        SELECT customer_id, cut_off, reached.customer_id IS NOT NULL AS label
        FROM members LEFT JOIN reached USING (cut_off, customer_id) ORDER BY customer_id, cut_off""")
    database.sql(f"COPY examples TO '{folder / 'examples.parquet'}'")
    counted = "SELECT count(*) FILTER (label), count(*) FILTER (NOT label) FROM examples WHERE "
    ready = first + dt.timedelta(days=max(30, task.lookback_days)) + window  # the history that domain and floors ask
    steps = [moment for moment in grid[::GRID_PER_WINDOW] if moment >= ready]
    judges: list[dt.datetime] = []
    for moment in steps if len(steps) >= FEW_JUDGES else [moment for moment in grid if moment >= ready]:
        known = database.execute(counted + "cut_off <= ?", [moment - window]).fetchone()
        asked = database.execute(counted + "cut_off = ?", [moment]).fetchone()
        if min(known) >= LEAST_EACH and min(asked) >= LEAST_JUDGED:
            judges.append(moment)
    return sorted(spread_out(judges, MOST_JUDGES))


def spread_out(moments: list[dt.datetime], most: int) -> list[dt.datetime]:
    """Choose at most so many, evenly, with the first and the last."""
    if len(moments) <= most:
        return moments
    return [moments[round(k * (len(moments) - 1) / (most - 1))] for k in range(most)]


def _made(source: Source, data: Path, work: Path) -> Path:
    """Give the folder of a source's files; simulated ones are made."""
    if not source.name.startswith("simulated_"):
        return data
    folder = work / source.name
    if not (folder / "truth.parquet").exists():
        simulate(folder, profiles=5000, days=300, seed=11, kind=source.name.removeprefix("simulated_"))
    return folder


def ingested(task: Task, data: Path, work: Path) -> Lake:
    """Give a lake that holds the task's source."""
    lake = Lake(str(work / "lake"))
    source, place = task.source, _made(task.source, data, work)
    if not lake.exists(f"datasets/{source.name}/events"):
        if source.mapping is None:
            _ingest(lake, source.name, sorted(place.glob("events-*.parquet")), None, "events")
        else:
            _ingest(
                lake,
                source.name,
                [_file(source.flat, place, work / f"{source.name}.parquet")],
                source.mapping,
                "events",
            )
    if source.profiles and not lake.exists(f"datasets/{source.name}_people/profiles"):
        files = sorted(place.glob("profiles-*.parquet")) or [place / "completejourney_demographics.parquet"]
        _ingest(lake, f"{source.name}_people", files, source.profiles_mapping, "profiles")
    return lake


def _file(query: str, data: Path, file: Path) -> Path:
    database = duckdb.connect()
    database.sql(f"COPY ({query.format(data=data)} ORDER BY customer_id, timestamp) TO '{file}'")
    return file


def _ingest(lake: Lake, name: str, files: list[Path], mapping: str | None, kind: str) -> None:
    parsed = parse_mapping(mapping) if mapping else None
    done = ingest(lake, name, files, mapping=parsed, kind=kind, now=dt.datetime.now(dt.UTC))
    assert not done.rejected, f"{name}: {done}"
