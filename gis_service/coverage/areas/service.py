"""Bands, districts and enclaves of the county as it is: what is read, kept ready and named.

The cells around the streets are made once for a network and the streets that a profile opens, and
kept; so is what was drawn, until roads, stations or settings change. No household is read here.
"""

import gzip
import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa

from gis_service import __version__
from gis_service.coverage.areas import answers as area_answers
from gis_service.coverage.areas import queries
from gis_service.coverage.areas.answers import (
    AreaBand,
    BandTree,
    NamedDistrict,
    NamedPiece,
    find_tile_bounds,
)
from gis_service.coverage.areas.cache import AreaCache, digest_parts
from gis_service.coverage.areas.districts import Barrier, District, divide_into_districts
from gis_service.coverage.areas.shapes import generalise
from gis_service.coverage.areas.station_reach import NOBODY, Reach, Reacher
from gis_service.coverage.areas.street_cells import SPACING_M, StreetCells
from gis_service.coverage.county import parts as county
from gis_service.coverage.county.parts import FACILITIES, ROADS, ActiveRoads
from gis_service.coverage.measuring import fingerprints
from gis_service.coverage.measuring.measurement import (
    Facilities,
    MeasuringSetup,
    minutes_before_moving,
    prepare_setup,
)
from gis_service.coverage.network.graph import FloatArray, IntArray, RoadNetwork
from gis_service.coverage.standards.book import (
    Scenario,
    Standard,
    StandardBook,
    collect_parameters,
    standard_book,
)
from gis_service.coverage.travel.travel_time import apply_rule
from gis_service.errors import InputError, NotFoundError, Place
from gis_service.settings import service_folder
from gis_service.snapshot import Snapshot, SnapshotPart, read_state
from gis_service.store.tiles import DAY, cut_bands

_MOTORWAY_HALF_M: Final = 5.0
MOST_LIMITS: Final = 12
FORM: Final = 2
"""Counted up whenever answers are shaped in another way, so that none of the old ones is used."""
FINEST_M: Final = 8.0
"""What is left out of the borders of a whole county: triangles smaller than its square."""
SENDING_M: Final = 3.0
"""The same of one station's bands, and of districts."""
AREA_INPUTS: Final = SnapshotPart(
    "grounds of bands", needs=(ROADS, FACILITIES), most=2, quiet_s=30.0
)
"""A hundred megabytes each, made again of what is kept on disk."""
BAND_TREES: Final = SnapshotPart("bands to be cut into tiles", most=3, quiet_s=120.0)
DISTRICTS: Final = SnapshotPart(
    "what districts show",
    ("grid_level", "grid_scheme", "grid_state", "grid_version", "land_cover", DAY),
    needs=(ROADS, FACILITIES),
)


@dataclass(frozen=True)
class _AreaInputs:
    """What the store tells of a network as a standard runs on it; who lives there is not known."""

    book: StandardBook
    standard: Standard
    scenario: Scenario
    roads: ActiveRoads
    facilities: Facilities
    settings: str
    cache: AreaCache
    lock: Any = field(default_factory=threading.RLock)

    # What follows takes seconds and no connection: one thread makes it, others wait.

    @property
    def setup(self) -> MeasuringSetup:
        """The network as its profile sees it."""
        with self.lock:
            return self._setup

    @property
    def cells(self) -> StreetCells:
        """The ground around its streets, from disk where it was made before."""
        with self.lock:
            return self._cells

    @cached_property
    def _setup(self) -> MeasuringSetup:
        nowhere = np.empty(0)
        return prepare_setup(
            self.roads.network, self.book, self.standard, self.scenario, nowhere, nowhere
        )

    @cached_property
    def _cells(self) -> StreetCells:
        profiled = self.setup.profiled
        snappable = hashlib.sha256(profiled.snappable.tobytes()).hexdigest()
        name = digest_parts("cells", __version__, self.roads.digest, snappable, SPACING_M)
        arrays = self.cache.find_arrays(name)
        cells = StreetCells(profiled, self.book.place, kept=arrays)
        if arrays is None:
            self.cache.keep_arrays(name, cells.as_arrays())
        return cells


