"""A Python client of the REST API: a method for each operation, answers as typed values.

>>> from likelier import Client
>>> with Client("http://127.0.0.1:8080", token="likelier_...") as api:  # doctest: +SKIP
...     run = api.start_run("Buy again")
...     api.wait_for(run.id)
...     api.save_scores("Buy again", "scores.parquet")
"""

from likelier.client.client import Client
from likelier.client.errors import NoAnswerError, ProblemError

__all__ = ["Client", "NoAnswerError", "ProblemError"]
