"""Charts of a report as SVG in millimetres: parts of a whole, bars against a target, minutes.

Numbers and finished words in, pictures out. Colours survive colour-blindness and grey printing, and
every number that a picture shows stands in it or in a table beside it.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gis_service.maps.sheets.drawing import text_width
from gis_service.maps.sheets.grid_drawing import SIGN_COLOURS

INK, MUTED, HAIRLINE, ACCENT, LATE = "#1f2933", "#5b6770", "#d8dee3", "#2c7fb8", "#b3261e"
PART_COLOURS: Final = ("#2c7fb8", "#f2c48d", "#9a6f1f", "#4b545c")
"""Covered, too far, unreachable, off the network: also apart when printed grey."""
_FONT: Final = "font-family=\"'Noto Sans CJK SC','Microsoft YaHei','PingFang SC',sans-serif\""


@dataclass(frozen=True)
class BarPart:
    """A part of a whole, with what is written of it."""

    name: str
    label: str
    share: float


@dataclass(frozen=True)
class Bar:
    """A bar; without a share its words stand alone."""

    name: str
    share: float | None
    label: str


@dataclass(frozen=True)
class Column:
    """A column over a stretch of an axis."""

    start: float
    end: float
    share: float
    late: bool


def _svg(width: float, height: float, body: Sequence[str], title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{html.escape(title)}" '
        f'width="{width:g}mm" height="{height:g}mm" viewBox="0 0 {width:g} {height:g}" {_FONT}>'
        f"{''.join(body)}</svg>"
    )


def _text(
    x: float, y: float, content: str, size: float = 2.8, anchor: str = "start", colour: str = INK,
    weight: int = 400,
) -> str:  # fmt: skip
    return (
        f'<text x="{x:.2f}" y="{y:.2f}" font-size="{size:g}" text-anchor="{anchor}" '
        f'font-weight="{weight}" fill="{colour}">{html.escape(content)}</text>'
    )


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return (
        f'<rect x="{x:.2f}" y="{y:.2f}" width="{max(width, 0):.2f}" height="{height:.2f}" '
        f'fill="{colour}"/>'
    )


def whole_bar(parts: Sequence[BarPart], width: float, title: str) -> str:
    """Draw a whole as one bar of its parts, each named below it."""
    body, x = [], 0.0
    for part, colour in zip(parts, PART_COLOURS, strict=False):
        body.append(_rect(x, 0, part.share * width, 8, colour))
        x += part.share * width
    x, y = 0.0, 13.0
    for part, colour in zip(parts, PART_COLOURS, strict=False):
        words = f"{part.name}  {part.label}"
        needed = 5 + text_width(words, 2.8) + 4
        if x and x + needed > width:
            x, y = 0.0, y + 5
        body += [_rect(x, y - 2.6, 3.2, 3.2, colour), _text(x + 4.4, y, words)]
        x += needed
    return _svg(width, y + 1.5, body, title)


def bars(rows: Sequence[Bar], width: float, target: float, target_label: str, title: str) -> str:
    """Draw shares as bars beside their names, with a line at the target."""
    pitch, bar, top = 5.6, 3.5, 8.2
    left = min(60.0, max((text_width(row.name, 2.8) for row in rows), default=0) + 3)
    right = max((text_width(row.label, 2.6) for row in rows), default=0) + 3
    room = width - left - right
    height = top + pitch * len(rows) + 1
    body = []
    half = text_width(target_label, 2.4) / 2
    line_x = left + target * room
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x = left + tick * room
        body.append(
            f'<path d="M{x:.2f} {top - 1:.2f}V{height - 1:.2f}" stroke="{HAIRLINE}" '
            'stroke-width="0.2"/>'
        )
        body.append(_text(x, top - 1.6, f"{tick:.0%}", 2.3, "middle", MUTED))
    for place, row in enumerate(rows):
        y = top + place * pitch
        body.append(_text(left - 1.8, y + 2.9, _short(row.name, left - 2.5), 2.8, "end"))
        if row.share is not None:
            colour = ACCENT if row.share >= target else "#f2c48d"
            body.append(_rect(left, y, row.share * room, bar, colour))
        body.append(_text(width, y + 2.9, row.label, 2.6, "end"))
    body.append(
        f'<path d="M{line_x:.2f} {top - 4:.2f}V{height - 1:.2f}" stroke="{INK}" '
        'stroke-width="0.4" stroke-dasharray="1.2 0.8"/>'
    )
    body.append(_text(min(line_x, width - half), 2.2, target_label, 2.4, "middle", INK, 700))
    return _svg(width, height, body, title)


def _short(name: str, room: float) -> str:
    while len(name) > 1 and text_width(name, 2.8) > room:
        name = f"{name.removesuffix('…')[:-1]}…"
    return name


def columns(
    parts: Sequence[Column],
    width: float,
    height: float,
    limit: float,
    texts: tuple[str, str, str, str],
) -> str:
    """
    Draw how many arrive within which minutes, those after the limit in another colour.

    Parameters
    ----------
    parts
        From left to right; columns of equal steps, or several joined: their height is the share of
        one step.
    width, height
        Of the picture, millimetres.
    limit
        Where the line stands, in the unit of the axis.
    texts
        What the axis upward and the axis to the right are, what the limit is, and the title.

    Returns
    -------
    str
        SVG.
    """
    up, along, limit_label, title = texts
    if not parts:
        return ""
    left, right, top, bottom = 11.0, 4.0, 8.0, 10.0
    last = max(part.end for part in parts)
    step = min(part.end - part.start for part in parts)
    heights = [part.share * step / (part.end - part.start) for part in parts]
    tick = _tick(max(heights))
    most = tick * math.ceil(max(heights) / tick - 1e-9)
    room, tall = width - left - right, height - top - bottom
    body = [_text(left, 2.6, up, 2.4, "start", MUTED)]
    for number in range(round(most / tick) + 1):
        y = top + tall * (1 - number * tick / most)
        body.append(
            f'<path d="M{left:.2f} {y:.2f}H{left + room:.2f}" stroke="{HAIRLINE}" '
            'stroke-width="0.2"/>'
        )
        label = f"{100 * number * tick:.3g}%"
        body.append(_text(left - 1.2, y + 0.9, label, 2.3, "end", MUTED))
    for part, share in zip(parts, heights, strict=True):
        x = left + part.start / last * room
        wide = (part.end - part.start) / last * room - 0.35
        high = tall * share / most
        colour = PART_COLOURS[1] if part.late else PART_COLOURS[0]
        body.append(_rect(x, top + tall - high, wide, high, colour))
    for at in sorted({0.0, limit / 2, limit, limit * 1.5, limit * 2}):
        if at <= last:
            x = left + at / last * room
            body.append(_text(x, top + tall + 3.6, f"{at:g}", 2.3, "middle", MUTED))
    x = left + limit / last * room
    body.append(
        f'<path d="M{x:.2f} {top - 3.5:.2f}V{top + tall:.2f}" stroke="{INK}" stroke-width="0.4" '
        'stroke-dasharray="1.2 0.8"/>'
    )
    body.append(_text(x + 1, top - 1.8, limit_label, 2.4, "start", INK, 700))
    body.append(_text(left + room / 2, height - 1.6, along, 2.4, "middle", MUTED))
    return _svg(width, height, body, title)


def _tick(most: float) -> float:
    """Choose a step of 1, 2 or 5 times a power of ten that gives three to six lines."""
    power = 10.0 ** math.floor(math.log10(max(most, 1e-6)))
    steps = (power / 5, power / 2, power, 2 * power)
    return next(step for step in steps if most / step <= 6)


def sign_sample(kind: str, sign: str) -> str:
    """Draw the symbol of a kind of facility for a legend."""
    colour = SIGN_COLOURS.get(kind, ACCENT)
    radius = 1.9 if sign else 0.75
    circle = f'<circle cx="2.2" cy="2.2" r="{radius:g}" fill="{colour}"/>'
    letter = _text(2.2, 3.0, sign, 2.2, "middle", "#ffffff", 700) if sign else ""
    return _svg(4.4, 4.4, [circle, letter], sign or kind)
