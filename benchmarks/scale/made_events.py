"""Events of a made-up shop at any size, quickly: flat Parquet files, a month each, in the order in which they happened.

Who buys has a reason (an own rate of buying, views in the days before, an end of interest), so that there is something
to learn; the same seed gives the same events.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

MONTHS = 6
MAPPING = """
identity: {namespace: CRMID, value: customer_id}
timestamp: timestamp
id: event
fields:
  eventType: event_type
  commerce.purchases.value: CASE WHEN event_type = 'purchase' THEN 1 END
  commerce.productViews.value: CASE WHEN event_type = 'view' THEN 1 END
  commerce.checkouts.value: CASE WHEN event_type = 'cart' THEN 1 END
  search.keywords: CASE WHEN event_type = 'search' THEN category END
  commerce.order.priceTotal: amount
  productListItems.SKU: sku
  productListItems.category: category
  productListItems.quantity: quantity
  web.webPageDetails.siteSection: site
  device.type: device
  marketing.campaignName: campaign
"""
INSTANCE = {
    "name": "Buy again",
    "propensity_type": "conversion",
    "datasets": ["events"],
    "namespace": "CRMID",
    "goal": {
        "window_days": 30,
        "events": [
            {"name": "purchase", "conditions": [{"field": "commerce.purchases.value", "operator": "exists"}]},
        ],
    },
    "eligible_population": {"lookback_days": 45},
}
# Events a profile: on average 30, many of few and few of many. Each has a taste for buying and leaves one day.
PEOPLE = """
    SELECT p, {start} + CAST(u(p, 1, {seed}) * 0.6 * {span} AS BIGINT) AS joined,
        least({span} * (0.3 + 1.2 * u(p, 2, {seed})), {span}) AS stays,
        1 + CAST(floor(-36 * ln(u(p, 3, {seed}))) AS INT) AS events, u(p, 4, {seed}) AS taste
    FROM range({profiles}) t(p)
"""
EVENTS = """
    SELECT printf('c%09d', p) AS customer_id, printf('%010d-%05d', p, i) AS event,
        make_timestamp(happened) AS "timestamp",
        CASE WHEN kind < 0.03 + 0.12 * taste * taste THEN 'purchase' WHEN kind < 0.22 THEN 'cart'
            WHEN kind < 0.38 THEN 'search' WHEN kind < 0.42 THEN 'support' ELSE 'view' END AS event_type,
        'sku' || CAST(floor(2000 * pow(u(e, 6, {seed}), 3)) AS INT) AS sku,
        'category' || CAST(floor(12 * pow(u(e, 6, {seed}), 3)) AS INT) AS category,
        1 + CAST(floor(4 * pow(u(e, 7, {seed}), 4)) AS INT) AS quantity,
        CASE WHEN kind < 0.03 + 0.12 * taste * taste THEN round(5 + 95 * pow(u(e, 8, {seed}), 2), 2) END AS amount,
        'site' || CAST(floor(7 * u(e, 9, {seed})) AS INT) AS site,
        CASE WHEN u(p, 10, {seed}) < 0.6 THEN 'phone' WHEN u(e, 10, {seed}) < 0.8 THEN 'desktop' ELSE 'tablet' END
            AS device,
        CASE WHEN u(e, 11, {seed}) < 0.3 THEN 'campaign' || CAST(floor(10 * u(e, 12, {seed})) AS INT) END AS campaign
    FROM (
        SELECT *, joined + CAST(pow(u(e, 5, {seed}), 1.2) * stays AS BIGINT) AS happened, u(e, 13, {seed}) AS kind
        FROM (SELECT *, p * 100000 + i AS e FROM (SELECT *, unnest(range(events)) AS i FROM people))
    )
    WHERE happened >= {start} + {month} * {span} // {months} AND happened < {start} + ({month} + 1) * {span} // {months}
    ORDER BY happened
"""
START, SPAN = 1_704_067_200_000_000, 180 * 86_400_000_000  # 2024-01-01, in microseconds


def make(folder: Path, profiles: int, seed: int = 1) -> list[Path]:
    """Leave the files in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    engine = duckdb.connect()
    engine.execute(f"SET memory_limit = '3GB'; SET temp_directory = '{folder}/spilled'")
    engine.execute("CREATE MACRO u(x, salt, seed) AS (hash(x, salt, seed) % 1000000007 + 0.5) / 1000000008.0")
    given = {"start": START, "span": SPAN, "profiles": profiles, "seed": seed, "months": MONTHS}
    engine.execute(f"CREATE TABLE people AS {PEOPLE.format(**given)}")
    files = [folder / f"{month}.parquet" for month in range(MONTHS)]
    for month, file in enumerate(files):
        engine.execute(f"COPY ({EVENTS.format(**given, month=month)}) TO '{file}' (FORMAT parquet)")
    return files
