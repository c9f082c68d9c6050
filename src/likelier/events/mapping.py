"""Mapping files: how the columns of a flat file become XDM fields.

::

    identity: {namespace: CRMID, value: customer_id}
    timestamp: timestamp
    id: concat_ws('-', invoice, sku)
    fields:
      commerce.purchases.value: CASE WHEN event_type = 'purchase' THEN 1 END

Every value is a scalar SQL expression. It is parsed, and refused unless it is made of column names, literals,
operators, CASE, CAST and the functions of :data:`FUNCTIONS`. `identity` may be a list, for people known in several
namespaces. Without `fields` a file keeps the XDM fields it has, so that a mapping can just say where the identity is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlglot
import yaml
from sqlglot import exp

from likelier.errors import MappingError, did_you_mean
from likelier.events import sql

KEYS = ("identity", "timestamp", "id", "fields")

FUNCTIONS = frozenset(
    "abs ceil chr coalesce concat concat_ws contains date_diff date_part date_trunc day ends_with epoch_ms exp extract "
    "floor greatest hour if ifnull least left length ln log10 lower lpad ltrim make_date make_timestamp md5 minute "
    "month nullif power prefix regexp_extract regexp_full_match regexp_matches regexp_replace replace right round rpad "
    "rtrim second sign split_part sqrt starts_with strftime strptime substr substring suffix to_timestamp trim "
    "try_strptime upper year".split()
)

_OPERATORS: tuple[type[exp.Expression], ...] = (
    exp.Column,
    exp.Identifier,
    exp.Dot,
    exp.Literal,
    exp.Null,
    exp.Boolean,
    exp.Paren,
    exp.Neg,
    exp.Not,
    exp.And,
    exp.Or,
    exp.EQ,
    exp.NEQ,
    exp.GT,
    exp.GTE,
    exp.LT,
    exp.LTE,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
    exp.Add,
    exp.Sub,
    exp.Mul,
    exp.Div,
    exp.IntDiv,
    exp.Mod,
    exp.DPipe,
    exp.Like,
    exp.ILike,
    exp.Between,
    exp.Is,
    exp.Case,
    exp.If,
    exp.Interval,
    exp.Var,
    exp.DataTypeParam,
)
_PLAIN_TYPES = {
    exp.DataType.Type[kind]
    for kind in "TINYINT SMALLINT INT BIGINT INT128 FLOAT DOUBLE DECIMAL BOOLEAN DATE TIMESTAMP TIMESTAMPTZ TIME TEXT "
    "VARCHAR UTINYINT USMALLINT UINT UBIGINT".split()
}
_TEXT_FUNCTIONS = (
    "chr concat concat_ws contains ends_with left length lower lpad ltrim md5 prefix regexp_extract regexp_full_match "
    "regexp_matches regexp_replace replace right rpad rtrim split_part starts_with strptime substr substring suffix "
    "trim try_strptime upper"
).split()


@dataclass(frozen=True)
class Expression:
    """A vetted scalar expression."""

    source: str
    tree: exp.Expression

    @property
    def column(self) -> str | None:
        """The column, when the expression is nothing but its name."""
        return _dotted(self.tree)

    def sql(self, column: Callable[[str, bool], str]) -> str:
        """Write the expression for DuckDB; `column` writes each column, told whether it is used as text."""

        def written(node: exp.Expression) -> exp.Expression:
            found = _dotted(node)
            return node if found is None else exp.Var(this=column(found, _as_text(node)))

        return _replace(self.tree.copy(), written).sql(dialect="duckdb")

    def columns(self) -> Iterator[str]:
        """Name the columns it uses."""
        yield from _columns(self.tree)


@dataclass(frozen=True)
class Identity:
    namespace: str
    value: Expression


@dataclass(frozen=True)
class FileMapping:
    """A mapping file, read and vetted."""

    text: str
    identities: tuple[Identity, ...] = ()
    timestamp: Expression | None = None
    id: Expression | None = None
    fields: Mapping[str, Expression] | None = None


def load_mapping(path: Path) -> FileMapping:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"The mapping file {path} cannot be read: {error}") from error
    return parse_mapping(text, str(path))


def parse_mapping(text: str, source: str = "mapping") -> FileMapping:
    """Read and vet a mapping.

    >>> parse_mapping("identity: {namespace: CRMID, value: who}").identities[0].value.source
    'who'
    >>> parse_mapping("identity: {namespace: CRMID, value: (SELECT 1)}")
    Traceback (most recent call last):
    likelier.errors.MappingError: mapping: identity.value: a query is not allowed in '(SELECT 1)'. Allowed are column \
