"""A session on a Spark cluster, and what a stage may ask of it."""

from __future__ import annotations

import itertools
import os
import pickle
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

import ibis
import ibis.expr.operations as ops
import pyarrow as pa
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - as everybody calls it
from pyspark.sql.functions import arrow_udf
from pyspark.sql.pandas.types import from_arrow_type, to_arrow_schema

from likelier.backend import Answer, Asked, Done, Part, Seen, cuts
from likelier.errors import UsageError
from likelier.spark.dialect import Dialect
from likelier.spark.reach import set_by_people
from likelier.spark.there import COUNT, DONE, PACKED, PLACE, OnBatches, answer_of, on_part, on_rows, pack, unpack

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "true",  # fields that differ in case only are two
    "spark.sql.ansi.enabled": "true",  # what does not fit a type is an error, never another number
    "spark.sql.variable.substitute": "false",  # "${x}" is a text like any other
    "spark.sql.execution.arrow.maxRecordsPerBatch": "32768",
    "spark.sql.execution.arrow.maxBytesPerBatch": str(2**31 - 1),  # no limit: else each row is weighed as it goes by
    "spark.sql.codegen.hugeMethodLimit": "8000",  # Java never compiles longer methods, and those it does not are slow
}
ON_THIS_MACHINE = {  # nobody else is to talk to it
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
OF_A_RUN = {
    "spark.python.daemon.module": "likelier.spark.daemon",  # whose children need not load what it has loaded
    "spark.driver.maxResultSize": "0",  # a number a profile comes back, and the driver holds those anyway
    "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir()) / "spark-warehouse"),  # not where somebody happens to be
}
SAMPLED = 0.001  # of the rows, to see where to cut them into parts
A_PART = 500_000  # rows at least, where there are more of them than cores
QUIET = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}


class Spark:
    """Spark at a master's URL. A process has one Spark at a time: engines opened in it share the first one's master.

    What else a cluster needs to know (memory, credentials of object stores) stands in Spark's own files:
    ``$SPARK_CONF_DIR/spark-defaults.conf``.
    """

    def __init__(self, master: str = "local[*]") -> None:
        self.session = _session(master)
        self._numbers = itertools.count()
        self._views: list[str] = []
        self._small: dict[str, Any] = {}
        self._known: set[str] = set()
        self._dialect = Dialect()

    def read(self, files: Sequence[str], *, file: str | None = None) -> ibis.Table:
        frame = self.session.read.option("mergeSchema", len(files) > 1).parquet(*map(_address, files))
        if file:
            frame = frame.withColumn(file, _path_of("_metadata.file_path"))
        return self._view(frame)

    def values(self, table: pa.Table) -> ibis.Table:
        return ibis.memtable(table)

    def stream(self, expression: ibis.Table, rows: int = 131_072) -> pa.RecordBatchReader:
        schema = _schema(expression)
        # A name with a dot in it would be taken for a part of something.
        frame = self._frame(expression).toDF(*(f"c{place}" for place in range(len(schema))))
        packed = _mapped(frame, pack, f"{PACKED} binary")

        def arriving() -> Iterator[pa.RecordBatch]:
            for row in packed.toLocalIterator():
                for batch in unpack(row[PACKED]):
                    for first in range(0, batch.num_rows, rows):
                        yield batch.slice(first, rows).rename_columns(schema.names).cast(schema)

        return pa.RecordBatchReader.from_batches(schema, arriving())

    def table(self, expression: ibis.Table) -> pa.Table:
        return self._frame(expression).toArrow().cast(_schema(expression))

    def named(self, expression: ibis.Table) -> ibis.Table:
        return self._view(self._frame(expression), expression.schema())

    def repeated(self, schemas: Mapping[str, pa.Schema], asked: Asked) -> Answer:
        tables = {name: self._view(self.session.createDataFrame(schemas[name].empty_table())) for name in schemas}
        views = {name: table.get_name() for name, table in tables.items()}
        expression = asked(tables)

        def answer(rows: Mapping[str, pa.Table]) -> pa.Table:
            for name, view in views.items():
                self.session.createDataFrame(rows[name]).createOrReplaceTempView(view)
            return self.table(expression)

        return answer

    def each(self, task: Callable[[Part], Done], parts: Sequence[Part]) -> Iterable[Done]:
        if not parts:
            return []
        return self.session.sparkContext.parallelize(parts, len(parts)).map(on_part(task)).collect()

    def in_order(
        self,
        rows: ibis.Table,
        by: Sequence[str],
        task: Callable[[pa.RecordBatchReader], Done],
        seen: Seen,
        *,
        without: Sequence[str] = (),
        names: ibis.Table | None = None,
    ) -> list[Done]:
        found = self._cuts(self._frame(rows.select(by[0]) if names is None else names))
        columns = {name: f"c{place}" for place, name in enumerate(rows.columns)}
        sorting = [columns[name] for name in by]
        frame = self._frame(rows).toDF(*columns.values())
        frame = frame.repartitionById(len(found) + 1, _part(F.col(sorting[0]), found)).sortWithinPartitions(*sorting)
        frame = frame.drop(*(columns[name] for name in without))
        schema = _schema(rows.drop(*without))
        told = _mapped(frame, on_rows(task, schema), f"{PLACE} int, {COUNT} long, {DONE} binary").collect()
        if not told:
            return [task(schema.empty_table().to_reader())]
        seen(sum(row[COUNT] for row in told))
        return [pickle.loads(row[DONE]) for row in sorted(told, key=itemgetter(PLACE))]  # noqa: S301 - our own words

    def _cuts(self, names: DataFrame) -> list[str]:
        """Say where to cut; Spark's own parts by range compute every row twice, once to find that out."""
        sampled = names.sample(SAMPLED, seed=0).toArrow().column(0)
        wanted = max(int(len(sampled) / SAMPLED / A_PART), self.session.sparkContext.defaultParallelism)
        return cuts(sampled, min(wanted, int(self.session.conf.get("spark.sql.shuffle.partitions"))))

    def close(self) -> None:
        for view in self._views:
            self.session.catalog.dropTempView(view)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _view(self, frame: DataFrame, schema: ibis.Schema | None = None) -> ibis.Table:
        name = f"named_{next(self._numbers)}"
        self._register(frame, name)
        known = schema or ibis.Schema.from_pyarrow(to_arrow_schema(frame.schema, timezone="UTC"))
        return ibis.table(known, name=name)

    def _register(self, frame: DataFrame, name: str) -> None:
        frame.createOrReplaceTempView(name)
        self._views.append(name)

    def _frame(self, expression: ibis.Table) -> DataFrame:
        for table in expression.op().find(ops.InMemoryTable):
            if table.name not in self._small:
                self._register(self.session.createDataFrame(table.data.to_pyarrow(table.schema)), table.name)
                self._small[table.name] = table
        query = self._dialect.write(expression)
        for name, (asked, kind) in self._dialect.functions.items():
            if name not in self._known and name in query:
                function = arrow_udf(answer_of(asked), from_arrow_type(kind.to_pyarrow()))
                self.session.udf.register(name, function)
                self._known.add(name)
        return self.session.sql(query)


