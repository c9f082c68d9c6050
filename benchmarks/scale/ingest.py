"""How long ten million events take to come in, and how much memory.

python benchmarks/scale/ingest.py [--rows 10000000] [--events 2000000] [--folder DIR]

Makes flat rows as Parquet and CSV and XDM events as JSON lines, ingests each in a process of its own, and prints
seconds, processor seconds and peak memory.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from likelier.events.ingest import ingest
from likelier.events.mapping import parse_mapping
from likelier.lake import Lake

MAPPING = parse_mapping(
    """
    identity: {namespace: CRMID, value: customer_id}
    timestamp: timestamp
    fields:
      eventType: event_type
      commerce.purchases.value: CASE WHEN event_type = 'purchase' THEN 1 END
      commerce.order.priceTotal: amount
      productListItems.SKU: sku
      productListItems.quantity: quantity
      web.webPageDetails.siteSection: site
    """
)
FLAT = """
    SELECT 'c' || (hash(i) % 300000) AS customer_id,
        make_timestamp(CAST(1640995200000000 + (hash(i + 7) % 63072000) * 1000000 AS BIGINT)) AS "timestamp",
        CASE WHEN i % 20 = 0 THEN 'purchase' WHEN i % 5 = 0 THEN 'cart' ELSE 'view' END AS event_type,
        'sku' || (hash(i * 3) % 20000) AS sku, 1 + (i % 4) AS quantity,
        CASE WHEN i % 20 = 0 THEN (hash(i * 5) % 20000) / 100.0 END AS amount, 'site' || (i % 7) AS site
    FROM range({rows}) t(i)
"""
EVENTS = """
    SELECT printf('%012d', i) AS _id,
        strftime(make_timestamp(1640995200000000 + (i * 7919 % 63072000) * 1000000), '%Y-%m-%dT%H:%M:%SZ')
            AS "timestamp",
        CASE WHEN i % 3 = 0 THEN 'commerce.purchases' ELSE 'commerce.productViews' END AS "eventType",
        {{'CRMID': [{{'id': 'c' || (hash(i) % 100000), 'primary': true}}]}} AS "identityMap",
        CASE WHEN i % 3 = 0 THEN {{
            'purchases': {{'value': 1}},
            'order': {{'purchaseID': 'o' || i, 'priceTotal': (i % 1000) / 10.0}}
        }} END AS commerce,
        CASE WHEN i % 2 = 0 THEN [
            {{'SKU': 'prd' || (i % 1000), 'name': 'Product ' || (i % 1000), 'quantity': 1 + i % 3}}
        ] END AS "productListItems",
        {{'webPageDetails': {{'name': 'page' || (i % 50), 'URL': 'https://shop.example/' || (i % 50)}}}} AS web
    FROM range({rows}) t(i)
"""


def make(folder: Path, rows: int, events: int) -> list[Path]:
    files = [folder / "flat.parquet", folder / "flat.csv", folder / "events.jsonl"]
    flat = FLAT.format(rows=rows)
    duckdb.sql(f"COPY ({flat}) TO '{files[0]}' (FORMAT parquet)")
    duckdb.sql(f"COPY ({flat}) TO '{files[1]}' (FORMAT csv, HEADER)")
    duckdb.sql(f"COPY ({EVENTS.format(rows=events)}) TO '{files[2]}' (FORMAT json)")
    return files


def measure(file: Path, lake: str) -> None:
    start = time.monotonic()
    mapping = None if file.suffix == ".jsonl" else MAPPING
    found = ingest(Lake(lake), file.stem, [file], mapping=mapping, now=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    seconds = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{file.name:14} {found.accepted:>10,} rows {seconds:7.1f} s {found.accepted / seconds:>10,.0f} rows/s "
        f"{time.process_time():7.1f} CPU s {peak:5.2f} GB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.only:
        measure(chosen.only, str(chosen.folder))
        return
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        for file in make(Path(folder), chosen.rows, chosen.events):
            with tempfile.TemporaryDirectory(dir=folder) as lake:
                subprocess.run([sys.executable, __file__, "--only", file, "--folder", lake], check=True)
            file.unlink()


if __name__ == "__main__":
    main()
