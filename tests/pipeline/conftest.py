"""A run that several tests look at."""

import pyarrow.parquet as pq
import pytest
from tests.pipeline import shop

from likelier.lake import Lake
from likelier.pipeline import scores_file


@pytest.fixture(scope="session")
def lake(tmp_path_factory):
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    shop.put(lake, shop.events())
    shop.put(lake, shop.attributes(), "people", "profiles")
    return lake


@pytest.fixture(scope="session")
def done(lake, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "a"
    return folder, shop.run(lake, folder, shop.ASKED)


@pytest.fixture(scope="session")
def scored(done):
    return pq.read_table(scores_file(done[0]))
