"""What a coverage report says, as values: figures with the small cells hidden, and how they came.

What stands here may leave the house: no household and no address is in it, and what
:mod:`gis_service.coverage.measuring.disclosure` hides is None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from gis_service.coverage.areas.answers import AreaBand, NamedDistrict
from gis_service.coverage.measuring.statistics import COUNTY_RANK, RULE
from gis_service.coverage.runs.runs import Run
from gis_service.geodesy import GeometryArray
from gis_service.grids.reading import VersionRow
from gis_service.ingest.readers.frames import Note

CHINA: Final = ZoneInfo("Asia/Shanghai")
OUTSIDE: Final = -1
"""The ``grid_id`` of the row for households that lie in no grid."""


@dataclass(frozen=True)
class LevelFigures:
    """A tier of the base scheme; rank 0 is the county."""

    rank: int
    label: str
    label_en: str


@dataclass(frozen=True)
class FigureLine:
    """The figures of one grid, as far as they may be told; what is hidden is None."""

    grid_id: int
    code: str
    name: str
    # Of the grid above.
    parent_name: str
    rank: int
    # Households; ``covered + too_far + unreachable + off_network = n``.
    n: int | None
    covered: int | None
    too_far: int | None
    unreachable: int | None
    off_network: int | None
    # ``covered / n``; None also where nobody lives.
    share: float | None
    # Place of the share among :data:`gis_service.maps.figures.classes.PERCENT_BREAKS`. Told also
    # where the share is hidden, if one household more or less would not change it.
    share_class: int | None
    # Whether anything of this line is hidden.
    hidden: bool
    status: str
    # Of those whom some facility reaches; None for fewer than five of them.
    median_minutes: float | None
    p90_minutes: float | None
    worst_minutes: float | None

    @property
    def left_out(self) -> int | None:
        """Households that are not covered; None where it would tell a hidden number."""
        if self.n is None or self.covered is None:
            return None
        return self.n - self.covered


@dataclass(frozen=True)
class StationFacts:
    """
    A facility of a kind that the standard names.

    Attributes
    ----------
    turnout_minutes
        Its own; None where the standard's counts.
    households
        Whose nearest of its kind it is; None where it would tell a small number.
    """

    facility_id: int
    kind: str
    name: str
    lon: float
    lat: float
    turnout_minutes: float | None
    households: int | None


@dataclass(frozen=True)
class Bin:
    """Households by minutes, ``from_minutes`` inclusive to ``to_minutes`` exclusive."""

    from_minutes: float
    # None: all that take longer.
    to_minutes: float | None
    households: int


@dataclass(frozen=True)
class BlindPlace:
    """A place of at least five households that are not covered."""

    name: str
    # To the nearest five, so that no hidden cell can be told from a place that lies in one grid;
    # people are None where they are not known.
    households: int
    people: int | None
    worst_minutes: float | None
    # The most frequent one: ``too_far``, ``unreachable`` or ``off_network``.
    reason: str
    lon: float
    lat: float
    # Its outline, lon and lat.
    shape: Any


@dataclass(frozen=True)
class Network:
    """The roads that were driven on."""

    name: str
    source: str
    data_day: date | None
    clipped: bool


@dataclass(frozen=True)
class Before:
    """Another run of the same standard, as far as its figures may be told."""

    run: Run
    day: date
    # By the rule, of the county and the highest level, by grid id.
    lines: Mapping[int, FigureLine]
    # What the two were measured on differently, of ``coverage.fingerprints.PARTS``, and
    # ``scenario``.
    differs: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Everything a report says, in no language yet."""

    county: str
    county_code: str
    run: Run
    network: Network | None
    version: VersionRow
    # The day of the run, in Asia/Shanghai.
    data_day: date
    # County first.
    levels: tuple[LevelFigures, ...]
    # By kind of facility, ``""`` for the rule over kinds: all grids, each after its parent.
    lines: Mapping[str, Sequence[FigureLine]]
    # Lines of what else was counted by the rule: people, care households, buildings, premises,
    # hazards; where there are any.
    others: Mapping[str, Sequence[FigureLine]]
    stations: tuple[StationFacts, ...]
    # Places that are not covered, the largest first; and how many more there are of 1–4 households,
    # which are not told apart.
    blind_places: tuple[BlindPlace, ...]
    small_places: int
    # What has changed since the run, of ``coverage.fingerprints.PARTS``.
    stale: tuple[str, ...]
    minutes: tuple[Bin, ...]
    # Another run to compare with.
    before: "Before | None"
    # Ground by minutes, to the limit; none where roads, facilities or settings are no longer those
    # of the run, because bands are drawn on what is there now.
    bands: tuple[AreaBand, ...]
    # The ground that each station serves, where stations drive out; under the same condition. That
    # of nobody comes last and has no facility.
    districts: tuple[NamedDistrict, ...]
    # By rank: grid ids with their polygons, lon and lat.
    shapes: Mapping[int, tuple[tuple[int, ...], GeometryArray]]
    # What the reader of the region's file noted, where the county came as one file.
    region_notes: tuple[Note, ...] = ()

    def of_rank(self, rank: int, kind: str = RULE) -> list[FigureLine]:
        """Take the lines of one level."""
        return [line for line in self.lines[kind] if line.rank == rank and line.grid_id != OUTSIDE]

    @property
    def standard(self) -> Mapping[str, Any]:
        """The standard's settings as the run was measured by, whatever they are today."""
        settings: Mapping[str, Any] = self.run.parameters["standard"]
        return settings

    @property
    def limit_minutes(self) -> float:
        """Who is reached within it is covered."""
        return float(self.standard["limit_minutes"]["value"])

    @property
    def target_share(self) -> float:
        """The share that the standard aims at, from 0 to 1."""
        return float(self.standard["target_share"]["value"])

    @property
    def whole(self) -> FigureLine:
        """The county's figures by the standard's rule."""
        return self.of_rank(COUNTY_RANK)[0]

    @property
    def outside(self) -> FigureLine | None:
        """Households that lie in no grid, if there are any."""
        return next((line for line in self.lines[RULE] if line.grid_id == OUTSIDE), None)

    @property
    def base_rank(self) -> int:
        """The lowest level."""
        return max(level.rank for level in self.levels)


@dataclass(frozen=True)
class MapGround:
    """What lies under a map of the county: shapes in lon and lat, and names."""

    water: list[Any]
    roads: list[tuple[str, str, Any]]
    places: list[tuple[str, float, float]]
