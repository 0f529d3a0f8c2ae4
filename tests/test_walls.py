"""Walls that an import cannot show: where SQL, roles, rules in TOML and who asks are read."""

import ast
import re
from pathlib import Path

from gis_service.messages import WEB_DIR
from gis_service.roles import ROLES

PACKAGE = Path(__file__).resolve().parents[1] / "gis_service"


def test_sql_as_text_lives_in_the_store_only() -> None:
    found = []
    for file in PACKAGE.rglob("*.py"):
        if file.relative_to(PACKAGE).parts[0] == "store":
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            name = node.func if isinstance(node, ast.Call) else None
            if isinstance(name, ast.Attribute) and name.attr in ("text", "exec_driver_sql"):
                owner = getattr(name.value, "id", "")
                if owner in ("sa", "sqlalchemy", "connection"):
                    found.append(f"{file.name}:{node.lineno}")  # type: ignore[attr-defined]
    assert found == []


def test_sets_of_roles_stand_in_one_module_or_with_a_kind_of_record() -> None:
    one_place = {Path("access/permissions.py"), Path("roles.py")}
    one_place |= {file.relative_to(PACKAGE) for file in (PACKAGE / "records").glob("*.py")}
    found = [
        f"{path}:{line}"
        for path in sorted(file.relative_to(PACKAGE) for file in PACKAGE.rglob("*.py"))
        if path not in one_place and path.parts[:2] != ("store", "migrations")
        for line in _role_sets(ast.parse((PACKAGE / path).read_text("utf-8")))
    ]
    assert found == []


def _role_sets(tree: ast.AST) -> list[int]:
    """Find collections of roles' names, and roles of an actor that are compared with a name."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Set | ast.List | ast.Tuple):
            names = node.elts
        elif isinstance(node, ast.Compare) and getattr(node.left, "attr", "") == "role":
            names = node.comparators
        else:
            continue
        if names and all(isinstance(one, ast.Constant) and one.value in ROLES for one in names):
            found.append(node.lineno)
    return found


def test_the_page_s_scripts_know_no_role() -> None:
    """They ask ``may`` for what the server has told them; only an officer of a grid has a role."""
    named = re.compile("[\"'](" + "|".join(ROLES) + ")[\"']")
    scripts = sorted((WEB_DIR / "js").glob("*.js"))
    found = [file.name for file in scripts if named.search(file.read_text("utf-8"))]
    assert (len(scripts) > 20, found) == (True, [])


def test_a_set_of_roles_elsewhere_is_found() -> None:
    for code in ('{"planner", "analyst"}', '("visitor",)', 'actor.role == "visitor"'):
        assert _role_sets(ast.parse(code)) == [1]
    assert _role_sets(ast.parse('(("规划员", "planner"), duty.role == "officer")')) == []


def test_rules_in_toml_are_read_by_one_module_only() -> None:
    readers = {
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        if "import tomllib" in file.read_text("utf-8")
    }
    assert readers == {"rule_files.py"}


def list_api_modules_with(*signs: str) -> set[str]:
    """Name the modules of the API in which one of these texts stands."""
    return {
        file.name
        for file in (PACKAGE / "api").glob("*.py")
        if any(sign in file.read_text("utf-8") for sign in signs)
    }


def test_who_asks_is_told_by_one_module_only() -> None:
    """Whatever names somebody (a header, a cookie, a key) is read by the authenticator."""
    readers = list_api_modules_with("ACTOR_HEADER", "open311_keys", "sessions.holds", "find_actor(")
    assert readers == {"authentication.py"}


def test_demo_actors_are_chosen_by_one_module_and_shown_by_another() -> None:
    readers = list_api_modules_with("demo_actors(connection")
    assert readers == {"authentication.py", "plain_pages.py"}


def test_who_is_rung_is_decided_by_one_module_only() -> None:
    """Others may say that somebody is on leave, but choose nobody by it."""
    tellers = {"maps/sheets/grid_sheet.py", "commands/locating.py"}
    readers = {
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        if ".on_leave" in file.read_text("utf-8")
    }
    assert readers - tellers == {"grids/answers/on_post.py"}
