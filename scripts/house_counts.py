"""Counts of the package: lines by room, and what a rule of docs/architecture.md speaks of."""

import argparse
import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

PACKAGE: Final = Path(__file__).resolve().parents[1] / "gis_service"
FROZEN: Final = PACKAGE / "store" / "migrations"
"""What has been released is not changed any more."""
MODULE_LINES: Final = 600
FUNCTION_LINES: Final = 80
ARGUMENTS: Final = 10
EXCEPTIONS: Final = Path(__file__).with_name("house_exceptions.txt")
"""What may break a rule: ``rule name  # why``, a line each."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Room:
    """Lines of one room."""

    files: int = 0
    code: int = 0
    docstring: int = 0
    comment: int = 0


@dataclass
class House:
    """What was counted."""

    rooms: dict[str, Room] = field(default_factory=lambda: defaultdict(Room))
    long_modules: list[str] = field(default_factory=list)
    long_functions: list[str] = field(default_factory=list)
    many_arguments: list[str] = field(default_factory=list)
    named_twice: list[str] = field(default_factory=list)
    statement_modules: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    docstrings: list[str] = field(default_factory=list)


def modules() -> Iterator[Path]:
    """Walk the package's modules, but for migrations."""
    return (file for file in sorted(PACKAGE.rglob("*.py")) if FROZEN not in file.parents)


def count() -> House:
    """Read every module once."""
    house = House()
    homes: dict[str, set[str]] = defaultdict(set)
    for file in modules():
        path = str(file.relative_to(PACKAGE))
        text = file.read_text("utf-8")
        tree = ast.parse(text)
        room = house.rooms[path.split("/", maxsplit=1)[0] if "/" in path else "(top)"]
        docstring = _docstring_lines(tree)
        comment, code = _comment_and_code_lines(text, docstring)
        room.files += 1
        room.docstring += len(docstring)
        room.comment += comment
        room.code += code
        if code + comment + len(docstring) > MODULE_LINES:
            house.long_modules.append(f"{path}: {code + comment + len(docstring)}")
        for node in ast.walk(tree):
            if isinstance(node, Function):
                _look_at_function(house, path, node, docstring)
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                homes[node.name].add(path)
        if _builds_statements(tree):
            house.statement_modules.append(path)
    house.named_twice = [
        f"{name}: {', '.join(sorted(paths))}"
        for name, paths in sorted(homes.items())
        if len(paths) > 1
    ]
    house.unused = _unused()
    house.docstrings = list(_docstring_faults())
    return house


def _look_at_function(house: House, path: str, node: Function, docstring: set[int]) -> None:
    lines = set(range(node.lineno, (node.end_lineno or node.lineno) + 1)) - docstring
    if len(lines) > FUNCTION_LINES:
        house.long_functions.append(f"{path}:{node.name}: {len(lines)}")
    arguments = node.args
    many = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)
    if many > ARGUMENTS:
        house.many_arguments.append(f"{path}:{node.name}: {many}")


