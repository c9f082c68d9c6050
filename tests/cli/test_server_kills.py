"""One of the kills of which `benchmarks/service/kills.py` does a hundred: a real server, with a run under way."""

import shutil

from benchmarks.service.kills import BUY, Shop, undergo

from likelier.access.identity import Actor
from likelier.service.instances import delete_instance
from likelier.service.overview import overviews
from likelier.service.workspace import open_workspace
from likelier.settings import read_settings


def test_a_server_killed_with_a_run_under_way_loses_and_doubles_nothing(shop, tmp_path):
    shutil.copytree(shop.home, tmp_path / "shop")
    copied = type(shop)(tmp_path / "shop")
    token = copied("tokens", "create", "--name", "kills", "--role", "manage", "--json").json["token"]
    leave_one_instance(copied.home)
    killed = Shop(copied.home, f"sqlite:///{copied.home / 'likelier.db'}", token=token)
    killed.add_servers(1)
    assert undergo(killed, kills=1, seed=9) == []


def leave_one_instance(home):
    """Take those away that other tests have scheduled, and that a server would run."""
    with open_workspace(read_settings({}, home=home)) as workspace:
        for each in overviews(workspace):
            if each.name != BUY["name"]:
                delete_instance(workspace, Actor("ann"), each.name)
