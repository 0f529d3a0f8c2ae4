"""What a reader of a run should know of its input: stations that nobody can set out from, and more.

A county that makes no sense is measured truly all the same; a note names the station or the fault,
so that a figure of nought per cent is not taken for a fact about the county. Pure: no store.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gis_service import geodesy
from gis_service.coverage.measuring.measurement import (
    NO_FACILITY,
    Facilities,
    Measured,
    MeasuringSetup,
)
from gis_service.coverage.network.graph import FloatArray, IntArray, Snapped
from gis_service.coverage.standards.book import PlaceRules
from gis_service.errors import InputError, Place
from gis_service.messages import Language, text

Note = dict[str, Any]
"""``note``, which is the message key ``coverage.run_note_<note>``, and its values."""

MOST: Final = 20
"""Of one sort so many are named; of the others the number is told."""
_ONE_PLACE_M: Final = 1.0
_APART_M: Final = 10_000.0
"""So far no house stands from all roads of its own county."""


@dataclass(frozen=True)
class NotedStation:
    """What a note says of a facility."""

    name: str
    # Metres from the county's border, 0 inside it.
    outside_m: float


def check_same_region(setup: MeasuringSetup, lon: FloatArray, lat: FloatArray) -> None:
    """Refuse roads that lie apart from all places: another region, or another coordinate system."""
    network = setup.profiled.network
    if not len(lon) or not network.edge_count or (setup.places.edge >= 0).any():
        return
    to_xy, _ = geodesy.local_metres(round(float(lon.mean()), 2), round(float(lat.mean()), 2))
    ends = np.concatenate((network.source, network.target))
    roads = (network.lon[ends], network.lat[ends])
    apart = any(
        place_axis.min() - road_axis.max() > _APART_M
        or road_axis.min() - place_axis.max() > _APART_M
        for place_axis, road_axis in zip(to_xy(lon, lat), to_xy(*roads), strict=True)
    )
    if apart:
        raise InputError(
            "coverage.nothing_snaps",
            place=Place(field="roads"),
            roads=_describe_extent(*roads),
            places=_describe_extent(lon, lat),
        )


def _describe_extent(lon: FloatArray, lat: FloatArray) -> str:
    return f"{lon.min():.4f}, {lat.min():.4f} – {lon.max():.4f}, {lat.max():.4f}"


def find_notes(
    setup: MeasuringSetup,
    measured: Measured,
    facilities: Facilities,
    stations: Mapping[int, NotedStation],
    households: IntArray,
    rules: PlaceRules,
) -> list[Note]:
    """Look for what makes the figures of a run say less than they seem to."""
    cap_m = rules.snap_cap_m.value
    if not measured.has_roads:
        if not setup.profiled.network.edge_count:
            return [{"note": "no_roads"}]
        return [{"note": "no_usable_road", "metres": rules.smallest_piece_m.value}]
    notes: list[Note] = []
    if households.sum() and not (setup.places.edge[households > 0] >= 0).any():
        notes.append({"note": "none_near", "metres": cap_m})
    for kind in measured.kinds:
        of_kind = np.flatnonzero(facilities.kind == kind)
        if measured.status_of(kind) == NO_FACILITY:
            notes.append({"note": "no_facility", "kind": kind})
        elif _are_in_one_place(facilities, of_kind):
            place = {
                "lon": float(facilities.lon[of_kind[0]]),
                "lat": float(facilities.lat[of_kind[0]]),
            }
            notes.append({"note": "one_place", "kind": kind, "n": len(of_kind), **place})
    named = np.flatnonzero(np.isin(facilities.kind, measured.kinds))
    snapped = setup.snapper.snap(facilities.lon[named], facilities.lat[named], cap_m)
    off = named[snapped.edge < 0]
    notes += _keep_first(
        [
            {"note": "no_road", **_describe_station(facilities, int(at), stations), "metres": cap_m}
            for at in off
        ]
    )
    notes += _keep_first(_find_on_islands(setup, facilities, named, snapped, stations, households))
    notes += _keep_first(_find_outside(facilities, named, stations))
    return notes


def _keep_first(notes: Sequence[Note]) -> list[Note]:
    more = len(notes) - MOST
    return [*notes[:MOST], *([{"note": "more", "n": more}] if more > 0 else [])]


def _are_in_one_place(facilities: Facilities, of_kind: IntArray) -> bool:
    lon, lat = facilities.lon[of_kind], facilities.lat[of_kind]
    return len(of_kind) > 1 and bool(
        (geodesy.distance_m(lon, lat, lon[0], lat[0]) <= _ONE_PLACE_M).all()
    )


def _describe_station(
    facilities: Facilities, at: int, stations: Mapping[int, NotedStation]
) -> Note:
    station = stations[int(facilities.facility_id[at])]
    return {
        "facility_id": int(facilities.facility_id[at]),
        "kind": str(facilities.kind[at]),
        "name": station.name,
    }


def _find_on_islands(
    setup: MeasuringSetup,
    facilities: Facilities,
    named: IntArray,
    snapped: Snapped,
    stations: Mapping[int, NotedStation],
    households: IntArray,
) -> list[Note]:
    """Stations on a piece of the network apart from the largest, the smallest piece first."""
    profiled = setup.profiled
    named, edge = named[snapped.edge >= 0], snapped.edge[snapped.edge >= 0]
    piece = profiled.piece[profiled.network.source[edge]]
    apart = np.flatnonzero(piece != np.argmax(profiled.piece_m)) if len(piece) else piece
    if not len(apart):
        return []
    near = setup.places.edge >= 0
    homes = np.bincount(
        profiled.piece[profiled.network.source[setup.places.edge[near]]],
        weights=households[near],
        minlength=len(profiled.piece_m),
    )
    order = apart[np.argsort(profiled.piece_m[piece[apart]], kind="stable")]
    return [
        {
            "note": "island",
            **_describe_station(facilities, int(named[at]), stations),
            "road_km": round(float(profiled.piece_m[piece[at]]) / 1000, 1),
            "households": int(homes[piece[at]]),
        }
        for at in order
    ]


def _find_outside(
    facilities: Facilities, named: IntArray, stations: Mapping[int, NotedStation]
) -> list[Note]:
    """Facilities that stand outside the county, the farthest first."""
    far = [(stations[int(facilities.facility_id[at])].outside_m, int(at)) for at in named]
    return [
        {
            "note": "outside",
            **_describe_station(facilities, at, stations),
            "border_km": round(metres / 1000, 1),
        }
        for metres, at in sorted(far, key=lambda note: -note[0])
        if metres > 0
    ]


def make_outside_note(n: int, inside: Mapping[str, Any]) -> Note:
    """Tell how many households lie in no grid, and the figures of the others."""
    outside = n - inside["n"]
    return {
        "note": "in_no_grid",
        "n": outside,
        "of": n,
        "percent": max(round(100 * outside / n, 1), 0.1),
        "inside": inside["n"],
        "covered": inside["covered"],
        "covered_percent": round(100 * (inside["share"] or 0), 1),
    }


def notes_as_text(notes: Sequence[Note], language: Language) -> Iterator[str]:
    """
    Put notes into words.

    Parameters
    ----------
    notes
        Of :func:`find_notes`.
    language
        The reader's.

    Yields
    ------
    str
        A sentence or two each.
    """
    for note in notes:
        values = {name: value for name, value in note.items() if name != "note"}
        if "kind" in values:
            values["kind"] = text(f"page.kind_{note['kind']}", language)
        if "name" in values:
            values["name"] = note["name"] or values["kind"]
        yield text(f"coverage.run_note_{note['note']}", language, **values)
