"""What the commands tell of whether it came true."""

from tests.cli.conftest import BUY


def test_a_backtest_prints_a_table_and_writes_a_page(shop):
    page, runs = shop.home / "backtest.html", shop("runs", "--json").json
    answer = shop("backtest", shop.write("buy.yaml", BUY), "--cut-offs", 1, "-o", page)
    assert answer.code == 0, answer.err
    assert "Put back in time once, 14 days apart." in answer.out
    assert "2024-04-16" in answer.out
    assert page.stat().st_size > 100_000
    assert shop("runs", "--json").json == runs


def test_a_backtest_without_any_history_fails_and_says_why(shop):
    answer = shop("backtest", shop.write("buy.yaml", BUY), "--cut-offs", 1, "--as-of", "2024-02-01", "--json")
    assert answer.code == 1
    row = answer.json["cut_offs"][0]
    assert (row["problem"]["code"], answer.json["together"]) == (407, None)


def test_performance_says_that_nothing_can_be_said_yet_and_then_what_happened(shop):
    assert (
        "Nothing can be said yet: the first outcome window closes on 14 May 2024."
        in shop("performance", BUY["name"]).out
    )
    earlier = {**BUY, "name": "Buy in April"}
    assert shop("run", shop.write("april.yaml", earlier), "--as-of", "2024-04-10").code == 0
    (run,) = shop("performance", "Buy in April", "--json").json["runs"]
    assert (run["state"], run["until"][:10]) == ("settled", "2024-04-24")
    assert run["all"]["low"] < run["all"]["rate"] < run["all"]["high"]
    text = shop("performance", "Buy in April").out
    assert "Scored on 10 Apr 2024." in text
    assert "settled" in text
    assert shop("performance", "Buy in April", "--until", "2024-04-10", "--json").json["runs"] == []


def test_an_unknown_attribute_is_named_with_the_known_ones(shop):
    assert shop("performance", BUY["name"], "--by", "tier").code == 2


def test_a_model_card_is_written_as_a_page_or_as_markdown(shop):
    for name in ("card.html", "card.md"):
        assert shop("card", BUY["name"], "-o", shop.home / name).code == 0
        assert "Known limits" in (shop.home / name).read_text()
    assert shop("card", BUY["name"], "-o", shop.home / "card.pdf").code == 2


def test_a_model_is_kept_until_it_is_due_and_people_may_go_back_to_the_one_before(shop):
    asked = shop.write("may.yaml", {**BUY, "name": "Buy in May"})
    first, later = (
        shop("run", asked, "--when-due", "--as-of", day, "--json").json for day in ("2024-04-10", "2024-04-26")
    )
    assert first["decision"] == "There is no earlier model of this definition."
    assert first["model"] == {"run": None, "because": first["decision"], "used": first["id"]}
    assert later["model"]["used"] == first["id"]
    assert later["model"]["because"] == "The model of 10 Apr 2024 is not due."
    assert later["insights"]["champion"]["judged_anew"]
    new = shop("run", asked, "--as-of", "2024-04-26", "--json").json
    assert new["model"] == {"run": None, "because": "A new model was asked for.", "used": new["id"]}
    back = shop("roll-back", "Buy in May", "--json").json
    assert (back["model"]["used"], back["decision"]) == (first["id"], "Rolled back to the model of 10 Apr 2024.")
    assert "Rolled back to the model of 10 Apr 2024." in " ".join(shop("runs", "Buy in May").out.split())
    assert shop("scores", "Buy in May", "--other", "-o", shop.home / "other.csv").code == 2