def _session(master: str) -> SparkSession:
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # the same place on every machine, unless told otherwise
    local = ON_THIS_MACHINE if master.startswith("local") else {}
    builder, theirs = SparkSession.builder.master(master).appName("likelier"), set_by_people()
    for name, value in {**QUIET, **OF_A_RUN, **local}.items():
        if name not in theirs:
            builder = builder.config(name, value)
    try:
        with _without_pandas():
            session = builder.getOrCreate().newSession()
    except (PySparkException, Py4JError, OSError) as error:
        raise UsageError(
            f"Spark does not start at '{master}': {_said(error)} It needs Java 17 or later (JAVA_HOME) and a master "
            "that it knows (LIKELIER_SPARK)."
        ) from error
    for name, value in SETTINGS.items():
        session.conf.set(name, value)
    return session


def _said(error: Exception) -> str:
    """Give the first line of what was said, Java's without its stack; it ends as a sentence does."""
    said = error.java_exception.getMessage() if isinstance(error, Py4JJavaError) else str(error)
    return f"{str(said).strip().splitlines()[0].rstrip('.')}." if said else f"{type(error).__name__}."


def _part(name: Column, cut_at: Sequence[str], first: int = 0) -> Column:
    """Say in which part a name is: how many of the cuts are not after it."""
    if not cut_at:
        return F.lit(first)
    middle = len(cut_at) // 2
    below, above = _part(name, cut_at[:middle], first), _part(name, cut_at[middle + 1 :], first + middle + 1)
    return F.when(name < cut_at[middle], below).otherwise(above)


def _mapped(frame: DataFrame, function: OnBatches, schema: str) -> DataFrame:
    with _without_pandas():
        return frame.mapInArrow(function, schema)


@contextmanager
def _without_pandas() -> Iterator[None]:
    """Leave out what PySpark says of the pandas there is: nothing here uses it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        yield


def _schema(expression: ibis.Table) -> pa.Schema:
    """Say what the answer's columns are; every moment is one in UTC, which Ibis forgets of days and the like."""
    return pa.schema([pa.field(field.name, _kept(field.type)) for field in expression.schema().to_pyarrow()])


def _kept(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp("us", "UTC") if pa.types.is_timestamp(kind) else kind


def _path_of(address: str) -> Column:
    """Undo, in a column of files' addresses, what Spark made of them; a plus is one, not a blank as in forms."""
    return F.url_decode(F.regexp_replace(F.regexp_replace(address, "^file:/+", "/"), r"\+", "%2B"))


def _address(file: str) -> str:
    r"""Write a file as Spark does: a path is of this machine, S3 has another name, and some signs are patterns.

    >>> print(_address("s3://shop/lake/a[1].parquet"), _address("/lake/b.parquet"))
    s3a://shop/lake/a\[1\].parquet file:///lake/b.parquet
    """
    schemed = re.sub("^/", "file:///", re.sub("^s3://", "s3a://", file))
    return re.sub(r"([{}\[\]*?\\])", r"\\\1", schemed)
