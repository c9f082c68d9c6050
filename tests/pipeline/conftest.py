"""A run that several tests look at."""

import pyarrow.parquet as pq
import pytest
from tests.pipeline import shop

from likelier.lake import Lake
from likelier.pipeline import scores_file


@pytest.fixture(scope="package", autouse=True)
def quick():
    """Small models in all tests of the pipeline; those of the command line are as they are."""
    with shop.few_trees():
        yield


@pytest.fixture(scope="package")
def lake(tmp_path_factory):
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    shop.put(lake, shop.events())
    shop.put(lake, shop.attributes(), "people", "profiles")
    return lake


@pytest.fixture(scope="package")
def done(lake, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "a"
    return folder, shop.run(lake, folder, shop.ASKED)


@pytest.fixture(scope="package")
def scored(done):
    return pq.read_table(scores_file(done[0]))