class AreaService:
    """
    Cells by network and profile, and what was drawn on them; shared by threads and processes.

    Parameters
    ----------
    snapshot
        Of the process: roads, stations, and grounds to draw on.
    folder
        Where cells and answers are kept from one process to the next; None keeps them in memory.
    book
        The standards; without it those in force.
    """

    def __init__(
        self, snapshot: Snapshot, folder: Path | None = None, book: StandardBook | None = None
    ) -> None:
        self.snapshot = snapshot
        self._cache = AreaCache(folder)
        self._book = book

    def _get_inputs(self, connection: sa.Connection, standard: str, scenario: str) -> _AreaInputs:
        book = self._book or standard_book()
        settings = fingerprints.digest_settings(collect_parameters(book, standard, scenario))
        return self.snapshot.get(
            connection,
            AREA_INPUTS,
            lambda: _AreaInputs(
                book,
                book.standard(standard),
                book.scenario(scenario),
                county.get_roads(self.snapshot, connection),
                county.get_facilities(self.snapshot, connection),
                settings,
                self._cache,
            ),
            settings,
        )

    def answer_bands(
        self,
        connection: sa.Connection,
        standard: str,
        scenario: str,
        limits: Sequence[float],
        facility_id: int | None = None,
    ) -> Callable[[], bytes]:
        """
        Read what bands are drawn of; the drawing itself needs no connection.

        Parameters
        ----------
        connection
            An open transaction.
        standard, scenario
            Their codes.
        limits
            Minutes.
        facility_id
            Only this station.

        Returns
        -------
        callable
            Gives a GeoJSON FeatureCollection, compressed by gzip, from what is kept where it was
            drawn before.

        Raises
        ------
        InputError
            A limit cannot be, or there are too many.
        NotFoundError
            There is no such standard, scenario or facility.
        """
        rising = check_limits(limits)
        book = self._book or standard_book()
        usual = choose_usual_limits(book.standard(standard).limit_minutes.value)
        # Only what a page asks for is written: of other minutes there is no end.
        name = "areas" if rising == usual else "other areas"
        question = (name, FORM, standard, scenario, tuple(rising), facility_id)
        inputs = self._get_inputs(connection, standard, scenario)
        _check_facility(inputs, facility_id)
        return self._answer(
            connection,
            question,
            inputs,
            lambda: area_answers.bands_as_geojson(*_draw_bands(inputs, rising, facility_id)),
        )

    def _answer(
        self,
        connection: sa.Connection,
        question: tuple[object, ...],
        inputs: _AreaInputs,
        make: Callable[[], str],
    ) -> Callable[[], bytes]:
        digest = digest_parts(
            __version__,
            inputs.roads.digest,
            fingerprints.digest_facilities(inputs.facilities, inputs.standard.kinds),
            inputs.settings,
        )
        # Names of stations and villages, outlines and waters are told apart by their changes.
        is_of_roads = question[0] in ("areas", "other areas")
        local = () if is_of_roads else read_state(connection, DISTRICTS)
        name = digest_parts(*question, digest, *local)

        def answer() -> bytes:
            packed = self._cache.find_answer(name)
            if packed is None:
                packed = gzip.compress(make().encode(), 5, mtime=0)
                self._cache.keep_answer(name, packed, on_disk=question[0] == "areas")
            return packed

        return answer

    def prepare(self, connection: sa.Connection, standard: str, scenario: str) -> None:
        """
        Draw the bands that a page asks for first, so that it need not wait.

        Parameters
        ----------
        connection
            An open transaction.
        standard, scenario
            Their codes.
        """
        book = self._book or standard_book()
        limits = choose_usual_limits(book.standard(standard).limit_minutes.value)
        self.answer_bands(connection, standard, scenario, limits)()

    def cut_tile(
        self, connection: sa.Connection, packed: bytes, place: tuple[int, int, int]
    ) -> bytes:
        """
        Cut a vector tile of the bands of all stations together.

        Parameters
        ----------
        connection
            An open transaction.
        packed
            What :meth:`answer_areas` has drawn.
        place
            Zoom, x and y of the Web Mercator pyramid, y from the north.

        Returns
        -------
        bytes
            A Mapbox vector tile with the layer ``bands``; empty where there is none.
        """
        key = hashlib.sha256(packed).hexdigest()
        tree = self.snapshot.get(
            connection, BAND_TREES, lambda: BandTree(gzip.decompress(packed)), key
        )
        pieces = tree.cut_out(place[0], find_tile_bounds(*place))
        if not pieces:
            return b""
        packed_pieces = [
            (piece.from_minutes, piece.to_minutes, shapely.to_wkb(piece.geometry))
            for piece in pieces
        ]
        return cut_bands(connection, place, packed_pieces)

    def draw_bands(
        self,
        connection: sa.Connection,
        standard: str,
        scenario: str,
        limits: Sequence[float],
        facility_id: int | None = None,
    ) -> tuple[list[AreaBand], float]:
        """
        Draw the bands of all stations together, or of one.

        Parameters
        ----------
        connection
            An open transaction.
        standard, scenario
            Their codes.
        limits
            Minutes.
        facility_id
            Only this one.

        Returns
        -------
        bands, tolerance_minutes
            Rising; with several kinds, ground from where as many kinds as the rule asks for are
            reached.

        Raises
        ------
        InputError
            A limit cannot be, or there are too many.
        NotFoundError
            There is no such standard, scenario or facility.
        """
        rising = check_limits(limits)
        inputs = self._get_inputs(connection, standard, scenario)
        _check_facility(inputs, facility_id)
        return _draw_bands(inputs, rising, facility_id)

    def answer_districts(
        self,
        connection: sa.Connection,
        standard: str,
        scenario: str,
        kind: str | None = None,
        *,
        enclaves: bool = False,
    ) -> Callable[[], bytes]:
        """
        Read what districts are drawn of; the drawing itself needs no connection.

        Parameters
        ----------
        connection
            An open transaction.
        standard, scenario
            Their codes.
        kind
            Which kind of station; the standard's first where it is left out.
        enclaves
            Only the pieces that lie apart from their station's own.

        Returns
        -------
        callable
            Gives a GeoJSON FeatureCollection, compressed by gzip.

        Raises
        ------
        NotFoundError
            There is no such standard or scenario.
        InputError
            The standard has no such kind.
        """
        write = area_answers.enclaves_as_geojson if enclaves else area_answers.districts_as_geojson
        inputs = self._get_inputs(connection, standard, scenario)
        draw = self._prepare_districts(connection, inputs, kind)
        question = ("enclaves" if enclaves else "districts", FORM, standard, scenario, kind)
        return self._answer(connection, question, inputs, lambda: write(draw()))

    def draw_districts(
        self, connection: sa.Connection, standard: str, scenario: str, kind: str | None = None
    ) -> list[NamedDistrict]:
        """
        Divide the county among the stations of a standard.

        Parameters
        ----------
        connection
            An open transaction.
        standard, scenario
            Their codes.
        kind
            Which kind of station; the standard's first where it is left out.

        Returns
        -------
        list of NamedDistrict
            By facility; ground that none reaches last.

        Raises
        ------
        NotFoundError
            There is no such standard or scenario.
        InputError
            The standard has no such kind.
        """
        inputs = self._get_inputs(connection, standard, scenario)
        return self._prepare_districts(connection, inputs, kind)()

    def _prepare_districts(
        self, connection: sa.Connection, inputs: _AreaInputs, kind: str | None
    ) -> Callable[[], list[NamedDistrict]]:
        """Read names, outlines and waters; what is given draws and needs no connection."""
        kinds = inputs.standard.kinds
        if kind is not None and kind not in kinds:
            raise InputError(
                "coverage.kind_not_in_standard",
                place=Place(field="kind"),
                kind=kind,
                known=", ".join(kinds),
            )
        outlines, waters = queries.read_top_grids(connection), queries.read_waters(connection)
        names, villages = queries.read_facility_names(connection), _VillageNames(connection)
        facilities = inputs.facilities
        of_kind = np.flatnonzero(facilities.kind == (kind or kinds[0]))

        def draw() -> list[NamedDistrict]:
            cells, book = inputs.cells, inputs.book
            places = shapely.points(facilities.lon[of_kind], facilities.lat[of_kind])
            districts = divide_into_districts(
                cells,
                cells.find_owners(_run_from_kind(inputs, of_kind)),
                list(cells.to_plane(places)),
                shapely.union_all(cells.to_plane(outlines)),
                _find_barriers(waters, inputs.roads.network, cells, book),
                book.districts,
            )
            return [
                _name_district(district, facilities, of_kind, names, villages, cells, book)
                for district in districts
            ]

        return draw

    def read_names_at(
        self, connection: sa.Connection, places: Sequence[tuple[float, float]]
    ) -> list[str]:
        """Name places by the ground they stand on."""
        villages = _VillageNames(connection)
        return [villages.find(shapely.Point(place)) for place in places]


