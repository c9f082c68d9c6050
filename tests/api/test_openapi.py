"""The OpenAPI document holds: schemathesis asks what can be asked by it, and looks at each answer.

A few examples of each operation; `benchmarks/service/openapi.py` asks thousands.
"""

import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

EXAMPLES = 2
# What the document cannot say is refused in words: a field that is not there, a name that is taken.
CONFIG = {
    "checks": {
        "positive_data_acceptance": {"expected-statuses": ["2xx", 401, 403, 404, 409, 412, 413, 415, 422]},
        "negative_data_rejection": {"expected-statuses": [401, 403, 404, 405, 409, 412, 413, 415, 422]},
    }
}
schemathesis.serializer.alias("application/x-ndjson", "text/plain")


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_one_that_is_documented(app, token, mode):
    headers = {"Authorization": token("admin")["authorization"]}
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, config=SchemathesisConfig.from_dict(CONFIG))
    asked = set()
    for found in schema.include(path_regex="^/api/v1/").get_all_operations():
        operation = found.ok()

        @hypothesis.settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(operation.as_strategy(generation_mode=mode))
        def ask(case):
            case.call_and_validate(headers=headers)
            asked.add((case.method, case.path))

        ask()
    assert len(asked) > 25
