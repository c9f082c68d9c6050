"""`likelier segments` on the shop's real scores."""

import pyarrow.parquet as pq
import pytest


@pytest.fixture(scope="module")
def scores(shop, tmp_path_factory):
    path = tmp_path_factory.mktemp("scores") / "s.parquet"
    assert shop("scores", "Buy again", "-o", path).code == 0
    return pq.read_table(path).to_pylist()


def test_a_segment_of_a_bucket_from_its_making_to_its_end(shop, scores, tmp_path):
    high = sorted(row["id"] for row in scores if row["bucket"] == "high")
    made = shop("segments", "create", "Likely", "--instance", "Buy again", "--bucket", "high", "--json")
    assert made.code == 0, made.err
    assert (made.json["name"], made.json["size"]) == ("Likely", len(high))
    assert made.json["id"]
    assert [member["id"] for member in shop("segments", "members", "Likely", "--json").json["items"]] == high[:100]
    assert shop("segments", "export", "Likely", "-o", tmp_path / "m.parquet").code == 0
    assert pq.read_table(tmp_path / "m.parquet")["id"].to_pylist() == high
    assert "Likely" in shop("segments", "list").out
    assert "high" in shop("segments", "show", "Likely").out
    assert "Likely" in shop("profile", "CRMID", high[0]).out
    assert shop("segments", "delete", "Likely").code == 0
    assert shop("segments", "list", "--json").json == []


def test_a_segment_of_a_factor_and_events(shop, scores):
    code = next(row["factors"][0]["code"] for row in scores if row["bucket"] == "high")
    text = f'factor "{code}" of "Buy again" raises and score of "Buy again" >= 75'
    wanted = [
        row["id"]
        for row in scores
        if row["score"] >= 75 and any(one["code"] == code and one["contribution"] > 0 for one in row["factors"])
    ]
    assert shop("segments", "create", "F", "--text", text, "--estimate", "--json").json["size"] == len(wanted)


def test_a_rule_file(shop, scores):
    rule = shop.write(
        "rule.yaml", {"rule": {"percentile": {"of": "Buy again", "operator": "greater_than", "value": 90}}}
    )
    size = sum(row["percentile"] > 90 for row in scores)
    assert f"{size:,} people would belong" in shop("segments", "create", "Top", "--rule", rule, "--estimate").err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["create", "S"], "Give one of"),
        (["create", "S", "--text", "scor of 'Buy again' > 1"], "no field 'scor'"),
        (["create", "S", "--instance", "Buy", "--bucket", "high"], "Did you mean 'Buy again'"),
        (["members", "S"], "no segment 'S'"),
        (["delete", "S"], "no segment 'S'"),
    ],
)
def test_what_cannot_be_done_is_told_in_words(shop, words, said):
    answer = shop("segments", *words)
    assert (answer.code, said in answer.err) == (2, True), answer.err
