"""Questions written for Spark, with DuckDB's meaning of each word.

Most words mean the same on both engines. Where they do not, a run on one would end in other scores than on the other:

* Hashes are each engine's own; Java's patterns are not RE2's; lower case and white space are what a library says they
  are. These are left to DuckDB on the executors (:data:`ONLY_DUCKDB`), through a function over Arrow columns.
* Ibis writes some words in another sense: NaN as null, fractions as decimals, moments without their fractions of
  seconds, a place beyond a list's end as an error, a list's sum that forgets what came before a null. These are
  written here.
"""

from __future__ import annotations

import hashlib
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import sqlglot as sg
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.base import NULL, SQLGlotCompiler
from ibis.backends.sql.compilers.duckdb import DuckDBCompiler
from ibis.backends.sql.compilers.pyspark import PySparkCompiler

from likelier.spark.there import ANSWER, COLUMN, ROWS

ONLY_DUCKDB = (ops.Hash, ops.RegexSearch, ops.Lowercase, ops.Strip)


class Dialect(PySparkCompiler):
    """Writes Ibis expressions as Spark's SQL; `functions` are those that what was written so far may call."""

    __slots__ = ("functions",)
    SIMPLE_OPS: dict[type, str] = {}  # noqa: RUF012 - those of the parent are there; named again they would win here

    def __init__(self) -> None:
        super().__init__()
        self.functions: dict[str, tuple[str, dt.DataType]] = {}
        """By name: DuckDB's query of a column's values, and the type of the answer."""

    def write(self, expression: ibis.Table) -> str:
        return str(self.to_sqlglot(expression).sql(dialect=self.dialect))

    def visit_node(self, op: Any, **parts: Any) -> Any:
        if isinstance(op, ONLY_DUCKDB) or (isinstance(op, ops.ArrayFilter) and op.body.find(ONLY_DUCKDB)):
            return self._by_duckdb(op, parts["arg"])
        return super().visit_node(op, **parts)

    def _by_duckdb(self, op: Any, arg: Any) -> Any:
        column = ibis.table({COLUMN: op.arg.dtype}, name=ROWS)[COLUMN]
        asked = column.as_table().select(**{ANSWER: op.copy(arg=column.op()).to_expr()})
        query = DuckDBCompiler().to_sqlglot(asked).sql(dialect=DuckDBCompiler.dialect)
        name = f"DUCKDB_{hashlib.sha256(query.encode()).hexdigest()[:16].upper()}"
        self.functions[name] = query, op.dtype
        return self.f.anon[name](arg)

    def visit_Field(self, op: Any, *, rel: Any, name: str) -> Any:  # noqa: N802 - as Ibis calls it
        return SQLGlotCompiler.visit_Field(self, op, rel=rel, name=name)

    def visit_NonNullLiteral(self, op: Any, *, value: Any, dtype: dt.DataType) -> Any:  # noqa: N802
        if dtype.is_floating():  # a bare 0.1 is a decimal to Spark
            return self.cast(repr(float(value)), dtype)
        return super().visit_NonNullLiteral(op, value=value, dtype=dtype)

    def visit_IsNull(self, op: Any, *, arg: Any) -> Any:  # noqa: ARG002, N802
        return arg.is_(NULL)

    def visit_NotNull(self, op: Any, *, arg: Any) -> Any:  # noqa: ARG002, N802
        return arg.is_(sg.not_(NULL))

    def visit_ArrayIndex(self, op: Any, *, arg: Any, index: Any) -> Any:  # noqa: ARG002, N802
        return self.f.anon.try_element_at(arg, index + 1)

    def visit_ArraySum(self, op: Any, *, arg: Any) -> Any:  # noqa: N802
        return self._of_values(arg, lambda values: self._sum(values, op.dtype))

    def visit_ArrayMean(self, op: Any, *, arg: Any) -> Any:  # noqa: N802
        return self._of_values(arg, lambda values: self._sum(values, op.dtype) / self.f.anon.size(values))

    def visit_ExtractEpochSeconds(self, op: Any, *, arg: Any) -> Any:  # noqa: ARG002, N802
        return self.cast(self.f.anon.unix_micros(arg), dt.float64) / sge.convert(1_000_000)

    def _of_values(self, arg: Any, told: Any) -> Any:
        """Say something of the values of a list that are not null, null where there is none."""
        element = sg.to_identifier("value")
        values = self.f.anon.filter(arg, sge.Lambda(this=element.is_(sg.not_(NULL)), expressions=[element]))
        return self.if_(self.f.anon.size(values) > 0, told(values), NULL)

    def _sum(self, values: Any, kind: dt.DataType) -> Any:
        so_far, element = sg.to_identifier("so_far"), sg.to_identifier("value")
        add = sge.Lambda(this=self.cast(so_far + element, kind), expressions=[so_far, element])
        return self.f.anon.aggregate(values, self.cast(sge.convert(0), kind), add)
