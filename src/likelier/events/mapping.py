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
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlglot
import yaml
from sqlglot import exp

from likelier.errors import MappingError, did_you_mean
from likelier.events import sql
from likelier.phrases import join, say

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
_NUMBER_FUNCTIONS = frozenset("abs ceil epoch_ms exp floor ln log10 power round sign sqrt to_timestamp".split())
_NUMERIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg)
_COMPARING = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In, exp.NullSafeEQ, exp.NullSafeNEQ)


class Use(StrEnum):
    """What an expression uses a column as."""

    TEXT = "text"
    NUMBER = "number"
    ANY = "any"


@dataclass(frozen=True)
class Expression:
    """A vetted scalar expression."""

    source: str
    tree: exp.Expression

    @property
    def column(self) -> str | None:
        """The column, when the expression is nothing but its name."""
        return _dotted(self.tree)

    def sql(self, column: Callable[[str, Use], str]) -> str:
        """Write the expression for DuckDB; `column` writes each column, told what it is used as."""

        def written(node: exp.Expression) -> exp.Expression:
            found = _dotted(node)
            return node if found is None else exp.Var(this=column(found, _use(node)))

        return _replace(self.tree.copy(), written).sql(dialect="duckdb", comments=False)

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
        raise MappingError(
            say("The mapping file {path} cannot be read: {error}", path=path, error=str(error))
        ) from error
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
        raise MappingError(say("{source} is not YAML: {error}", source=source, error=str(error))) from error
    if not isinstance(found, dict):
        raise MappingError(say("{source} must hold the keys {known}.", source=source, known=", ".join(KEYS)))
    _known_keys(found, KEYS, source)
    fields = found.get("fields")
    if fields is not None and not isinstance(fields, dict):
        raise MappingError(say("{source}: fields must hold XDM paths, each with an expression.", source=source))
    return FileMapping(
        text=text,
        identities=tuple(_identities(found.get("identity"), source)),
        timestamp=_optional(found, "timestamp", source),
        id=_optional(found, "id", source),
        fields=None
        if fields is None
        else {_path(k, source): _vet(v, join([source, k], ": ")) for k, v in fields.items()},
    )


def _identities(found: Any, source: str) -> Iterator[Identity]:
    if found is None:
        return
    for entry in found if isinstance(found, list) else [found]:
        if not isinstance(entry, dict):
            raise MappingError(
                say("{source}: identity must be written {{namespace: CRMID, value: a_column}}.", source=source)
            )
        _known_keys(entry, ("namespace", "value"), join([source, "identity"], ": "))
        if not isinstance(entry.get("namespace"), str) or entry.get("value") is None:
            raise MappingError(say("{source}: identity needs both a namespace and a value.", source=source))
        yield Identity(
            _namespace(entry["namespace"], source), _vet(entry["value"], join([source, "identity.value"], ": "))
        )


def _namespace(found: str, source: str) -> str:
    if not re.fullmatch(r"\w[\w -]*", found):
        raise MappingError(
            say(
                "{source}: identity.namespace '{found}' may hold letters, digits, '_', '-' and spaces.",
                source=source,
                found=found,
            )
        )
    return found


def _path(found: Any, source: str) -> str:
    if not isinstance(found, str) or not re.fullmatch(r"[^\s.\"']+(\.[^\s.\"']+)*", found):
        raise MappingError(
            say(
                "{source}: fields: '{found}' is not an XDM path such as commerce.purchases.value.",
                source=source,
                found=found,
            )
        )
    if found in ("_id", "timestamp") or found.startswith("identityMap"):
        key = {"_id": "id", "timestamp": "timestamp"}.get(found, "identity")
        raise MappingError(
            say(
                "{source}: fields: {found} stands under the key '{key}', beside 'fields'.",
                source=source,
                found=found,
                key=key,
            )
        )
    return ".".join(part.removeprefix("xdm:") for part in found.split("."))


def _known_keys(found: Mapping[Any, Any], known: tuple[str, ...], source: str) -> None:
    for key in found:
        if key not in known:
            raise MappingError(
                say(
                    "{source}: there is no key '{key}'. {hint}",
                    source=source,
                    key=key,
                    hint=did_you_mean(str(key), known),
                )
            )