def find_area_folder() -> Path:
    """
    Say where this service keeps what it has drawn.

    Returns
    -------
    Path
        Beside its other data; made when it is needed.
    """
    return service_folder("areas")


def choose_usual_limits(limit: float) -> list[float]:
    """
    Divide a standard's limit as the page does.

    Parameters
    ----------
    limit
        Minutes.

    Returns
    -------
    list of float
        Minutes, rising.
    """
    if limit == 15:
        return [5.0, 10.0, 15.0]
    return sorted({float(max(1, round(part + 1e-9))) for part in (limit / 4, limit / 2, limit)})


def check_limits(limits: Sequence[float]) -> list[float]:
    """Put limits in order."""
    rising = sorted(set(limits))
    if not rising or len(rising) > MOST_LIMITS or not (rising[0] > 0 and rising[-1] <= 1440):
        raise InputError("coverage.area_limits", place=Place(field="minutes"), most=MOST_LIMITS)
    return rising


def _check_facility(inputs: _AreaInputs, facility_id: int | None) -> None:
    if facility_id is not None and facility_id not in inputs.facilities.facility_id:
        raise NotFoundError("coverage.no_facility_there", facility=facility_id)


def _draw_bands(
    inputs: _AreaInputs, rising: Sequence[float], facility_id: int | None
) -> tuple[list[AreaBand], float]:
    """Draw bands, rising, and tell how many minutes their borders may be off."""
    cells = inputs.cells
    minutes = _measure_by_rule(inputs, facility_id, max(rising))
    above = [None, *rising[:-1]]
    drawn = [cells.draw_area(minutes, low, high) for low, high in zip(above, rising, strict=True)]
    light, moved_m = generalise(drawn, FINEST_M if facility_id is None else SENDING_M)
    bands = [
        AreaBand(low or 0.0, high, cells.to_lonlat(shape))
        for low, high, shape in zip(above, rising, light, strict=True)
    ]
    moved_minutes = moved_m * inputs.book.place.off_road_minutes_per_m
    return bands, cells.tolerance_minutes + moved_minutes


