"""One person's score on demand is the one that scoring everybody at that instant gives."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.pipeline import shop
from tests.pipeline.shop import ASKED, moved

from likelier.activities import reduce, traits
from likelier.backend import DuckDB
from likelier.datasets import list_datasets, open_dataset, person_rows, publish_rows
from likelier.explanations.factors import as_lists
from likelier.lake import Lake
from likelier.model import artifact
from likelier.pipeline import Inputs, Scorer, reading, scorer_files, scores_file, scoring
from likelier.pipeline.ondemand import of_identity
from likelier.scores import Scale
from likelier.timespan import DAY

LATER = shop.AS_OF + 20 * DAY


@pytest.fixture(scope="module")
def grown(tmp_path_factory, engine):
    """What was known when the run was made, and what came to be known in the month after it."""
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    shop.put(lake, shop.events())
    shop.put(lake, shop.attributes(), "people", "profiles")
    shop.put(lake, moved(shop.events(900, 30, seed=9), shop.AS_OF), batch="since")
    known = shop.attributes(seed=5)
    moment = pa.array([shop.AS_OF + 3 * DAY] * len(known), pa.timestamp("us", "UTC"))
    shop.put(lake, known.set_column(1, "timestamp", moment), "people", "profiles", batch="since")
    for dataset in list_datasets(lake):
        publish_rows(engine, lake, dataset)
    return lake


@pytest.fixture(scope="module")
def engine():
    with DuckDB() as engine:
        yield engine


@pytest.fixture(scope="module")
def folder(done):
    return done[0]


@pytest.fixture(scope="module")
def score(grown, engine, folder, tmp_path_factory):
    return scoring_of(ASKED, grown, engine, folder, tmp_path_factory.mktemp("left"))


def scoring_of(asked, grown, engine, folder, left):
    for file in scorer_files(folder):
        (left / file.name).write_bytes(file.read_bytes())
    datasets = [open_dataset(grown, name) for name in asked.datasets]
    schemas = {dataset.name: grown.schema(dataset.table) for dataset in datasets}
    scorer = Scorer.load(left, asked, datasets, schemas, engine)

    def scored(who, as_of):
        found = {one.name: person_rows(lambda: engine, grown, one, "CRMID", who) for one in datasets}
        return scorer.score(who, {name: of_identity(rows, "CRMID", who) for name, rows in found.items()}, as_of)

    return scored


def test_at_the_runs_instant_it_is_the_runs_score(folder, score):
    published = pq.read_table(scores_file(folder)).to_pylist()
    for row in published[::25]:
        found = score(row["id"], shop.AS_OF)
        found["percentile"] = row["percentile"] if abs(found["percentile"] - row["percentile"]) < 2 else "far away"
        assert found == row


def test_who_does_not_consent_is_not_scored(grown, engine, folder, score, tmp_path):
    consent = {"consent": {"field": "tier", "operator": "equals", "value": "gold"}}
    asking = scoring_of(
        shop.instance(**{**ASKED.dump(), "eligible_population": consent}), grown, engine, folder, tmp_path
    )
    tiers = dict(zip(*(shop.attributes()[name].to_pylist() for name in ("identityMap.CRMID", "tier")), strict=True))
    some = pq.read_table(scores_file(folder))["id"].to_pylist()[:20]
    assert {tiers[who] for who in some} == {"gold", "silver", "none"}
    for who in some:
        assert asking(who, shop.AS_OF) == (score(who, shop.AS_OF) if tiers[who] == "gold" else None)


def in_bulk(lake, engine, folder, out, as_of):
    """Everybody at another instant, as a run that kept the model would see them."""
    model = artifact.load(folder / "train")
    source = reading.bind(Inputs(ASKED, as_of, 7, shop.versions(lake, ["shop", "people"])), engine, lake)
    reading.sort(source, model.codebook, engine, as_of, out / "read", 0, lambda *_: None)
    activities, _ = reduce.load(out / "read")
    history = traits.read_traits(engine, source.attributes, model.codebook.traits, activities.ids, as_of)
    eligible, _ = reading.labels(activities, model.codebook, source.question, (as_of,))
    shown = scoring.shown_factors(model.features, np.array(model.strength))
    mine = np.flatnonzero(eligible[:, 0])
    reasons = scoring.Reasons.of(model.learnt, model.features.factor_of)
    found = scoring.explain(source.question, model, reasons, shown, activities, history, mine, as_of)
    factors = as_lists(found.contributions, found.values, shown).to_pylist()
    probability = model.calibration.probability(found.raw)
    ids = activities.ids.to_pylist()
    return {ids[k]: (p, f) for k, p, f in zip(mine, probability.tolist(), factors, strict=True)}


@pytest.mark.parametrize("as_of", [shop.AS_OF - 30 * DAY, LATER])
def test_at_another_instant_it_is_what_everybody_at_once_would_get(grown, engine, folder, score, tmp_path, as_of):
    expected = in_bulk(grown, engine, folder, tmp_path, as_of)
    with np.load(folder / "score" / scoring.POPULATION) as population:
        scale = Scale(float(population["base_odds"]))
    everybody = [f"p{number:05}" for number in range(0, 900, 30)]
    assert {who for who in everybody if who in expected} not in (set(), set(everybody))
    for who in everybody:
        found = score(who, as_of)
        assert (found is not None) == (who in expected)
        if found:
            probability, factors = expected[who]
            assert (found["probability"], found["factors"]) == (probability, factors)
            assert found["score"] == scale.score(np.array([probability]))[0]


def test_somebody_without_events_is_not_scored(score):
    assert score("nobody", shop.AS_OF) is None
