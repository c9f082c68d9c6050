"""Every engine answers everything that a run asks of it, and alike: small tables that one can check by hand."""

from __future__ import annotations

import datetime as dt
import os
import random
import shutil
from functools import partial
from itertools import pairwise

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.conditions.test_oracle import FIELDS, NUMBERS, PATTERNS, TEXTS, WRITTEN_MOMENTS, Sample, built, expected
from tests.pipeline import shop

from likelier import backend
from likelier.activities import codes, discover, reduce
from likelier.activities.traits import load_traits
from likelier.backend import DuckDB
from likelier.conditions.algebra import operators_for
from likelier.datasets import FieldType
from likelier.errors import StorageError
from likelier.identity.cuts import CUTS, cut
from likelier.identity.links import node
from likelier.instance.reading import make_instance
from likelier.lake import Lake
from likelier.pipeline import (
    Inputs,
    asking,
    newest_event,
    preflight,
    reading,
    run_stage,
    scores_file,
    scoring,
    watching,
)
from likelier.pipeline.stages import Run
from likelier.timespan import DAY, UTC

MOMENT = pa.timestamp("us", "UTC")
FOR_FEW_ROWS = {  # for which no program need be compiled
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


@pytest.fixture(scope="module")
def spark():
    if not shutil.which("java"):
        pytest.skip("there is no Java on this machine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")  # it lives for a minute
        from likelier.spark.engine import Spark  # noqa: PLC0415 - where there is no Java there need be no PySpark

        with Spark("local[2, 2]") as engine:  # a task that fails is begun a second time
            for name, value in FOR_FEW_ROWS.items():
                engine.session.conf.set(name, value)
            yield engine


@pytest.fixture(scope="module", params=["duckdb", "spark"])
def engine(request):
    if request.param == "spark":
        yield request.getfixturevalue("spark")
    else:
        with DuckDB(threads=2) as engine:
            yield engine


def moment(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=UTC)


EVENTS = pa.table(
    {
        "_id": ["a", "b", "c", "d"],
        "when": pa.array(
            [moment(f"2024-03-0{when}") for when in ("1T00:00", "1T23:59:59.999999", "2T00:00", "9T12:00")], MOMENT
        ),
        "web.page": ["Home", "${home}", None, "o'home\\"],
        "kind": [None, "x", "x", "x"],
        "price": [0.1, None, float("nan"), 3.0],
        "items": pa.array([["x", "Y"], [], None, ["y", None]], pa.list_(pa.string())),
        "amounts": pa.array([[1.0, None, 2.5], [], None, [None]], pa.list_(pa.float64())),
    }
)


@pytest.fixture(scope="module")
def events(engine, tmp_path_factory):
    """Two files; the second lacks a column and has another one."""
    folder = tmp_path_factory.mktemp("a folder [of+events]")
    files = [str(folder / name) for name in ("first.parquet", "second file.parquet")]
    pq.write_table(EVENTS.slice(0, 2).drop_columns(["items"]), files[0])
    pq.write_table(EVENTS.slice(2).append_column("late", pa.array([1, 2])), files[1])
    return engine.read(files, file="file"), files


def told(engine, table, by="_id", **columns):
    return engine.table(table.select(by, **columns).order_by(by)).drop_columns([by]).to_pydict()


def test_files_are_one_table_and_a_column_that_a_file_lacks_is_null(engine, events):
    table, files = events
    found = engine.table(table.order_by("_id"))
    assert found["web.page"].to_pylist() == EVENTS["web.page"].to_pylist()
    assert found["items"].to_pylist() == [None, None, None, ["y", None]]
    assert found["late"].to_pylist() == [None, None, 1, 2]
    assert found["when"].to_pylist() == EVENTS["when"].to_pylist()
    assert found["file"].to_pylist() == [files[0], files[0], files[1], files[1]]


def test_values_are_handed_over_as_they_are(engine):
    given = engine.values(EVENTS)
    assert engine.table(given.order_by("_id")).drop_columns(["price"]).to_pydict() == (
        EVENTS.drop_columns(["price"]).to_pydict()
    )
    assert engine.table(engine.values(EVENTS.slice(0, 0))).num_rows == 0


def test_moments(engine):
    rows = engine.values(EVENTS)
    when = rows.when
    found = told(
        engine,
        rows,
        day=when.truncate("D"),
        seconds=when.epoch_seconds() / 86_400,
        second=when >= ibis.literal(moment("2024-03-02T00:00:00")),
        last=when > ibis.literal(moment("2024-03-01T23:59:59.999998")),
    )
    assert [day.date().isoformat() for day in found["day"]] == ["2024-03-01", "2024-03-01", "2024-03-02", "2024-03-09"]
    assert found["seconds"] == [value.timestamp() / 86_400 for value in EVENTS["when"].to_pylist()]
    assert found["second"] == [False, False, True, True]
    assert found["last"] == [False, True, True, True]


def test_what_is_not_there(engine):
    rows = engine.values(EVENTS)
    found = told(engine, rows, price=rows.price.notnull(), none=rows.price.isnull(), items=rows["items"].notnull())
    assert found == {
        "price": [True, False, True, True],  # NaN is a value to an engine; conditions say what it means
        "none": [False, True, False, False],
        "items": [True, True, False, True],
    }


def test_lists(engine):
    rows = engine.values(EVENTS)
    items, amounts = rows["items"], rows.amounts
    found = told(
        engine,
        rows,
        first=items[0],
        third=items[2],
        length=items.length(),
        has=items.contains("y").fill_null(False),
        low=items.filter(lambda item: item.lower() == "y").length(),
        matching=items.filter(lambda item: item.re_search("^[Yy]$")).length(),
        sum=amounts.sums(),
        mean=amounts.means(),
        most=amounts.maxs(),
    )
    assert found == {
        "first": ["x", None, None, "y"],
        "third": [None, None, None, None],
        "length": [2, 0, None, 2],
        "has": [False, False, False, True],
        "low": [1, 0, None, 1],
        "matching": [1, 0, None, 1],
        "sum": [3.5, None, None, None],
        "mean": [1.75, None, None, None],
        "most": [2.5, None, None, None],
    }
    each = engine.table(rows.select("_id", item=items.unnest()).filter(lambda row: row.item.notnull()))
    assert sorted(map(tuple, map(dict.values, each.to_pylist()))) == [("a", "Y"), ("a", "x"), ("d", "y")]


LETTERS = "".join(chr(code) for code in range(1, 0x10000) if not 0xD800 <= code <= 0xDFFF)
WORDS = ["ΣΑΣ", "İstanbul", "ẞ", "ǅ", *(LETTERS[start : start + 512] for start in range(0, len(LETTERS), 512))]


def test_letters_and_hashes_are_the_same_on_every_engine(engine):
    rows = engine.values(pa.table({"_id": range(len(WORDS)), "word": WORDS}))
    found = told(engine, rows, low=rows.word.lower(), hash=rows.word.hash(), bare=rows.word.strip())
    with DuckDB(threads=1) as other:
        assert found == told(other, rows, low=rows.word.lower(), hash=rows.word.hash(), bare=rows.word.strip())


def test_tables_are_joined_grouped_and_numbered(engine):
    rows = engine.values(pa.table({"_id": ["a", "b", "c", "d"], "who": ["x", "y", "x", None], "n": [1, 2, 3, 4]}))
    names = engine.values(pa.table({"who": ["x", "z"], "name": ["Ann", "Zoe"]}))
    one = engine.values(pa.table({"who": ["x"]}))
    joined = rows.left_join(names, rows.who == names.who)
    assert told(engine, joined, name=joined.name) == {"name": ["Ann", None, "Ann", None]}
    assert engine.table(rows.semi_join(one, "who").order_by("_id"))["_id"].to_pylist() == ["a", "c"]
    assert engine.table(rows.anti_join(one, "who").order_by("_id"))["_id"].to_pylist() == ["b", "d"]
    counted = rows.group_by("who").aggregate(
        n=rows.count(), sum=rows.n.sum(), most=rows.n.max(), odd=(rows.n % 2 == 1).sum()
    )
    assert engine.table(counted.order_by(ibis.desc("n"), "who")).to_pylist() == [
        {"who": "x", "n": 2, "sum": 4, "most": 3, "odd": 2},
        {"who": "y", "n": 1, "sum": 2, "most": 2, "odd": 0},
        {"who": None, "n": 1, "sum": 4, "most": 4, "odd": 0},
    ]
    spread = rows.aggregate(middle=rows.n.quantile(0.5), high=rows.n.quantile(0.9), people=rows.who.nunique())
    assert engine.table(spread).to_pylist() == [{"middle": 2.5, "high": pytest.approx(3.7), "people": 2}]
    both = rows.select("who").union(names.select("who"), distinct=True)
    assert set(engine.table(both)["who"].to_pylist()) == {"x", "y", "z", None}
    numbered = rows.mutate(number=ibis.row_number().over(order_by=rows.n.desc()))
    assert told(engine, numbered, number=numbered.number) == {"number": [3, 2, 1, 0]}


def test_a_stream_comes_in_order_and_in_small_batches(engine):
    ids = [f"{(7 * number) % 5000:05}" for number in range(5000)]
    rows = engine.values(pa.table({"_id": ids, "n": range(5000)}))
    reader = engine.stream(rows.order_by("_id"), rows=700)
    batches = [batch for batch in reader if batch.num_rows]
    assert max(batch.num_rows for batch in batches) <= 700
    assert [value for batch in batches for value in batch["_id"].to_pylist()] == sorted(ids)
    assert reader.schema.names == ["_id", "n"]


def test_texts_are_sorted_by_their_bytes(engine):
    texts = ["b", "B", "a", "é", "z", "10", "9", "", "\U0001f600", "｡"]
    found = engine.table(engine.values(pa.table({"text": texts})).order_by("text"))["text"].to_pylist()
    assert found == sorted(texts, key=str.encode)


def test_what_has_a_name_is_asked_again_and_again(engine):
    rows = engine.values(EVENTS)
    named = engine.named(rows.filter(rows["web.page"].re_search("^H")))
    assert engine.table(named)["_id"].to_pylist() == ["a"]
    assert engine.table(named.aggregate(n=named.count()))["n"].to_pylist() == [1]


def test_a_question_is_asked_of_other_rows_again(engine):
    asked = engine.repeated(
        {"rows": EVENTS.schema}, lambda tables: tables["rows"].filter(lambda row: row.price > 0.05).select("_id")
    )
    assert asked({"rows": EVENTS.slice(0, 1)})["_id"].to_pylist() == ["a"]
    assert asked({"rows": EVENTS.slice(1)})["_id"].to_pylist() in (["c", "d"], ["d"])


WRITTEN = {
    FieldType.TEXT: TEXTS,
    FieldType.NUMBER: NUMBERS,
    FieldType.FLAG: [True, False],
    FieldType.MOMENT: WRITTEN_MOMENTS,
}


PLACE = 1 << 40


def multiplied(by, part):
    return part[0], by * part[1], os.getpid()


def test_a_task_is_done_for_each_part_and_answered_in_their_order(engine):
    parts = [(number, np.full(3, number)) for number in range(5)]
    done = list(engine.each(partial(multiplied, PLACE), parts))
    assert [place for place, *_ in done] == list(range(5))
    np.testing.assert_array_equal(np.concatenate([each for _, each, _ in done]), PLACE * np.repeat(range(5), 3))
    assert list(engine.each(multiplied, [])) == []


def dying(folder, part):
    """Take the process along the first time."""
    try:
        (folder / str(part)).touch(exist_ok=False)
    except FileExistsError:
        return 2 * part
    os._exit(1)


def test_a_task_that_was_cut_off_is_done_anew(spark, tmp_path):
    assert list(spark.each(partial(dying, tmp_path), [1, 2])) == [2, 4]


def kept(folder, reader):
    table = reader.read_all()
    name = f"{table['who'][0].as_py()}.parquet" if len(table) else "nobody.parquet"
    pq.write_table(table, folder / name)
    return name, len(table)


def test_sorted_rows_are_handed_over_in_parts_that_divide_nobody(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(backend, "MOST_SORTED", 1500)
    monkeypatch.setattr("likelier.spark.engine.SAMPLED", 0.1)
    numbers = np.random.default_rng(5).permutation(4000)
    people = [f"p{number % 97:02}" for number in numbers]
    rows = engine.values(pa.table({"a.b": numbers, "who": people, "_id": [f"{-number:06}" for number in numbers]}))
    seen = []
    parts = engine.in_order(rows, ("who", "_id"), partial(kept, tmp_path), seen.append, without=["_id"])
    assert len(parts) > 1
    assert sum(seen) == sum(rows for _, rows in parts) == 4000
    found = [pq.read_table(tmp_path / name) for name, _ in parts]
    assert found[0].column_names == ["a.b", "who"]
    told = [who for part in found for who in dict.fromkeys(part["who"].to_pylist())]
    assert told == sorted(set(people))  # each once: nobody is in two parts
    wanted = sorted(zip(people, (f"{-number:06}" for number in numbers), numbers.tolist(), strict=True))
    assert [number for part in found for number in part["a.b"].to_pylist()] == [number for *_, number in wanted]


def test_of_no_rows_there_is_one_part(engine, tmp_path):
    rows = engine.values(pa.table({"who": pa.array([], pa.string()), "n": pa.array([], pa.int64())}))
    assert engine.in_order(rows, ("who",), partial(kept, tmp_path), print) == [("nobody.parquet", 0)]


def some_value(chance, field, operator):
    if operator in ("exists", "not_exists"):
        return None
    if operator == "matches":
        return chance.choice([pattern for pattern in PATTERNS if pattern])
    pool = WRITTEN[field.type]
    if operator in ("in", "not_in"):
        return chance.sample(pool, 3)
    return chance.choice([value for value in pool if value != ""])


def every_operator():
    chance = random.Random(8)
    for field in FIELDS:
        for operator in operators_for(field):
            for ignore_case in (False, True) if field.type is FieldType.TEXT and "exists" not in operator else (False,):
                yield ("where", field, operator, some_value(chance, field, operator), ignore_case)


def test_every_operator_holds_for_the_rows_that_a_plain_loop_says(engine, tmp_path):
    specs = list(every_operator())
    joined = [(word, list(pair)) for word, pair in zip(("and", "or") * 9, pairwise(specs), strict=False)]
    specs += [*joined, *(("not", spec) for spec in specs[::7])]
    sample = Sample(engine, tmp_path)
    for spec, got in zip(specs, sample.holds(map(built, specs)), strict=True):
        assert got == [expected(spec, row) for row in sample.rows], spec


# --- the stages of a run, on both -------------------------------------------------------------------------------

PEOPLE = 120
PLAIN = shop.instance()
ASKED = shop.instance(
    datasets=["shop", "people"],
    goal=shop.goal(window_days=[7, 14]),
    stitch=True,
    profile_attributes=[{"name": "Tier", "field": "tier"}, {"name": "Age", "field": "age"}],
    eligible_population={
        "lookback_days": 45,
        "match": "any",
        "events": [{"conditions": [{"field": "timestamp", "operator": "exists"}]}],
        "exclude": [{"conditions": [{"field": "productListItems.SKU", "operator": "equals", "value": "sku39"}]}],
        "consent": {"field": "marketing", "operator": "equals", "value": "Y", "ignore_case": True},
    },
    custom_events=[
        {
            "name": "A look around",
            "conditions": [
                {"field": "web.webPageDetails.name", "operator": "matches", "value": "^(home|sale)$"},
                {"field": "productListItems.SKU", "operator": "not_in", "value": ["sku1", "SKU2"], "ignore_case": True},
            ],
        }
    ],
    exclusions=[{"conditions": [{"field": "productListItems.SKU", "operator": "ends_with", "value": "13"}]}],
)


@pytest.fixture(scope="module")
def visits(tmp_path_factory):
    """Visits of which some show a cookie only; two batches, of which one lacks a column; a link is cut."""
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    events = shop.events(PEOPLE)
    who = events["identityMap.CRMID"].to_pylist()
    hidden = np.random.default_rng(3).random(len(who)) < 0.6
    events = events.set_column(
        2, "identityMap.CRMID", pa.array([None if gone else one for gone, one in zip(hidden, who, strict=True)])
    ).append_column("identityMap.ECID", pa.array([f"cookie-{one}" for one in who]))
    half = len(events) // 2
    shop.put(lake, events.slice(0, half).drop_columns(["commerce.order.priceTotal"]))
    shop.put(lake, events.slice(half), batch="second")
    people = shop.attributes(PEOPLE).append_column("marketing", pa.array(["y", "Y", "n"] * (PEOPLE // 3)))
    shop.put(lake, people, "people", "profiles")
    cut(lake, node("CRMID", "p00003"), node("ECID", "cookie-p00003"), at=shop.AS_OF, by="test", id_="one")
    return lake


def inputs_of(lake):
    return Inputs(ASKED, shop.AS_OF, 7, shop.versions(lake, ["shop", "people"]) | {CUTS: lake.version(CUTS)})


def first_stage(engine, lake, folder):
    said = run_stage("read", inputs_of(lake), engine=engine, lake=lake, folder=folder)
    return said, reduce.load(folder / "read"), load_traits(folder / "read")


@pytest.fixture(scope="module")
def alone(visits, tmp_path_factory):
    """The folder of a run on one machine after its first stage."""
    folder = tmp_path_factory.mktemp("run")
    with DuckDB() as engine:
        first_stage(engine, visits, folder)
    return folder


def test_the_first_stage_leaves_the_same_activities(spark, visits, alone, tmp_path):
    with DuckDB() as other:
        said, (activities, codebook), traits = first_stage(other, visits, alone)
    found, (mine, book), history = first_stage(spark, visits, tmp_path)
    assert found == said
    assert book == codebook
    assert codebook.categories
    assert len(codebook.signals) > 8
    assert mine.ids.equals(activities.ids)
    for name in ("starts", "times", "words", "measures", "slots", "spans"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(activities, name), name)
    for name in ("starts", "times", "given"):
        np.testing.assert_array_equal(getattr(mine.consents, name), getattr(activities.consents, name), name)
    for name in ("starts", "times", "values"):
        np.testing.assert_array_equal(getattr(history, name), getattr(traits, name), name)


def test_parts_of_the_people_are_decided_as_all_of_them_are(visits, alone):
    with DuckDB() as engine:
        run = Run(inputs_of(visits), engine, visits, alone)
        deciding = asking.Deciding(run.calendar, run.question, alone)
    profiles = reduce.load(alone / "read")[0].profiles
    whole = deciding((0, profiles))
    parts = asking.Decided.together([deciding((first, min(first + 50, profiles))) for first in range(0, profiles, 50)])
    assert parts.counts == whole.counts
    assert 0 < whole.asked.eligible.sum() < whole.asked.eligible.size
    for name in ("eligible", "labels"):
        np.testing.assert_array_equal(getattr(parts.asked, name), getattr(whole.asked, name), name)
        np.testing.assert_array_equal(getattr(parts.soon, name), getattr(whole.soon, name), name)


def test_labels_scores_and_reasons_are_the_same(spark, lake, done, tmp_path, monkeypatch):
    """Sums are over one person's values, in one order wherever that is: they may not differ at all."""
    there, said = done
    for stage in ("read", "train"):
        (tmp_path / stage).symlink_to(there / stage)
    monkeypatch.setattr(asking, "PART", 300)
    monkeypatch.setattr(scoring, "BATCH", 200)
    inputs = Inputs(shop.ASKED, shop.AS_OF, 7, shop.versions(lake, ["shop", "people"]))
    for stage in ("check", "score"):
        assert run_stage(stage, inputs, engine=spark, lake=lake, folder=tmp_path) == said[stage]
    assert said["score"]["scored"] > 400  # several parts
    mine, wanted = asking.load_asked(tmp_path), asking.load_asked(there)
    np.testing.assert_array_equal(mine.eligible, wanted.eligible)
    np.testing.assert_array_equal(mine.labels, wanted.labels)
    assert pq.read_table(scores_file(tmp_path)).equals(pq.read_table(scores_file(there)))
    mine, wanted = scoring.load_sample(tmp_path), scoring.load_sample(there)
    for name in ("score", "values", "contributions"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(wanted, name), name)


def test_several_windows_are_decided_and_scored_the_same(spark, lake, tmp_path):
    asked = make_instance(shop.ASKED.dump() | {"goal": shop.goal(window_days=[3, 7, 14])})
    inputs = Inputs(asked, shop.AS_OF, 7, shop.versions(lake, ["shop", "people"]))
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    with DuckDB() as engine:
        said = {
            stage: run_stage(stage, inputs, engine=engine, lake=lake, folder=theirs)
            for stage in ("read", "check", "train", "score")
        }
    mine.mkdir()
    for stage in ("read", "train"):
        (mine / stage).symlink_to(theirs / stage)
    for stage in ("check", "score"):
        assert run_stage(stage, inputs, engine=spark, lake=lake, folder=mine) == said[stage]
    found, wanted = (np.load(each / "check" / "soon.npz") for each in (mine, theirs))
    for name in ("eligible", "labels"):
        np.testing.assert_array_equal(found[name], wanted[name], name)
    assert pq.read_table(scores_file(mine)).equals(pq.read_table(scores_file(theirs)))


def test_folders_that_machines_do_not_share_are_an_error(tmp_path):
    with pytest.raises(StorageError, match="LIKELIER_HOME has to be a folder that they all share"):
        reduce.join(["left-elsewhere"], codes.Codebook(()), tmp_path)


def test_a_pre_flight_and_a_watch_find_the_same(spark, visits):
    def told(engine, others=()):
        inputs = Inputs(PLAIN, shop.AS_OF, 7, shop.versions(visits, ["shop"]))
        source = reading.bind(inputs, engine, visits)
        past = source.events, (), source.question, source.fields, shop.AS_OF - 30 * DAY
        book = discover.propose(engine, *past, others)
        return (
            newest_event(engine, visits, ("shop",)),
            preflight(PLAIN, shop.AS_OF, engine=engine, lake=visits, most_events=1000),
            watching.arrivals(source, book, engine, shop.AS_OF - 60 * DAY),
            book,
        )

    with DuckDB() as other:
        wanted = told(other)
    assert told(spark, others=[shop.AS_OF - 7 * DAY, shop.AS_OF - 90 * DAY]) == wanted
