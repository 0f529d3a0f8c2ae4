"""The gate before a table without rules: whatever can tell of a person has policies, forced.

A table is found by its columns: those that the specification of a record calls personal, and those
that are named like them, or like the number of a person, in any other table.
"""

from collections.abc import Collection, Iterator

import pytest
import sqlalchemy as sa

from gis_service.records import RECORDS
from gis_service.store import tables as t

_PERSONAL = {
    field.stored for record in RECORDS.values() for field in record.fields if field.personal
}
_ALSO_OF_THINGS = {
    "building_id", "key", "kind", "name", "note", "officer_id", "people", "point", "street", "text",
    "valid",
}  # fmt: skip
"""Personal in one kind of record, of a thing in another table: by their names alone not told."""
NAMED_LIKE_A_PERSON = (_PERSONAL - _ALSO_OF_THINGS) | {
    "draft", "email", "household_id", "incident_id", "login", "object_id",
}  # fmt: skip
NO_RULES = {
    "account": "who signs in; read before anybody is known",
    "facility": "the telephone of a station",
    "incident_request": "a digest of what was sent, and the number it got",
    "search_entry": "holds no person; what it names stands on a public map",
}
"""Tables that the gate would find, and why they need no rule of this kind."""


def find_tables_without_rules(
    connection: sa.Connection, but: Collection[str] = NO_RULES
) -> set[str]:
    """Name the tables that can tell of a person and have no policy, or one that is not forced."""
    found = connection.execute(
        sa.text(
            "SELECT DISTINCT class.relname FROM pg_class AS class"
            " JOIN pg_attribute AS attribute ON attribute.attrelid = class.oid"
            " WHERE class.relnamespace = 'public'::regnamespace AND class.relkind IN ('r', 'p')"
            " AND attribute.attnum > 0 AND NOT attribute.attisdropped"
            " AND (class.relname = ANY (:tables) OR attribute.attname = ANY (:columns))"
            " AND NOT (class.relrowsecurity AND class.relforcerowsecurity"
            "   AND EXISTS (SELECT FROM pg_policy WHERE polrelid = class.oid"
            "               AND polroles <> ARRAY['gis_owner'::regrole::oid]))"
        ),
        {
            "tables": [
                record.table
                for record in RECORDS.values()
                if any(field.personal and field.type != "point" for field in record.fields)
            ],
            "columns": sorted(NAMED_LIKE_A_PERSON),
        },
    ).scalars()
    return set(found) - set(but)


@pytest.fixture
def owner(owner_engine: sa.Engine) -> Iterator[sa.Connection]:
    """The owner, in a transaction that is thrown away."""
    with owner_engine.connect() as connection:
        yield connection


def test_what_can_tell_of_a_person_has_rules(owner: sa.Connection) -> None:
    assert find_tables_without_rules(owner) == set()


def test_the_tables_with_rules_are_those_that_are_named(owner: sa.Connection) -> None:
    ruled = owner.scalars(
        sa.text(
            "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"
            " AND relnamespace = 'public'::regnamespace"
        )
    )
    assert {*ruled} - {"event"} == t.WITH_ROW_RULES


RULE = "CREATE POLICY somebody ON probe USING (gis_sees_county())"


@pytest.mark.parametrize("column", ["head_name text", "household_id bigint", "reporter_phone text"])
@pytest.mark.parametrize(
    ("steps", "is_found"),
    [
        ([], True),
        (["ALTER TABLE probe ENABLE ROW LEVEL SECURITY", RULE], True),
        (["ALTER TABLE probe FORCE ROW LEVEL SECURITY", RULE], True),
        (
            [
                "ALTER TABLE probe ENABLE ROW LEVEL SECURITY",
                "ALTER TABLE probe FORCE ROW LEVEL SECURITY",
                "CREATE POLICY owner ON probe TO gis_owner USING (true)",
            ],
            True,
        ),
        (
            [
                "ALTER TABLE probe ENABLE ROW LEVEL SECURITY",
                "ALTER TABLE probe FORCE ROW LEVEL SECURITY",
                RULE,
            ],
            False,
        ),
    ],
)
def test_the_gate_finds_a_table_without_rules(
    owner: sa.Connection, column: str, steps: list[str], is_found: bool
) -> None:
    owner.execute(sa.text(f"CREATE TABLE probe (probe_id bigint, {column})"))
    for step in steps:
        owner.execute(sa.text(step))
    assert find_tables_without_rules(owner) == ({"probe"} if is_found else set())


def test_the_gate_finds_the_table_of_a_record_by_its_specification(owner: sa.Connection) -> None:
    owner.execute(sa.text("ALTER TABLE officer DISABLE ROW LEVEL SECURITY"))
    assert find_tables_without_rules(owner) == {"officer"}


def test_a_table_of_things_is_not_found(owner: sa.Connection) -> None:
    owner.execute(sa.text("CREATE TABLE probe (probe_id bigint, name text, grid_id bigint)"))
    assert find_tables_without_rules(owner) == set()


def test_every_exception_of_the_gate_is_still_needed(owner: sa.Connection) -> None:
    assert find_tables_without_rules(owner, but=()) == set(NO_RULES)
