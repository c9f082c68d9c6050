"""The example insights, made once."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def example() -> ModuleType:
    source = importlib.util.spec_from_file_location("insights_example", Path(__file__).with_name("example.py"))
    module = importlib.util.module_from_spec(source)
    source.loader.exec_module(module)
    return module


@pytest.fixture
def insights(example):
    return example.make()


@pytest.fixture
def run(example):
    return example.run()
