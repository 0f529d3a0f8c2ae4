"""Little pictures for the legend of a sheet, drawn in the same manner as the map beside it."""

from collections.abc import Callable, Iterator

from gis_service.maps.sheets.grid_drawing import (
    ACCENT,
    BORDER,
    BUILDING,
    BUILDING_EDGE,
    CASING,
    GREEN,
    ROAD_STYLES,
    SIGN_COLOURS,
    WATER,
    Drawing,
)


def legend_samples(
    drawing: Drawing, sign: Callable[[str], str], k: float
) -> Iterator[tuple[str, bool, str]]:
    """Show everything that stands on a map once."""
    line = '<path d="M0 1.5H8" fill="none" stroke="{}" stroke-width="{:.2f}"{}/>'
    grid = line.format(ACCENT, 2.2, ' stroke-opacity="0.22"') + line.format(ACCENT, 0.75, "")
    yield "grid", False, _svg(grid, k)
    if "neighbour" in drawing.shown:
        dashes = line.format(BORDER, 0.35, ' stroke-dasharray="2 0.9"')
        yield "neighbour", False, _svg(dashes, k)
    if "child" in drawing.shown:
        dashes = line.format(ACCENT, 0.35, ' stroke-dasharray="1.6 0.7"')
        yield "child", False, _svg(dashes, k)
    styles = {style.group: style for style in ROAD_STYLES}  # of a group the widest
    for group in ("motorway", "main", "street", "path"):
        if group not in drawing.shown:
            continue
        style = styles[group]
        road = (
            line.format(style.fill, 0.3, ' stroke-dasharray="0.9 0.6"')
            if group == "path"
            else line.format(CASING, style.width + 0.6, "")
            + line.format(style.fill, style.width + 0.2, "")
        )
        yield group, False, _svg(road, k)
    area = (
        '<rect x="0.5" y="0.2" width="7" height="2.6" fill="{}" stroke="{}" stroke-width="0.15"/>'
    )
    for name, fill, edge in (
        ("building", BUILDING, BUILDING_EDGE),
        ("water", WATER, WATER),
        ("green", GREEN, GREEN),
    ):
        if name in drawing.shown:
            yield name, False, _svg(area.format(fill, edge), k)
    for kind in drawing.kinds:
        disc = (
            f'<circle cx="4" cy="1.5" r="1.5" fill="{SIGN_COLOURS[kind]}"/>'
            f'<text x="4" y="2.2" font-size="1.9" font-weight="700" text-anchor="middle" '
            f'fill="#ffffff">{sign(kind)}</text>'
        )
        yield kind, True, _svg(disc, k)


def _svg(inside: str, k: float) -> str:
    size = f'width="{8 * k:g}mm" height="{3 * k:g}mm" viewBox="0 0 8 3"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{inside}</svg>'
