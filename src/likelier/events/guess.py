"""A first mapping for a flat file, from the names of its columns and what is in them.

A guess is for a person to look at and correct: it says nothing that the file does not suggest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from likelier.errors import UsageError
from likelier.events import sql
from likelier.events.sources import format_of
from likelier.phrases import say

ROWS = 20_000
FEW = 12
READERS = {"csv": "read_csv", "parquet": "read_parquet", "json": "read_json"}

_IDENTITIES = (
    (r"e?mail", "email"),
    (r"phone|msisdn", "phone"),
    (r"ecid|mcid", "ECID"),
    (r"(customer|client|user|member|person|household|account|crm|profile|visitor)_?(id|no|nr|number|key)?", "CRMID"),
    (r"uid|id", "CRMID"),
)
_TIMES = r"(event_?)?(timestamp|time|datetime|date|ts|created(_at)?|occurred(_at)?)"
_TYPES = r"(event_?)?(type|name|action|event)"
_ORIGINS: tuple[tuple[str, str], ...] = (
    (r"sku|stock_?code|product_?id|item_?id|article", "productListItems.SKU"),
    (r"description|product_?name|item_?name|product", "productListItems.name"),
    (r"quantity|qty|units", "productListItems.quantity"),
    (r"unit_?price|price", "productListItems.price"),
    (r"amount|total|revenue|value|price_?total|sales", "commerce.order.priceTotal"),
    (r"(order|invoice|basket|transaction|purchase)_?(id|no|number)?", "commerce.order.purchaseID"),
    (r"currency(_?code)?", "commerce.order.currencyCode"),
    (r"country", "placeContext.geo.country"),
    (r"country_?code", "placeContext.geo.countryCode"),
    (r"page(_?name)?", "web.webPageDetails.name"),
    (r"url|page_?url", "web.webPageDetails.URL"),
    (r"referr?er", "web.webReferrer.URL"),
    (r"campaign(_?(name|id))?", "marketing.campaignName"),
    (r"(search_?)?(keywords?|query)", "search.keywords"),
    (r"plan(_?name)?", "planName"),
)
_DEEDS: tuple[tuple[str, str], ...] = (
    (r"purchase|order|buy|sale|transaction|bought", "commerce.purchases.value"),
    (r"(product|item)[_ .]?view|view[_ .]?(product|item)|view", "commerce.productViews.value"),
    (r"(add.*(cart|basket))|cart|basket", "commerce.productListAdds.value"),
    (r"remove.*(cart|basket)", "commerce.productListRemovals.value"),
    (r"check_?out", "commerce.checkouts.value"),
    (r"(page[_ .]?view|visit).*", "web.webPageDetails.pageViews.value"),
    (r"(link)?[_ .]?click", "web.webInteraction.linkClicks.value"),
    (r"install", "application.installs.value"),
    (r"launch|open", "application.launches.value"),
)


@dataclass(frozen=True)
class FileColumn:
    """A column of a file: its Arrow type, some values, and all of them when there are few."""

    name: str
    type: str
    examples: tuple[str, ...]
    few: tuple[str, ...] = ()


@dataclass(frozen=True)
class Peek:
    """The beginning of a file; `is_xdm` when it needs no mapping."""

    columns: tuple[FileColumn, ...]
    is_xdm: bool


def peek(file: Path) -> Peek:
    """Look at the beginning of a file."""
    source = f"{READERS[format_of(file)]}({sql.text(str(file))})"
    try:
        with duckdb.connect(":memory:") as desk:
            rows = desk.sql(f"SELECT * FROM {source} LIMIT {ROWS}").to_arrow_table()
            columns = tuple(_column(desk, rows, name) for name in rows.column_names)
    except duckdb.Error as error:
        raise UsageError(
            say("'{name}' cannot be read: {error}", name=file.name, error=str(error).splitlines()[0])
        ) from error
    return Peek(columns, _is_xdm(rows.column_names))


def guess_mapping(columns: Iterable[FileColumn]) -> dict[str, Any]:
    """Write a mapping document for columns.

    >>> guess_mapping([
    ...     FileColumn("customer_id", "string", ("c1",)), FileColumn("timestamp", "timestamp[us]", ()),
    ...     FileColumn("event_type", "string", (), ("purchase", "return")), FileColumn("amount", "double", ()),
    ... ])["fields"]["commerce.purchases.value"]
    "CASE WHEN event_type = 'purchase' THEN 1 END"
    """
    left = {column.name: column for column in columns}
    who = _who(left)
    when = next((name for name, column in left.items() if _fits(_TIMES, name) or _is_moment(column)), None)
    found: dict[str, Any] = {}
    if who:
        found["identity"] = {"namespace": who[1], "value": sql_name(who[0])}
        left.pop(who[0])
    if when:
        found["timestamp"] = sql_name(when)
        left.pop(when)
    found["fields"] = _fields(left)
    return found


def _fields(columns: Mapping[str, FileColumn]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, column in columns.items():
        if _fits(_TYPES, name) and "eventType" not in fields:
            fields["eventType"] = sql_name(name)
            fields |= _deeds(column)
        else:
            path = next((path for pattern, path in _ORIGINS if _fits(pattern, name)), None)
            fields[path if path and path not in fields else _own(name)] = sql_name(name)
    return fields


def _deeds(column: FileColumn) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in column.few:
        path = next((path for pattern, path in _DEEDS if _fits(pattern, value)), None)
        if path and path not in found:
            found[path] = f"CASE WHEN {sql_name(column.name)} = {sql.text(value)} THEN 1 END"
    return found


def _who(columns: Mapping[str, FileColumn]) -> tuple[str, str] | None:
    for pattern, namespace in (*_IDENTITIES[3:4], *_IDENTITIES[:3], *_IDENTITIES[4:]):
        for name in columns:
            if _fits(pattern, name):
                return name, namespace
    return None


def sql_name(column: str) -> str:
    """Write a column's name as a mapping does: in quotes only where it needs them."""
    return column if re.fullmatch(r"[A-Za-z_]\w*", column) else sql.name(column)


def _own(name: str) -> str:
    """Give a column that means nothing known a path of its own."""
    return re.sub(r"[^\w]+", "_", name).strip("_") or "column"


def _fits(pattern: str, name: str) -> bool:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip()).lower()
    return re.fullmatch(pattern, re.sub(r"[\s-]+", "_", snake)) is not None


def _is_moment(column: FileColumn) -> bool:
    return column.type.startswith(("timestamp", "date"))


def _is_xdm(names: Iterable[str]) -> bool:
    plain = {name.removeprefix("xdm:").partition(".")[0] for name in names}
    return "timestamp" in plain and bool(plain & {"identityMap", "endUserIDs"})


def _column(desk: Any, rows: Any, name: str) -> FileColumn:
    column = sql.name(name)
    kind = str(rows.schema.field(name).type)
    query = f"SELECT {column}::VARCHAR AS v FROM rows WHERE {column} IS NOT NULL GROUP BY v ORDER BY count(*) DESC, v"
    values = [str(value)[:60] for (value,) in desk.sql(f"{query} LIMIT {FEW + 1}").fetchall()]
    return FileColumn(name, kind, tuple(values[:3]), tuple(values) if len(values) <= FEW else ())
