"""Walls that an import cannot show: SQL as text lives in the store only."""

import ast
from pathlib import Path

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
