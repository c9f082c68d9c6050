"""One of the kills of which `benchmarks/service/kills.py` does a hundred: a real server, with a run under way."""

import shutil

import pytest
from benchmarks.service.kills import Shop, undergo


@pytest.mark.slow
def test_a_server_killed_with_a_run_under_way_loses_and_doubles_nothing(shop, tmp_path):
    shutil.copytree(shop.home, tmp_path / "shop")
    killed = Shop(tmp_path / "shop", f"sqlite:///{tmp_path / 'shop' / 'likelier.db'}")
    killed.add_servers(1)
    killed.take_token()
    assert undergo(killed, kills=1, seed=3) == []
