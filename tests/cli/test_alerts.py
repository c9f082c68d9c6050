"""What `likelier alerts` tells."""

import datetime as dt

from likelier.service.workspace import open_workspace
from likelier.settings import read_settings
from likelier.store import alerts
from likelier.store.alerts import Alert


def test_alerts_are_listed_and_a_test_needs_a_channel(terminal):
    assert "Nothing was noticed yet." in terminal("alerts", "list").err
    moment = dt.datetime(2024, 5, 1, 9, tzinfo=dt.UTC)
    with open_workspace(read_settings({}, home=terminal.home)) as workspace, workspace.store.write() as connection:
        assert alerts.add(connection, Alert("1", "i", "Buy again", "drift", "k", "Prices doubled.", moment))
        assert not alerts.add(connection, Alert("2", "i", "Buy again", "drift", "k", "Prices doubled.", moment))
    assert "Prices doubled." in terminal("alerts", "list").out
    (row,) = terminal("alerts", "list", "--json").json
    assert (row["kind"], row["instance"], row["state"]) == ("drift", "Buy again", "noted")
    assert terminal("alerts", "check", "--json").json == {"noticed": 0, "told": 0}
    refused = terminal("alerts", "test")
    assert (refused.code, "LIKELIER_ALERT_WEBHOOK" in refused.err) == (2, True)