def _measure_by_rule(inputs: _AreaInputs, facility_id: int | None, limit: float) -> FloatArray:
    facilities, standard, cells = inputs.facilities, inputs.standard, inputs.cells
    if facility_id is not None:
        station = np.flatnonzero(facilities.facility_id == facility_id)
        return cells.find_minutes(_run_from_kind(inputs, station, limit))
    by_kind = [
        cells.find_minutes(_run_from_kind(inputs, np.flatnonzero(facilities.kind == kind), limit))
        for kind in standard.kinds
    ]
    return apply_rule(np.column_stack(by_kind), standard.kinds_needed)


def _run_from_kind(inputs: _AreaInputs, of_kind: IntArray, limit: float = np.inf) -> Reach:
    facilities, setup = inputs.facilities, inputs.setup
    standard = inputs.standard
    stations = setup.snapper.snap(
        facilities.lon[of_kind], facilities.lat[of_kind], inputs.book.place.snap_cap_m.value
    )
    reacher = Reacher(setup.profiled, standard.direction, inputs.book.place, setup.graph)
    begins = minutes_before_moving(facilities, of_kind, standard)
    return reacher.reach_together(stations, begins, limit)


def _generalise_for_sending(shape: Any, cells: StreetCells) -> Any:
    """Leave out vertices that show nowhere, for sending; lon, lat."""
    return cells.to_lonlat(generalise([shape], SENDING_M)[0][0])


