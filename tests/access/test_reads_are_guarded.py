"""No read of households, officers, incidents or hazards passes by ``access.visible``.

The source of every module is read as a tree: a function that names one of the four tables and
builds a SELECT must call ``visible`` or ``sees_grid`` itself. Who need not stands below, with the
reason.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "gis_service"
SENSITIVE = frozenset({"household", "officer", "incident", "hazard"})
GUARDS = frozenset({"visible", "sees_grid", "is_visible"})
MODULES = sorted(
    file.relative_to(PACKAGE).as_posix()
    for file in PACKAGE.rglob("*.py")
    if "migrations" not in file.parts
)

ALLOWED = {
    ("access/queries.py", "find_officers_by_key"): "gives ids to an administrator's list; no row",
    ("access/queries.py", "is_officer"): "tells an administrator that there is one; no row",
    ("access/visibility.py", "_by_object"): "is a part of the guard itself",
    (
        "grids/answers/queries.py",
        "_page_query",
    ): "reads the rows of ids that `find_household_ids` has found in sight",
    (
        "grids/membership/queries.py",
        "find_households_in",
    ): "moves the households of buildings that moved",
    (
        "grids/membership/queries.py",
        "_objects_query",
    ): "writes the grid of every object, in the system's name",
    ("entry/queries.py", "find_overlapping"): "reads the duty in the way, officer and grid known",
    ("ingest/kinds/queries.py", "read_place_of_each"): "reads where buildings and premises stand",
    ("ingest/kinds/queries.py", "merge_records"): "compares with what `read_records` has in sight",
    ("ingest/kinds/queries.py", "find_referrers"): "asks of rows that `read_records` has in sight",
    ("ingest/kinds/queries.py", "_read_moved"): "gives ids to the assignment; no row leaves it",
    ("ingest/kinds/queries.py", "read_postings"): "reads the duties and leaves of whole files",
    ("ingest/writing/queries.py", "read_ids_by_key"): "reads back ids that were just written",
    (
        "incidents/queries.py",
        "read_known_keys",
    ): "tells which keys of a list are known, of any grid",
    (
        "boundaries/plans/queries.py",
        "count_households_in_buildings",
    ): "counts by building; only sums leave a plan",
    (
        "boundaries/publication/queries.py",
        "count_open_incidents",
    ): "counts what moves with a grid",
    ("boundaries/publication/queries.py", "find_in_office"): "opens duties again as they were",
    ("incidents/queries.py", "_is_in_box"): "is a condition; who asks for the rows asks the guard",
    ("search/queries.py", "_found_entries"): "is given what tables hold entries, by the one guard",
    ("search/queries.py", "read_officers"): "for the search's table; who reads it is asked there",
    ("search/queries.py", "read_household_addresses"): "for the search's table, without people",
    ("main_job.py", "summarise"): "counts the whole county in the system's name; no row leaves it",
}


def names_table(node: ast.AST) -> bool:
    """``t.household`` and the like, and the table of whatever kind of record."""
    return calls(node, frozenset({"table_of"})) or (
        isinstance(node, ast.Attribute)
        and node.attr in SENSITIVE
        and isinstance(node.value, ast.Name)
        and node.value.id in {"t", "tables"}
    )


def calls(node: ast.AST, names: frozenset[str]) -> bool:
    """A call of a function or a method of one of the names."""
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name in names


def asks_for_somebody(node: ast.AST) -> bool:
    """A call of a guard, and not in the system's name, which may see everything."""
    asked = node.args[0] if isinstance(node, ast.Call) and node.args else None
    return calls(node, GUARDS) and not (isinstance(asked, ast.Name) and asked.id == "SYSTEM")


def takes_table(function: ast.FunctionDef) -> bool:
    """A parameter that may be any table."""
    arguments = [*function.args.args, *function.args.kwonlyargs]
    return any(
        argument.annotation is not None and ast.unparse(argument.annotation) == "sa.Table"
        for argument in arguments
    )


def unguarded(source: str) -> Iterator[str]:
    """Names of the functions that read one of the four tables without asking who may see it."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef):
            continue
        inside = list(ast.walk(node))
        reads = any(calls(one, frozenset({"select", "exists"})) for one in inside)
        concerned = any(names_table(one) for one in inside) or takes_table(node)
        if reads and concerned and not any(asks_for_somebody(one) for one in inside):
            yield node.name


@pytest.mark.parametrize("module", MODULES)
def test_a_module_asks_who_may_see_before_it_reads(module: str) -> None:
    found = {
        name
        for name in unguarded((PACKAGE / module).read_text("utf-8"))
        if (module, name) not in ALLOWED
    }
    assert not found, f"{module}: {found} read personal data without access.visible"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_names_the_four_tables_through_the_tables_module(module: str) -> None:
    for node in ast.walk(ast.parse((PACKAGE / module).read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "gis_service.store.tables":
            assert not SENSITIVE & {name.name for name in node.names}


@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith("store/")])
def test_sql_as_text_stays_in_the_store(module: str) -> None:
    for node in ast.walk(ast.parse((PACKAGE / module).read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"sa.text", "text"}:
            first = node.args[0] if node.args else None
            said = first.value if isinstance(first, ast.Constant) else ""
            assert "select " not in str(said).lower()


def test_every_exception_is_still_needed() -> None:
    for module, name in ALLOWED:
        assert name in set(unguarded((PACKAGE / module).read_text("utf-8"))), (module, name)


@pytest.mark.parametrize(
    "body",
    [
        "sa.select(t.household)",
        "sa.select(sa.func.count()).select_from(t.officer)",
        "sa.select(t.grid).join(t.incident)",
        "t.hazard.select()",
        "sa.select(table_of(record))",
    ],
)
def test_the_check_sees_a_careless_read(body: str) -> None:
    assert list(unguarded(f"def careless(connection):\n    return connection.execute({body})"))


def test_asking_in_the_system_s_name_is_no_guard() -> None:
    source = (
        "def careless():\n    return sa.select(t.household).where(visible(SYSTEM, t.household))"
    )
    assert list(unguarded(source)) == ["careless"]


def test_the_check_lets_a_careful_read_pass() -> None:
    source = (
        "def careful(actor):\n    return sa.select(t.household).where(visible(actor, t.household))"
    )
    assert not list(unguarded(source))
