"""The plans of what was asked: which statements go through a whole table of people or trouble."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.store import Store
from gis_service.store.engine import whole_county

LARGE: Final = frozenset({"coverage_household", "hazard", "household", "incident", "membership"})

Statement = tuple[str, Any, bool]
"""Text, values, and whether it was asked in the scope of the whole county."""


@contextmanager
def recording(store: Store) -> Iterator[list[Statement]]:
    """Write down every SELECT that goes to the store."""
    statements: list[Statement] = []
    in_county = [False]

    def note(_c: Any, _cursor: Any, text: str, values: Any, _context: Any, _many: bool) -> None:
        if "scope" in values and "gis.scope" in values.values():
            in_county[0] = values["scope"] == "county"
        elif text.lstrip().startswith(("SELECT", "WITH")) and "set_config" not in text:
            statements.append((text, values, in_county[0]))

    sa.event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(store.engine, "before_cursor_execute", note)


def find_whole_reads(store: Store, actor: Actor, statements: list[Statement]) -> list[str]:
    """Find the statements that go through all of a large table, as the actor would ask them."""
    found = []
    for text, values, in_county in statements:
        with store.transaction(actor) as connection:
            if in_county:
                with whole_county(connection):
                    plan = _explain(connection, text, values)
            else:
                plan = _explain(connection, text, values)
        read = sorted(set(_tables_read_whole(plan)) & LARGE)
        if read:
            found.append(f"{', '.join(read)}: {text}")
    return found


def _explain(connection: sa.Connection, text: str, values: Any) -> Any:
    answer = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {text}", values).scalar_one()
    return (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]


def _tables_read_whole(plan: dict[str, Any]) -> Iterator[str]:
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for part in plan.get("Plans", []):
        yield from _tables_read_whole(part)