def _find_barriers(
    water: Mapping[str, npt.NDArray[Any]],
    network: RoadNetwork,
    cells: StreetCells,
    book: StandardBook,
) -> list[Barrier]:
    barriers = []
    motorway = network.geometry[network.road_class == "motorway"]
    if len(motorway):
        body = shapely.union_all(shapely.buffer(cells.to_plane(motorway), _MOTORWAY_HALF_M))
        barriers.append(Barrier("motorway", "", body))
    if len(water["geometry"]):
        bodies = cells.to_plane(water["geometry"])
        large = shapely.area(bodies) / 1e6 >= book.districts.large_river_km2.value
        barriers += [
            Barrier("river", str(name), body)
            for name, body in zip(water["name"][large], bodies[large], strict=True)
        ]
    return barriers


class _VillageNames:
    """Names of the ground: the grid of the second lowest level around a point."""

    def __init__(self, connection: sa.Connection) -> None:
        grids = queries.read_named_grids(connection)
        ranks = np.unique(grids["rank"])
        at = grids["rank"] == ranks[max(len(ranks) - 2, 0)]
        self._names = grids["name"][at]
        self._tree = shapely.STRtree(grids["geometry"][at])

    def find(self, point: Any) -> str:
        nearest = self._tree.query_nearest(point)
        return str(self._names[nearest[0]]) if len(nearest) else ""


def _name_district(
    district: District,
    facilities: Facilities,
    of_kind: IntArray,
    names: dict[int, tuple[str, str]],
    villages: _VillageNames,
    cells: StreetCells,
    book: StandardBook,
) -> NamedDistrict:
    shape = _generalise_for_sending(district.geometry, cells)
    if district.station == NOBODY:
        return NamedDistrict(
            facility_id=None,
            name="",
            grade="",
            area_km2=district.area_km2,
            limit_km2=None,
            too_large=False,
            crosses=(),
            detached=(),
            geometry=shape,
        )
    facility_id = int(facilities.facility_id[of_kind[district.station]])
    name, grade = names[facility_id]
    limit_km2 = book.districts.limit_km2(grade)
    pieces = []
    for piece in district.detached:
        point = cells.to_lonlat(piece.point_on_surface())
        pieces.append(
            NamedPiece(
                villages.find(point),
                piece.area / 1e6,
                point.x,
                point.y,
                _generalise_for_sending(piece, cells),
            )
        )
    return NamedDistrict(
        facility_id=facility_id,
        name=name,
        grade=grade,
        area_km2=district.area_km2,
        limit_km2=limit_km2,
        too_large=limit_km2 is not None and district.area_km2 > limit_km2,
        crosses=tuple(vars(crossing) for crossing in district.crosses),
        detached=tuple(pieces),
        geometry=shape,
        limit_sources=book.districts.limit_sources(grade),
    )
