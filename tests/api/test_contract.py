"""What the description of the API promises holds: generated requests, good and bad, by each user.

A short run with a fixed seed is part of the tests; ``scripts/contract --examples 100`` runs the
same for long, and prints how many cases there were and what did not hold.
"""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from schemathesis.core.failures import Failure, FailureGroup
from starlette.types import ASGIApp, Receive, Scope, Send

from gis_service.api import create_app
from gis_service.store import Store
from tests.api.conftest import SmallCounty

EXAMPLES: Final = int(os.environ.get("GIS_CONTRACT_EXAMPLES", "3"))
SEED: Final = int(os.environ.get("GIS_CONTRACT_SEED", "20260101"))
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]


def _on_this_machine(app: ASGIApp) -> ASGIApp:
    """Ask from loopback; what breaks inside is seen by the status, as anybody sees it."""

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(Exception):
            await app({**scope, "client": ("127.0.0.1", 50000)}, receive, send)

    return asked


@pytest.mark.parametrize("role", ["visitor", "grid_officer", "county_office", "auditor"])
def test_the_contract_holds(
    store: Store,
    small_county: SmallCounty,
    as_actor: Callable[[str], dict[str, str]],
    role: str,
) -> None:
    app = create_app(store, loopback_only=True)
    schema = schemathesis.openapi.from_dict(app.openapi())
    local = _on_this_machine(app)
    answers: Counter[int] = Counter()
    breaches: Counter[str] = Counter()

    def ask(case: schemathesis.Case[Any]) -> None:
        answer = case.call("http://127.0.0.1:8000", app=local, headers=as_actor(role), timeout=300)
        answers[answer.status_code] += 1
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as group:
            for one in group.exceptions:
                assert isinstance(one, Failure)
                what = f"{case.operation.label}: {one.title}: {one.message[:200]}"
                if what not in breaches:
                    print(what, case.as_curl_command()[:600], answer.text[:200], sep="\n  ")
                breaches[what] += 1

    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]  # the description is ours
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            with suppress(Unsatisfiable):  # nothing is wrong where nothing can be given
                _run(operation.as_strategy(mode), ask)
    told = ", ".join(f"{number} × {status}" for status, number in sorted(answers.items()))
    print(f"{role}: {answers.total()} cases ({told}), {breaches.total()} breaches")
    assert answers.total() > EXAMPLES * 100
    assert answers[200] > EXAMPLES * 5
    assert not breaches


def _run(
    cases: st.SearchStrategy[schemathesis.Case[Any]], ask: Callable[[schemathesis.Case[Any]], None]
) -> None:
    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases)
    def run(case: schemathesis.Case[Any]) -> None:
        ask(case)

    run()
