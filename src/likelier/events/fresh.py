"""What of a batch is new: the query that gives the rows to append.

**Events** are known by their `_id`: of rows with the same one the first counts, and none does when the table has it.

**Profiles** are known by what they say. Rows of a batch about the same profile at the same moment become one, where of
two values the later line's stands. Rows without a moment state what has always been when they are the first of their
dataset; later they state what is since now, and say nothing when that is what was known last.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from likelier.events import sql
from likelier.events.known import KnownIds
from likelier.events.schema import IDENTITY, OTHERS
from likelier.timespan import to_us

PLACE = (".file", ".line")
MOST_CELLS = 30_000_000  # sorted at once: they take some 500 MB


@dataclass(frozen=True)
class Staged:
    """The usable rows of a batch: a relation, its columns that hold anything, and the table's files they go to."""

    desk: duckdb.DuckDBPyConnection
    relation: str
    columns: tuple[str, ...]
    identities: tuple[str, ...]  # those most often given first
    there: Sequence[str]
    known: KnownIds | None = None

    @property
    def order(self) -> str:
        """Sort by identity and time, so that later readers find each profile's rows together."""
        who = f"coalesce({', '.join(map(sql.name, self.identities))})" if self.identities else "1"
        return f'{who}, "timestamp"'


def look_over(
    desk: duckdb.DuckDBPyConnection, relation: str, there: Sequence[str], known: KnownIds | None = None
) -> Staged:
    """Find the columns that hold anything."""
    data = [name for name in desk.sql(f"FROM {relation} LIMIT 0").columns if name not in PLACE]
    counts = desk.sql(f"SELECT {', '.join(f'count({sql.name(name)})' for name in data)} FROM {relation}").fetchall()[0]
    held = dict(zip(data, counts, strict=True))
    identities = [name for name in data if name.startswith(IDENTITY) and not name.endswith(OTHERS) and held[name]]
    columns = ("_id", "timestamp", *(name for name in data if held[name] and name not in ("_id", "timestamp")))
    return Staged(desk, relation, columns, tuple(sorted(identities, key=lambda name: -held[name])), there, known)