def _docstring_lines(tree: ast.Module) -> set[int]:
    """Find the lines of docstrings, and of the texts under constants and attributes."""
    return {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def _comment_and_code_lines(text: str, docstring: set[int]) -> tuple[int, int]:
    comments: set[int] = set()
    code: set[int] = set()
    quiet = (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        lines = range(token.start[0], token.end[0] + 1)
        if token.type == tokenize.COMMENT:
            comments.update(lines)
        elif token.type not in quiet:
            code.update(lines)
    code -= docstring
    return len(comments - code), len(code)


def room_of(path: Path) -> str:
    """Name the room of a module; one that stands alone is a room of its own."""
    return path.relative_to(PACKAGE).parts[0]


def _docstring_faults() -> Iterator[str]:
    """Find short docstrings of what other rooms import, and long ones of what they never name."""
    trees = {file: ast.parse(file.read_text("utf-8")) for file in modules()}
    imported: dict[str, set[str]] = defaultdict(set)
    named: dict[str, set[str]] = defaultdict(set)
    for file, node in ((file, node) for file, tree in trees.items() for node in ast.walk(tree)):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                imported[f"{node.module}.{alias.name}"].add(room_of(file))
                named[alias.name].add(room_of(file))
        elif isinstance(node, ast.Attribute):
            named[node.attr].add(room_of(file))
    for file, tree in trees.items():
        module = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
        for node in filter(_is_documented, ast.walk(tree)):
            assert isinstance(node, Function)
            is_full = "\n----" in (ast.get_docstring(node) or "")
            others = {room_of(file)}
            if (
                not is_full
                and _takes_something(node)
                and imported[f"{module}.{node.name}"] - others
            ):
                yield f"{file.relative_to(PACKAGE)}:{node.name}: say what it takes and gives"
            elif is_full and not named[node.name] - others and file.parent != PACKAGE:
                yield f"{file.relative_to(PACKAGE)}:{node.name}: one line is enough"


def _is_documented(node: ast.AST) -> bool:
    """Tell whether it is a function with a docstring that only who reads the code reads."""
    if not isinstance(node, Function) or not ast.get_docstring(node):
        return False  # of a route or a command its users read it; a kernel's arrays have no shape
    decorators = {_name_of(one) for one in node.decorator_list}
    return "compiled" not in decorators and not decorators - _PLAIN_DECORATORS


_PLAIN_DECORATORS: Final = frozenset(
    {"cache", "cached_property", "classmethod", "contextmanager", "lru_cache"}
    | {"overload", "property", "staticmethod"}
)


def _name_of(decorator: ast.expr) -> str:
    node = decorator.func if isinstance(decorator, ast.Call) else decorator
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _takes_something(node: Function) -> bool:
    arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    return any(one.arg not in ("self", "cls") for one in arguments)


_STATEMENTS: Final = frozenset({"select", "insert", "update", "delete", "exists", "values"})


def _builds_statements(tree: ast.Module) -> bool:
    """Tell whether a module speaks SQLAlchemy on the tables."""
    return any(
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "sa"
        and node.attr in _STATEMENTS
        for node in ast.walk(tree)
    )


_ROUTES: Final = "@router.*,@pages.*,@*.command*,@*.callback,@work*,@regularly*,@app.*,@*validator*"


def _unused() -> list[str]:
    """Ask vulture which functions, methods and classes nobody calls but tests and benches."""
    users = ["gis_service", *(str(file) for file in _tools())]
    command = [sys.executable, "-m", "vulture", *users, "--ignore-decorators", _ROUTES]
    run = subprocess.run(
        [*command, "--min-confidence", "60", "--exclude", "*/migrations/*"],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode not in (0, 3):
        raise SystemExit(run.stderr)
    kinds = "function|method|class|property"
    found = re.findall(
        rf"^gis_service/(\S+?):\d+: unused (?:{kinds}) '(\w+)'", run.stdout, re.MULTILINE
    )
    templates = "".join(
        file.read_text("utf-8") for file in sorted((PACKAGE.parent / "web/templates").rglob("*.*"))
    )
    return [f"{path}:{name}" for path, name in found if not re.search(rf"\b{name}\b", templates)]


def _tools() -> Iterator[Path]:
    """Walk the scripts that are no bench."""
    scripts = PACKAGE.parent / "scripts"
    return (file for file in scripts.rglob("*.py") if "benches" not in file.parts)


def exceptions() -> dict[str, set[str]]:
    """Read what may break a rule: ``rule path:name  # why``."""
    allowed: dict[str, set[str]] = defaultdict(set)
    for line in EXCEPTIONS.read_text("utf-8").splitlines():
        rule, _, rest = line.partition("#")[0].strip().partition(" ")
        if rule:
            allowed[rule].add(rest.strip())
    return allowed


def broken(house: House) -> list[str]:
    """List what breaks a rule and is no exception."""
    allowed = exceptions()
    found = [
        *(("long", entry.rpartition(":")[0]) for entry in house.long_functions),
        *(("arguments", entry.rpartition(":")[0]) for entry in house.many_arguments),
        *(("twice", entry.partition(":")[0]) for entry in house.named_twice),
        *(("unused", entry) for entry in house.unused),
        *(("docstring", entry.partition(": ")[0]) for entry in house.docstrings),
    ]
    wrong = [f"{rule}: {name}" for rule, name in found if name not in allowed[rule]]
    stale = [
        f"no exception is needed any more: {rule} {name}"
        for rule, names in allowed.items()
        for name in sorted(names - {name for other, name in found if other == rule})
    ]
    return wrong + stale


def as_dict(house: House) -> dict[str, Any]:
    """Give the counts as JSON takes them."""
    rooms = {name: vars(room) for name, room in sorted(house.rooms.items())}
    total = Counter[str]()
    for room in rooms.values():
        total.update(room)
    return {**vars(house), "rooms": rooms, "total": dict(total)}


def main() -> None:
    """Print the counts, or fail where a rule is broken."""
    parser = argparse.ArgumentParser(prog="scripts/house", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="fail where a rule is broken")
    options = parser.parse_args()
    house = count()
    if options.check:
        faults = broken(house)
        print("\n".join(faults))
        raise SystemExit(1 if faults else 0)
    counts = as_dict(house)
    if options.json:
        print(json.dumps(counts, indent=2, ensure_ascii=False))
        return
    print(f"{'room':<14}{'files':>8}{'code':>8}{'docstring':>11}{'comment':>9}")
    for name, room in [*counts["rooms"].items(), ("total", counts["total"])]:
        print(
            f"{name:<14}{room['files']:>8}{room['code']:>8}{room['docstring']:>11}"
            f"{room['comment']:>9}"
        )
    for name in (
        "long_modules",
        "long_functions",
        "many_arguments",
        "named_twice",
        "statement_modules",
        "unused",
        "docstrings",
    ):
        entries = counts[name]
        print(f"\n{name.replace('_', ' ')}: {len(entries)}")
        print("\n".join(f"  {entry}" for entry in entries))


if __name__ == "__main__":
    main()
