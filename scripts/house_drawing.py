"""Draw the house, docs/img/architecture.svg, from imports: ``python -m scripts.house_drawing``.

Rows are the layers that import-linter keeps (pyproject.toml), boxes are rooms with their wings. An
arrow is an import; one that a chain of other arrows already shows is left out.
"""

import ast
import tomllib
from html import escape
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGE: Final = ROOT / "gis_service"
DRAWING: Final = ROOT / "docs" / "img" / "architecture.svg"

_WIDTH, _BOX_WIDTH, _LINE, _GAP, _MARGIN = 1180, 178, 15, 34, 20
_STYLE: Final = (
    "text{font:12px sans-serif;fill:#1b2733}.room{font-weight:700}.box{fill:#eef3f8;stroke:#51708f}"
    ".arrow{stroke:#8496a8;fill:none;marker-end:url(#tip)}"
)
_TIP: Final = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7"'
    ' orient="auto"><path d="M0 0L8 4L0 8z" fill="#8496a8"/></marker></defs>'
)


def contracts() -> list[dict[str, Any]]:
    """Read what import-linter keeps."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return list(config["tool"]["importlinter"]["contracts"])


def layers(container: str = "") -> list[list[str]]:
    """Read the rows of rooms, or of a room's wings, from above to below."""
    wanted = [f"gis_service.{container}"] if container else None
    for contract in contracts():
        if contract["type"] == "layers" and contract.get("containers") == wanted:
            rows = [layer.split("|") for layer in contract["layers"]]
            return [[name.strip().removeprefix("gis_service.") for name in row] for row in rows]
    return []


def wings(room: str) -> list[str]:
    """Name the folders of a room, from above to below."""
    names = (name for row in layers(room) for name in row)
    return [name for name in names if (PACKAGE / room / name).is_dir()]


def imports() -> dict[str, set[str]]:
    """Find which room imports which."""
    rooms = {room for row in layers() for room in row}
    found: dict[str, set[str]] = {room: set() for room in rooms}
    for file in PACKAGE.rglob("*.py"):
        room = file.relative_to(PACKAGE).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if room in rooms and isinstance(node, ast.ImportFrom):
                found[room] |= _rooms_of(node) & rooms - {room}
    return found


def _rooms_of(node: ast.ImportFrom) -> set[str]:
    parts = (node.module or "").split(".")
    if parts[0] != "gis_service":
        return set()
    return {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}


def without_detours(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """Leave out an arrow where a chain of others leads to the same room."""

    def below(room: str) -> set[str]:
        return edges[room].union(*(below(other) for other in edges[room]))

    return {
        room: others - {far for other in others for far in below(other)}
        for room, others in edges.items()
    }


def draw() -> str:
    """Draw the house as SVG."""
    boxes: dict[str, tuple[float, float, float]] = {}
    parts, top = [], float(_MARGIN)
    for row in layers():
        height = max(26 + _LINE * len(wings(room)) for room in row)
        width = min(_BOX_WIDTH, (_WIDTH - 2 * _MARGIN) / len(row) - 12)
        left = (_WIDTH - len(row) * (width + 12) + 12) / 2
        for place, room in enumerate(row):
            x = left + place * (width + 12)
            boxes[room] = (x + width / 2, top, top + height)
            parts.append(_box(room, x, top, width, height))
        top += height + _GAP
    arrows = [
        _arrow(boxes[room], boxes[other])
        for room, others in sorted(without_detours(imports()).items())
        for other in sorted(others)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top:.0f}" role="img">',
            "<title>Rooms of gis_service and who imports whom</title>",
            f"<style>{_STYLE}</style>",
            _TIP,
            f'<rect width="{_WIDTH}" height="{top:.0f}" fill="#fff"/>',
            *arrows,
            *parts,
            "</svg>\n",
        ]
    )


def _box(room: str, x: float, y: float, width: float, height: float) -> str:
    lines, bold = [room, *wings(room)], ' class="room"'
    texts = "".join(
        f'<text x="{x + 8:.1f}" y="{y + 17 + _LINE * place:.1f}"'
        f"{bold if place == 0 else ''}>{escape(line)}</text>"
        for place, line in enumerate(lines)
    )
    box = f'<rect class="box" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'{box} rx="5"/>{texts}'


def _arrow(start: tuple[float, float, float], end: tuple[float, float, float]) -> str:
    x1, y1, x2, y2 = start[0], start[2], end[0], end[1]
    bend = max(18.0, (y2 - y1) / 2)
    points = [(x1, y1), (x1, y1 + bend), (x2, y2 - bend), (x2, y2)]
    curve = " ".join(f"{x:.1f} {y:.1f}" for x, y in points[1:])
    return f'<path class="arrow" d="M{x1:.1f} {y1:.1f}C{curve}"/>'


if __name__ == "__main__":
    DRAWING.write_text(draw(), "utf-8")
