"""Links: two ids that stand in one row, and the moment from which that is known.

An id is named by its namespace and itself, joined by a character that no namespace can hold. What is written where
there is no id (``null``, ``unknown``, zeros) names nobody. Within a row the first id of every namespace is linked with
those of the others, and with the further ids of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import ibis
from ibis.expr.types import BooleanValue, StringValue

from likelier.datasets import Dataset
from likelier.events.schema import IDENTITY, OTHERS

BETWEEN = "\x1f"
NOBODY = (
    *("null", "none", "nil", "nan", "na", "n/a", "undefined", "unknown", "anonymous", "guest", "visitor"),
    *("(none)", "not set", "(not set)", "not_set", "not available", "-1"),
)
NO_DIGITS = "^[0-]*$"
"""Nothing, zeros, or the empty UUID."""


def node(namespace: str, identity: str) -> str:
    """Name an id.

    >>> parted(node("CRMID", "c42"))
    ('CRMID', 'c42')
    """
    return f"{namespace}{BETWEEN}{identity}"


def parted(name: str) -> tuple[str, str]:
    """Give the namespace and the id that a node names."""
    namespace, _, identity = name.partition(BETWEEN)
    return namespace, identity


def names_nobody(identity: StringValue) -> BooleanValue:
    """Say whether a text is what is written where there is no id."""
    bare = identity.strip().lower()
    return bare.isin(NOBODY) | bare.re_search(NO_DIGITS)


def node_of(rows: ibis.Table, namespace: str) -> StringValue:
    """Name the first id of a namespace in each row, null where there is none."""
    column = f"{IDENTITY}{namespace}"
    return _named(namespace, rows[column]) if column in rows.columns else ibis.null("string")


def person_of(rows: ibis.Table, dataset: Dataset, namespace: str) -> StringValue:
    """Name the id that a row counts for: that of a namespace where it has one, else the first of the others."""
    others = [one for one in dataset.namespaces if one != namespace]
    return ibis.coalesce(*(node_of(rows, one) for one in (namespace, *others)))


def links(datasets: Sequence[tuple[Dataset, ibis.Table]]) -> ibis.Table | None:
    """Give the links of some datasets: `a` before `b`, `first` and `last` seen together, in how many `rows`.

    None when no dataset could hold any.
    """
    found = [pairs for dataset, rows in datasets for pairs in _pairs(dataset, rows)]
    if not found:
        return None
    every = ibis.union(*found) if len(found) > 1 else found[0]
    told = every.filter(every.x != every.y)
    seen = told.mutate(a=ibis.least(told.x, told.y), b=ibis.greatest(told.x, told.y))
    return seen.group_by(["a", "b"]).aggregate(first=seen["first"].min(), last=seen["last"].max(), rows=seen.rows.sum())


def _pairs(dataset: Dataset, rows: ibis.Table) -> list[ibis.Table]:
    found = [
        _links(rows, (one, rows[f"{IDENTITY}{one}"]), (other, rows[f"{IDENTITY}{other}"]))
        for one, other in combinations(dataset.namespaces, 2)
    ]
    for namespace in dataset.namespaces:
        first, others = f"{IDENTITY}{namespace}", f"{IDENTITY}{namespace}{OTHERS}"
        if others in rows.columns:
            several = rows.filter(rows[others].length() > 0)
            each = several.select("timestamp", first, other=several[others].unnest())
            found.append(_links(each, (namespace, each[first]), (namespace, each.other)))
    return found


def _links(rows: ibis.Table, one: tuple[str, StringValue], other: tuple[str, StringValue]) -> ibis.Table:
    """Give the pairs of ids first, and only of them what they are called: there are many more rows than pairs."""
    told = rows.select("timestamp", x=one[1], y=other[1])
    seen = told.group_by(["x", "y"]).aggregate(first=told.timestamp.min(), last=told.timestamp.max(), rows=told.count())
    kept = seen.filter(seen.x.notnull() & seen.y.notnull() & ~(names_nobody(seen.x) | names_nobody(seen.y)))
    x, y = (ibis.literal(f"{name}{BETWEEN}") + kept[side] for name, side in ((one[0], "x"), (other[0], "y")))
    return kept.select("first", "last", "rows", x=x, y=y)


def _named(namespace: str, identity: StringValue) -> StringValue:
    return ibis.ifelse(names_nobody(identity), ibis.null("string"), ibis.literal(f"{namespace}{BETWEEN}") + identity)
