"""What the commands tell of whether it came true."""

from tests.cli.conftest import BUY


def test_a_backtest_prints_a_table_and_writes_a_page(shop):
    page = shop.home / "backtest.html"
    answer = shop("backtest", shop.write("buy.yaml", BUY), "--cut-offs", 1, "-o", page)
    assert answer.code == 0, answer.err
    assert "Put back in time once, 14 days apart." in answer.out
    assert "2024-04-16" in answer.out
    assert page.stat().st_size > 100_000
    assert shop("runs", "--json").json[0]["started_at"] == shop("runs", "--json").json[-1]["started_at"]


def test_a_backtest_without_any_history_fails_and_says_why(shop):
    answer = shop("backtest", shop.write("buy.yaml", BUY), "--cut-offs", 1, "--as-of", "2024-02-01", "--json")
    assert answer.code == 1
    row = answer.json["cut_offs"][0]
    assert (row["problem"]["code"], answer.json["together"]) == (407, None)
