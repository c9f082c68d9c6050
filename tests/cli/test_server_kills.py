"""One of the kills of which `benchmarks/service/kills.py` does a hundred: a real server, with a run under way."""

import shutil

from benchmarks.service.kills import Shop, undergo


def test_a_server_killed_with_a_run_under_way_loses_and_doubles_nothing(shop, tmp_path):
    shutil.copytree(shop.home, tmp_path / "shop")
    copied = type(shop)(tmp_path / "shop")
    token = copied("tokens", "create", "--name", "kills", "--role", "manage", "--json").json["token"]
    killed = Shop(copied.home, f"sqlite:///{copied.home / 'likelier.db'}", token=token)
    killed.add_servers(1)
    assert undergo(killed, kills=1, seed=9) == []