def new_events(staged: Staged) -> list[str]:
    """Write the queries that give the new rows, each a portion small enough to be sorted in memory.

    A sort that spills keeps a block of every run at hand: of many wide rows that is more than there is.
    """
    columns = ", ".join(f"u.{sql.name(name)}" for name in staged.columns)
    single = _SINGLE if _find_doubles(staged) else ""
    return [
        f"SELECT {columns} FROM (FROM {staged.relation} WHERE {portion}) u {single} "
        f'ORDER BY {staged.order}, ".file", ".line"'
        for portion in portions(_lines(staged), max(1, MOST_CELLS // len(staged.columns)))
    ]


def _lines(staged: Staged) -> list[tuple[int, int]]:
    """Give each file with its last line."""
    return staged.desk.sql(f'SELECT ".file", max(".line") FROM {staged.relation} GROUP BY 1 ORDER BY 1').fetchall()


def portions(lines: Sequence[tuple[int, int]], most: int) -> list[str]:
    """Part files into conditions for at most so many lines: a few small files each, or a stretch of a large one.

    >>> portions([(0, 5), (1, 2), (2, 2)], 4)
    ['".file" = 0 AND ".line" BETWEEN 0 AND 4', '".file" = 0 AND ".line" BETWEEN 5 AND 9', '".file" IN (1, 2)']
    """
    found: list[str] = []
    small: list[int] = []
    room = most
    for file, last in [*lines, (-1, most)]:
        if small and last > room:
            found.append(f'".file" IN ({", ".join(map(str, small))})')
            small, room = [], most
        if last > most:
            found += [
                f'".file" = {file} AND ".line" BETWEEN {at} AND {at + most}' for at in range(0, last + 1, most + 1)
            ]
        else:
            small.append(file)
            room -= last
    return found or ["true"]


_SINGLE = 'LEFT JOIN doubles d ON d.id = u._id WHERE d.id IS NULL OR (d.file = u.".file" AND d.line = u.".line")'


def new_lines(relation: str) -> str:
    """Give the lines of the events that :func:`new_events`, called before, found to be new."""
    return f'SELECT u.".line" FROM {relation} u {_SINGLE}'


def _find_doubles(staged: Staged) -> bool:
    """Gather the ids that come twice with the row that counts, no row where the table has the id; say if any do."""
    run = staged.desk.execute
    # Numbers take less room than ids; the few that occur twice are then looked at by their ids.
    run(f"CREATE TEMP TABLE suspects AS SELECT hash(_id) AS h FROM {staged.relation} GROUP BY h HAVING count(*) > 1")
    run(
        'CREATE TEMP TABLE doubles AS SELECT _id AS id, min(struct_pack(f := ".file", l := ".line")) AS first '
        f"FROM {staged.relation} WHERE hash(_id) IN (FROM suspects) GROUP BY _id HAVING count(*) > 1"
    )
    run("CREATE OR REPLACE TEMP TABLE doubles AS SELECT id, first.f AS file, first.l AS line FROM doubles")
    if staged.there:
        _find_known(staged)
        run("DELETE FROM doubles WHERE id IN (FROM known)")
        run("INSERT INTO doubles SELECT id, -1, -1 FROM known")
    return bool(staged.desk.sql("SELECT 1 FROM doubles LIMIT 1").fetchall())


def _find_known(staged: Staged) -> None:
    """Gather the ids of the batch that the table has: from what is known of its files, else from its column."""
    if staged.known is None:
        there = f"SELECT _id FROM {parquet(staged.there)}"
        asked = f"SELECT DISTINCT _id AS id FROM {staged.relation} WHERE _id IN ({there})"
        staged.desk.execute(f"CREATE TEMP TABLE known AS {asked}")
        return
    staged.desk.execute("CREATE TEMP TABLE known (id VARCHAR)")
    for part in staged.known.among(staged.desk, f"SELECT _id AS id FROM {staged.relation}", staged.there):
        if part.num_rows:
            staged.desk.register("part", part).execute("INSERT INTO known SELECT id FROM part")


def new_profiles(staged: Staged, now: dt.datetime, *, first: bool) -> str:
    """Write the query that gives what is newly known of profiles."""
    attributes = [name for name in staged.columns if name not in ("_id", "timestamp") and not _is_identity(name)]
    who = [name for name in staged.columns if _is_identity(name)]
    since = 0 if first else to_us(now)
    _merge(staged, who, attributes, since)
    new = ["true"]
    if staged.there:
        new = ["_id NOT IN (SELECT _id FROM " + parquet(staged.there) + ")"]
        if changed := _changed(staged, attributes):
            new.append(f"(dated OR {changed})")
    columns = ", ".join(sql.name(name) for name in staged.columns)
    return f"SELECT {columns} FROM merged WHERE {' AND '.join(new)} ORDER BY {staged.order}, _id"


def _is_identity(name: str) -> bool:
    return name.startswith(IDENTITY)


def _merge(staged: Staged, who: Sequence[str], attributes: Sequence[str], since: int) -> None:
    """Make one row of all that a batch says about a profile at a moment."""
    place = 'struct_pack(f := ".file", l := ".line")'
    keys = [sql.name(name) for name in who]
    values = [f"arg_max({sql.name(name)}, {place}) AS {sql.name(name)}" for name in attributes]
    moment = f'coalesce("timestamp", make_timestamptz({since})) AS "timestamp", "timestamp" IS NOT NULL AS dated'
    said = ", ".join(f"{sql.text(name + '=')} || CAST({sql.name(name)} AS VARCHAR)" for name in [*who, *attributes])
    staged.desk.execute(
        "CREATE TEMP TABLE merged AS "
        f'SELECT md5(concat_ws(chr(31), epoch_us("timestamp"), {said})) AS _id, * FROM '
        f"(SELECT {', '.join([*keys, moment, *values])} FROM {staged.relation} GROUP BY ALL)"
    )


def _changed(staged: Staged, attributes: Sequence[str]) -> str:
    """Say in SQL whether a row of `merged` says anything that was not known last; empty when it says nothing."""
    there = staged.desk.sql(f"FROM {parquet(staged.there)} LIMIT 0").columns
    keys = [name for name in staged.identities if name in there]
    if not keys:
        return "true"
    known = [name for name in attributes if name in there]
    latest = [f'arg_max({sql.name(name)}, "timestamp") AS {sql.name(name)}' for name in known]
    staged.desk.execute(
        f"CREATE TEMP TABLE latest AS SELECT {', '.join([*map(sql.name, keys), *latest])} "
        f"FROM {parquet(staged.there)} GROUP BY ALL"
    )
    same = " AND ".join(f"l.{sql.name(key)} IS NOT DISTINCT FROM merged.{sql.name(key)}" for key in keys)
    equal = [
        f"(merged.{sql.name(name)} IS NULL OR merged.{sql.name(name)} IS NOT DISTINCT FROM "
        + (f"l.{sql.name(name)})" if name in known else "NULL)")
        for name in attributes
    ]
    return f"NOT EXISTS (FROM latest l WHERE {' AND '.join([same, *equal])})"


def parquet(files: Sequence[object]) -> str:
    return f"read_parquet({sql.texts(str(file) for file in files)}, union_by_name=true)"
