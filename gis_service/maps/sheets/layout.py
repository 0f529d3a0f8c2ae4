"""Where the parts of a sheet stand on A4 or A3, upright and across, in millimetres."""

from dataclasses import dataclass
from typing import Final, Literal

Paper = Literal["A4", "A3"]

PAPERS: Final[dict[Paper, tuple[float, float]]] = {"A4": (210, 297), "A3": (297, 420)}
TYPE_SCALE: Final[dict[Paper, float]] = {"A4": 1.0, "A3": 1.35}
"""How much larger type is than on A4."""


@dataclass(frozen=True)
class Box:
    """A place on the page, millimetres from its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def css(self) -> str:
        """The place as a style."""
        return f"left:{self.x:g}mm;top:{self.y:g}mm;width:{self.width:g}mm;height:{self.height:g}mm"


@dataclass(frozen=True)
class Layout:
    """Where the parts of a sheet stand."""

    name: Literal["portrait", "landscape"]
    head: Box
    map: Box
    info: Box
    foot: Box
    columns: tuple[float, float, float]
    gap: float


def layouts(paper: Paper) -> tuple[Layout, Layout]:
    """Lay a sheet out, upright and across."""
    short, long = PAPERS[paper]
    k = TYPE_SCALE[paper]
    margin, head, foot, gap = 10.0, 17 * k, 12.5 * k, 3 * k

    def rows(width: float, height: float) -> tuple[Box, Box, float, float]:
        inner = width - 2 * margin
        top = margin + head + gap
        bottom = height - margin - foot
        return (
            Box(margin, margin, inner, head),
            Box(margin, bottom, inner, foot),
            top,
            bottom - gap - top,
        )

    first, last, top, high = rows(short, long)
    inner, panel = short - 2 * margin, 52 * k
    column_gap = 5 * k
    left = (inner - 2 * column_gap) * 0.33
    middle = (inner - 2 * column_gap) * 0.31
    upright = Layout(
        "portrait", first,
        Box(margin, top, inner, high - panel - gap),
        Box(margin, top + high - panel, inner, panel),
        last, (left, middle, inner - 2 * column_gap - left - middle), column_gap,
    )  # fmt: skip
    first, last, top, high = rows(long, short)
    inner, panel = long - 2 * margin, 68 * k
    across = Layout(
        "landscape", first,
        Box(margin, top, inner - panel - gap, high),
        Box(margin + inner - panel, top, panel, high),
        last, (panel, panel, panel), 0,
    )  # fmt: skip
    return upright, across