def _optional(found: Mapping[str, Any], key: str, source: str) -> Expression | None:
    return None if found.get(key) is None else _vet(found[key], join([source, key], ": "))


def _vet(found: Any, where: str) -> Expression:
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        raise MappingError(
            say(
                "{where}: an expression is a text such as amount or lower(email), not {found!r}.",
                where=where,
                found=found,
            )
        )
    text = str(found)
    try:
        tree = sqlglot.parse_one(text, dialect="duckdb")
    except (sqlglot.errors.ParseError, sqlglot.errors.TokenError, ValueError, RecursionError) as error:
        hint = say("A column whose name holds spaces stands in double quotes.")
        raise MappingError(
            say("{where}: '{text}' is not an SQL expression. {hint}", where=where, text=text, hint=hint)
        ) from error
    for node in tree.walk():
        if (fault := _fault(node)) is not None:
            raise MappingError(
                say(
                    "{where}: {fault} is not allowed in '{text}'. Allowed are column names, literals, operators, CASE, "
                    "CAST and scalar functions such as concat_ws, lower, coalesce.",
                    where=where,
                    fault=fault,
                    text=text,
                )
            )
    return Expression(text, tree)


def _fault(node: exp.Expression) -> str | None:
    if isinstance(node, _OPERATORS):
        return None
    if isinstance(node, exp.Cast | exp.TryCast):
        return None
    if isinstance(node, exp.DataType):
        return None if node.this in _PLAIN_TYPES else say("the type {name}", name=node.sql(dialect="duckdb"))
    if isinstance(node, exp.In):
        return None if node.args.get("query") is None and node.args.get("unnest") is None else say("a query")
    if isinstance(node, exp.Query | exp.Table):
        return say("a query")
    if isinstance(node, exp.AggFunc | exp.Window):
        return say("{function}, which looks at several rows,", function=_function(node))
    if isinstance(node, exp.Func):
        called = _function(node)
        return None if called in FUNCTIONS else say("the function {name}", name=called)
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


def _use(node: exp.Expression) -> Use:
    """Tell what a column is used as, from what stands around it."""
    parent = node.parent
    if isinstance(parent, exp.Paren):
        return _use(parent)
    if isinstance(parent, exp.If) and parent.this is node:
        return Use.ANY
    if isinstance(parent, exp.If) and isinstance(parent.parent, exp.Case):
        parent = parent.parent
    if isinstance(parent, _NUMERIC) or (isinstance(parent, exp.Func) and _function(parent) in _NUMBER_FUNCTIONS):
        return Use.NUMBER
    if isinstance(parent, (*_COMPARING, exp.Case, exp.If, exp.Coalesce, exp.Greatest, exp.Least, exp.Nullif)):
        beside = [other for other in _beside(node, parent) if other is not node]
        if any(isinstance(other, exp.Literal) and other.is_string for other in beside):
            return Use.TEXT
        if any(_is_number(other) for other in beside):
            return Use.NUMBER
        return Use.ANY if isinstance(parent, _COMPARING) else Use.TEXT
    return Use.ANY if isinstance(parent, exp.And | exp.Or | exp.Not) else Use.TEXT


def _beside(node: exp.Expression, parent: exp.Expression) -> Iterator[exp.Expression]:
    """List the values that a node is compared or chosen with."""
    if isinstance(parent, exp.Case) and parent.this is node:
        yield from (branch.this for branch in parent.args["ifs"])
    elif isinstance(parent, exp.Case):
        yield from (branch.args["true"] for branch in parent.args["ifs"])
        if parent.args.get("default") is not None:
            yield parent.args["default"]
    elif isinstance(parent, exp.If):
        yield from (parent.args[key] for key in ("true", "false") if parent.args.get(key) is not None)
    else:
        yield from parent.iter_expressions()


def _is_number(node: exp.Expression) -> bool:
    if isinstance(node, exp.Paren | exp.Neg):
        return _is_number(node.this)
    return (isinstance(node, exp.Literal) and not node.is_string) or isinstance(node, _NUMERIC)


def unknown_column(found: str, columns: Iterable[str], where: str) -> MappingError:
    return MappingError(f"{where} has no column '{found}'. {did_you_mean(found, columns)}".rstrip())


def quoted(column: str) -> str:
    return sql.name(column)