names, literals, operators, CASE, CAST and scalar functions such as concat_ws, lower, coalesce.
    """
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise MappingError(f"{source} is not YAML: {error}") from error
    if not isinstance(found, dict):
        raise MappingError(f"{source} must hold the keys {', '.join(KEYS)}.")
    _known_keys(found, KEYS, source)
    fields = found.get("fields")
    if fields is not None and not isinstance(fields, dict):
        raise MappingError(f"{source}: fields must hold XDM paths, each with an expression.")
    return FileMapping(
        text=text,
        identities=tuple(_identities(found.get("identity"), source)),
        timestamp=_optional(found, "timestamp", source),
        id=_optional(found, "id", source),
        fields=None if fields is None else {_path(k, source): _vet(v, f"{source}: {k}") for k, v in fields.items()},
    )


def _identities(found: Any, source: str) -> Iterator[Identity]:
    if found is None:
        return
    for entry in found if isinstance(found, list) else [found]:
        if not isinstance(entry, dict):
            raise MappingError(f"{source}: identity must be written {{namespace: CRMID, value: a_column}}.")
        _known_keys(entry, ("namespace", "value"), f"{source}: identity")
        if not isinstance(entry.get("namespace"), str) or entry.get("value") is None:
            raise MappingError(f"{source}: identity needs both a namespace and a value.")
        yield Identity(_namespace(entry["namespace"], source), _vet(entry["value"], f"{source}: identity.value"))


def _namespace(found: str, source: str) -> str:
    if not re.fullmatch(r"\w[\w -]*", found):
        raise MappingError(f"{source}: identity.namespace '{found}' may hold letters, digits, '_', '-' and spaces.")
    return found


def _path(found: Any, source: str) -> str:
    if not isinstance(found, str) or not re.fullmatch(r"[^\s.\"']+(\.[^\s.\"']+)*", found):
        raise MappingError(f"{source}: fields: '{found}' is not an XDM path such as commerce.purchases.value.")
    if found in ("_id", "timestamp") or found.startswith("identityMap"):
        key = {"_id": "id", "timestamp": "timestamp"}.get(found, "identity")
        raise MappingError(f"{source}: fields: {found} stands under the key '{key}', beside 'fields'.")
    return ".".join(part.removeprefix("xdm:") for part in found.split("."))


def _known_keys(found: Mapping[Any, Any], known: tuple[str, ...], source: str) -> None:
    for key in found:
        if key not in known:
            raise MappingError(f"{source}: there is no key '{key}'. {did_you_mean(str(key), known)}")


def _optional(found: Mapping[str, Any], key: str, source: str) -> Expression | None:
    return None if found.get(key) is None else _vet(found[key], f"{source}: {key}")


def _vet(found: Any, where: str) -> Expression:
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        raise MappingError(f"{where}: an expression is a text such as amount or lower(email), not {found!r}.")
    text = str(found)
    try:
        tree = sqlglot.parse_one(text, dialect="duckdb")
    except (sqlglot.errors.ParseError, sqlglot.errors.TokenError, ValueError, RecursionError) as error:
        hint = "A column whose name holds spaces stands in double quotes."
        raise MappingError(f"{where}: '{text}' is not an SQL expression. {hint}") from error
    for node in tree.walk():
        if (fault := _fault(node)) is not None:
            raise MappingError(
                f"{where}: {fault} is not allowed in '{text}'. Allowed are column names, literals, operators, "
                "CASE, CAST and scalar functions such as concat_ws, lower, coalesce."
            )
    return Expression(text, tree)


def _fault(node: exp.Expression) -> str | None:
    if isinstance(node, _OPERATORS):
        return None
    if isinstance(node, exp.Cast | exp.TryCast):
        return None
    if isinstance(node, exp.DataType):
        return None if node.this in _PLAIN_TYPES else f"the type {node.sql(dialect='duckdb')}"
    if isinstance(node, exp.In):
        return None if node.args.get("query") is None and node.args.get("unnest") is None else "a query"
    if isinstance(node, exp.Query | exp.Table):
        return "a query"
    if isinstance(node, exp.AggFunc | exp.Window):
        return f"{_function(node)}, which looks at several rows,"
    if isinstance(node, exp.Func):
        called = _function(node)
        return None if called in FUNCTIONS else f"the function {called}"
    if isinstance(node, exp.Star):
        return "*"
    return f"'{node.sql(dialect='duckdb')}'"


def _function(node: exp.Expression) -> str:
    """Name a function as DuckDB calls it."""
    written = node.sql(dialect="duckdb")
    found = re.match(r"\s*(\w+)\s*\(", written)
    return found.group(1).lower() if found else written


def _dotted(node: exp.Expression | None) -> str | None:
    """Join the parts of a column name; an XDM path is parsed as a qualified column, or dots where it is long."""
    if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
        return ".".join(part.name for part in node.parts)
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        head = _dotted(node.this)
        return None if head is None else f"{head}.{node.expression.name}"
    return None


def _columns(node: exp.Expression) -> Iterator[str]:
    found = _dotted(node)
    if found is not None:
        yield found
        return
    for child in node.iter_expressions():
        yield from _columns(child)


def _replace(node: exp.Expression, written: Callable[[exp.Expression], exp.Expression]) -> exp.Expression:
    new = written(node)
    if new is not node:
        return new
    for child in list(node.iter_expressions()):
        other = _replace(child, written)
        if other is not child:
            child.replace(other)
    return node


def _as_text(node: exp.Expression) -> bool:
    """Say whether a column stands where text is wanted."""
    parent = node.parent
    if parent is None or isinstance(parent, exp.Cast | exp.TryCast | exp.DPipe | exp.Like | exp.ILike):
        return True
    if isinstance(parent, exp.EQ | exp.NEQ | exp.In):
        others = [child for child in parent.iter_expressions() if child is not node]
        return any(isinstance(other, exp.Literal) and other.is_string for other in others)
    return isinstance(parent, exp.Func) and _function(parent) in _TEXT_FUNCTIONS


def unknown_column(found: str, columns: Iterable[str], where: str) -> MappingError:
    return MappingError(f"{where} has no column '{found}'. {did_you_mean(found, columns)}".rstrip())


def quoted(column: str) -> str:
    return sql.name(column)
