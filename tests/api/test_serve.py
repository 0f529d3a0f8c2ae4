"""What the first question needs is made before it comes."""

import runpy
import sys

import pytest

from gis_service.access import SYSTEM
from gis_service.api import create_app
from gis_service.api.serve import warm_up
from gis_service.store import Store
from tests.api.conftest import SmallCounty


def test_the_index_stands_before_anybody_asks(
    store: Store, small_county: SmallCounty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "gis_service.grids.answers.answering._CHECK_EVERY_S", 60.0
    )  # of a busy machine
    app = create_app(store, loopback_only=True)
    warm_up(app).join(timeout=60)
    ready = app.state.answer_service.fresh(SYSTEM, "base")
    assert ready is not None
    assert len(ready.directory.rows) > len(small_county.grid_ids) // 2
    assert app.state.drafts.stage == "ready"


def test_an_empty_store_has_nothing_to_make(database_server, template_database) -> None:  # type: ignore[no-untyped-def]
    name = database_server.create(template_database)
    empty = Store(database_server.url("gis_service", name))
    try:
        thread = warm_up(create_app(empty, loopback_only=True))
        thread.join(timeout=60)
        assert not thread.is_alive()
    finally:
        empty.close()
        database_server.drop(name)


class _CompilingError(Exception):
    """Raised instead of compiling."""


@pytest.mark.parametrize(
    ("module", "used"),
    [
        ("gis_service.grids.compiling", "gis_service.grids.locator.locator.Locator"),
        ("gis_service.coverage.compiling", "gis_service.coverage.standards.book.standard_book"),
    ],
)
def test_a_process_of_its_own_compiles_and_ends(
    monkeypatch: pytest.MonkeyPatch, module: str, used: str
) -> None:
    """Compiled in the server itself it would cost a hundred megabytes for good."""

    def compile_instead(*_: object) -> None:
        raise _CompilingError

    monkeypatch.setattr(used, compile_instead)
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(_CompilingError):
        runpy.run_module(module, run_name="__main__")
