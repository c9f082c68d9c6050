"""A command line that is called in this process, on a home folder with a small shop."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from likelier.cli import app

MAPPING = {
    "identity": {"namespace": "CRMID", "value": "customer"},
    "timestamp": "moment",
    "fields": {
        "eventType": "kind",
        "commerce.purchases.value": "CASE WHEN kind = 'purchase' THEN 1 END",
        "web.webPageDetails.name": "page",
    },
}
PURCHASE = {"conditions": [{"field": "commerce.purchases.value", "operator": "exists"}]}
BUY = {
    "name": "Buy again",
    "propensity_type": "conversion",
    "datasets": ["shop"],
    "namespace": "CRMID",
    "goal": {"events": [PURCHASE], "window_days": 14},
}


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Terminal:
    home: Path

    def __call__(self, *words: Any) -> Answer:
        result = CliRunner(env={"LIKELIER_HOME": str(self.home)}).invoke(app, [*map(str, words)])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    def write(self, name: str, content: Any) -> Path:
        self.home.mkdir(parents=True, exist_ok=True)
        path = self.home / name
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path


@pytest.fixture
def terminal(tmp_path) -> Terminal:
    return Terminal(tmp_path / "home")


def events(people: int = 500, days: int = 120) -> pa.Table:
    """Half of the people buy with a third of their visits; everybody comes at a rate of their own."""
    rng = np.random.default_rng(1)
    counts = rng.poisson(rng.gamma(1.2, 8, people))
    who = np.repeat(np.arange(people), counts)
    buys = (rng.random(len(who)) < 0.3) & np.repeat(rng.random(people) < 0.5, counts)
    seconds = rng.integers(0, days * 86_400, len(who)).astype("timedelta64[s]")
    return pa.table(
        {
            "customer": [f"p{number:04}" for number in who],
            "moment": pa.array(np.datetime64("2024-01-01", "us") + seconds, pa.timestamp("us", "UTC")),
            "kind": np.where(buys, "purchase", "visit"),
            "page": rng.choice(["home", "sale", "help"], len(who)),
        }
    )


@pytest.fixture(scope="session")
def shop(tmp_path_factory) -> Terminal:
    """A home with a shop's events and one run of one instance."""
    terminal = Terminal(tmp_path_factory.mktemp("shop") / "home")
    mapping = terminal.write("mapping.yaml", MAPPING)
    pq.write_table(events(), terminal.home / "events.parquet")
    assert terminal("ingest", "shop", terminal.home / "events.parquet", "--mapping", mapping).code == 0
    answer = terminal("run", terminal.write("buy.yaml", BUY))
    assert answer.code == 0, answer.err
    return terminal
