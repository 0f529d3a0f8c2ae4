"""Generated towns, a few of them; ``scripts/towns`` takes as many as it is told."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from tests.conftest import DatabaseServer
from tests.generated.asserting import assert_all_holds
from tests.generated.running import go_the_whole_way
from tests.generated.towns import Town, towns


@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(town=towns())
def test_a_town_goes_the_whole_way_or_is_refused_with_its_reason(
    database_server: DatabaseServer, template_database: str, town: Town
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for store, done in go_the_whole_way(database_server, template_database, town, Path(folder)):
            assert_all_holds(store, town, done)
