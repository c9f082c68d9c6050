"""What several runs look for is read in one pass, and each has what it would have read by itself."""

import shutil

import pytest
from tests.pipeline import shop

from likelier.backend import DuckDB
from likelier.pipeline import Inputs, read_together, run_stage, with_champion
from likelier.timespan import DAY

SALE = {"field": "web.webPageDetails.name", "operator": "equals", "value": "sale"}
BOUGHT = {"field": "commerce.purchases.value", "operator": "exists"}
PLAIN = shop.instance()
# The same condition as another rule, other windows, other names, other columns.
OTHERS = {
    "attributes": shop.ASKED,
    "sale": shop.instance(goal=shop.goal(events=[{"name": "sale", "conditions": [SALE]}], window_days=7)),
    "buyers": shop.instance(
        goal=shop.goal(events=[{"at_least": 2, "conditions": [BOUGHT]}]),
        eligible_population={"lookback_days": 30, "events": [{"conditions": [BOUGHT]}], "exclude": []},
        custom_events=[{"name": "either", "match": "any", "conditions": [SALE, BOUGHT]}],
    ),
    "narrow": shop.instance(
        ignored_fields=["productListItems.SKU", "commerce.order.priceTotal"], goal=shop.goal(window_days=30)
    ),
}


def inputs(lake, asked):
    return Inputs(asked, shop.AS_OF, 7, shop.versions(lake, list(asked.datasets)))


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def read_all(lake, work, asked):
    wanted = [(inputs(lake, one), work / str(place)) for place, one in enumerate(asked)]
    with DuckDB() as engine:
        count = read_together(wanted, engine=engine, lake=lake)
    return count, [folder for _, folder in wanted]


@pytest.fixture(scope="module")
def together(lake, tmp_path_factory):
    return read_all(lake, tmp_path_factory.mktemp("together"), [PLAIN, *OTHERS.values()])


def test_those_that_look_at_the_same_events_are_read_in_one_pass(together):
    count, folders = together
    assert count == len(folders) == len(OTHERS) + 1


def test_one_of_other_events_and_one_that_cannot_be_read_are_left_to_themselves(lake, tmp_path):
    nothing = {"name": "all", "conditions": [{"field": "eventType", "operator": "exists"}]}
    sales = {"name": "sales", "conditions": [SALE]}
    count, folders = read_all(
        lake, tmp_path, [PLAIN, shop.instance(exclusions=[nothing]), shop.instance(exclusions=[sales])]
    )
    assert count == 0
    assert not any(folder.exists() for folder in folders)


@pytest.mark.parametrize(("place", "name"), [(0, "plain"), *((k + 1, name) for k, name in enumerate(OTHERS))])
def test_each_has_the_bytes_it_would_have_read_by_itself(lake, together, tmp_path, place, name):
    asked = [PLAIN, *OTHERS.values()][place]
    with DuckDB() as engine:
        run_stage("read", inputs(lake, asked), engine=engine, lake=lake, folder=tmp_path)
    assert files(together[1][place] / "read") == files(tmp_path / "read")


def test_one_that_keeps_its_model_reads_as_that_does(lake, done, tmp_path):
    kept = with_champion(inputs(lake, shop.ASKED), as_of=shop.AS_OF - 30 * DAY, due=False, stale=False)
    places = [tmp_path / "plain", tmp_path / "kept", tmp_path / "alone"]
    for place in places:
        shutil.copytree(done[0] / "train", place / "champion")
    with DuckDB() as engine:
        count = read_together([(inputs(lake, PLAIN), places[0]), (kept, places[1])], engine=engine, lake=lake)
        run_stage("read", kept, engine=engine, lake=lake, folder=places[2])
    assert count == 2
    assert files(places[1] / "read") == files(places[2] / "read")
