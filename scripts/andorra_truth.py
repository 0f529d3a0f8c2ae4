"""Print what another engine's tests state of Andorra beside what ours says, as a table.

The rows by distance hold of any engine. Those by time depend on that engine's speeds: they are
printed with ours, at the county's own speeds and at the one constant speed that a row names.
Give the folder of the reference data as the only argument.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely

from gis_service.coverage.areas.station_reach import Reach, Reacher
from gis_service.coverage.areas.street_cells import StreetCells
from gis_service.coverage.network.graph import ProfileNetwork, RoadNetwork, Snapper, apply_profile
from gis_service.coverage.standards.book import PlaceRules, Profile, read_standards
from gis_service.coverage.travel.travel_time import find_nearest_facility
from gis_service.ingest.osm.reading import read_osm
from gis_service.rule_files import Sourced

KILOMETRE_A_MINUTE: Final = 60.0
STATED: Final = (
    ("car", 2.5),
    ("car", 5.0),
    ("distance", 1.5),
    ("distance", 3.0),
    ("35 km/h", 130 / 60),
)
"""Speeds and minutes of each stated row; a kilometre is a minute at 60 km/h."""
SNAP_CAP_M: Final = 500.0


class Andorra:
    """
    The streets of Andorra under several speeds.

    Parameters
    ----------
    data
        The folder with ``roads`` and ``reference``.
    """

    def __init__(self, data: Path) -> None:
        frames = read_osm(data / "roads/andorra-2013.osm.pbf").frames
        self._network = RoadNetwork.from_frames(frames.road_nodes, frames.road_edges)
        self._book = read_standards()
        self.rules: PlaceRules = self._book.place.model_copy(
            update={"off_road_counts": Sourced[bool](value=False, source="as the other engine")}
        )

    def under(self, speeds: str) -> ProfileNetwork:
        """
        Give the network as one profile sees it.

        Parameters
        ----------
        speeds
            ``car``, ``distance`` or a constant such as ``35 km/h``.

        Returns
        -------
        ProfileNetwork
            With the speeds of our fire engine on roads that a car may use, or the constant one.
        """
        profile = self._book.profiles["fire_engine"]
        if speeds != "car":
            kmh = KILOMETRE_A_MINUTE if speeds == "distance" else float(speeds.split(maxsplit=1)[0])
            constant = {name: Sourced(value=kmh, source=speeds) for name in profile.speed_kmh}
            same = Sourced[bool](value=False, source=speeds)
            profile = Profile(**{**dict(profile), "speed_kmh": constant, "obeys_maxspeed": same})
        return apply_profile(self._network, profile, self._book.scenario("normal"), self.rules)


def said_of(
    andorra: Andorra, row: dict[str, Any], speeds: str, minutes: float, pace: float = 1.0
) -> list[str]:
    """
    Say of every stated place what ours says.

    Parameters
    ----------
    andorra
        The streets.
    row
        As stated.
    speeds, minutes
        What the row's limit is for us.
    pace
        How many of our minutes one of theirs is.

    Returns
    -------
    list of str
        Lines of the table.
    """
    profiled = andorra.under(speeds)
    start = _snapped(profiled, row["from"])
    reach: Reach = Reacher(profiled, "from_facility", andorra.rules).reach_together(start, 0.0)
    cells = StreetCells(profiled, andorra.rules)
    area = cells.draw_area(cells.find_minutes(reach), None, minutes * pace)
    said = "" if pace == 1.0 else f", our speeds x {pace:.2f}"
    lines = []
    for side in ("inside", "outside"):
        for place in row[side]:
            is_inside = bool(shapely.covers(area, cells.to_plane(shapely.Point(place))))
            way = find_nearest_facility(profiled, _snapped(profiled, place), start, "from_facility")
            same = "yes" if is_inside == (side == "inside") else "no"
            ours = "inside" if is_inside else "outside"
            amount = (
                f"{way.minutes[0] * 1000:,.0f} m"
                if speeds == "distance"
                else f"{way.minutes[0] * 60 / pace:,.1f} s"
            )
            lines.append(
                f"| {row['profile']}{said}, {row['limit']} | {place[0]}, {place[1]} | {side} |"
                f" {ours} |"
                f" {amount} | {same} |"
            )
    return lines


def said_of_tree(andorra: Andorra, row: dict[str, Any]) -> list[str]:
    """
    Say how long and how far the node of the shortest-path tree is for us.

    Parameters
    ----------
    andorra
        The streets.
    row
        As stated: seconds, metres, and the node.

    Returns
    -------
    list of str
        One line of the table a speed.
    """
    lines = []
    for speeds, unit, factor, stated in (
        ("car", "s", 60.0, row["time_s"]),
        ("distance", "m", 1000.0, row["distance_m"]),
    ):
        profiled = andorra.under(speeds)
        way = find_nearest_facility(
            profiled,
            _snapped(profiled, row["node_lonlat"]),
            _snapped(profiled, row["from"]),
            "from_facility",
        )
        place = ", ".join(map(str, row["node_lonlat"]))
        ours = float(way.minutes[0]) * factor
        same = "yes" if abs(ours - stated) <= 0.02 * stated else "no"
        lines.append(
            f"| shortest-path tree, {unit} | {place} | {stated} {unit} | {ours:,.0f} {unit} |"
            f" {ours:,.0f} {unit} | {same} |"
        )
    return lines


def _pace(andorra: Andorra, row: dict[str, Any]) -> float:
    """How much longer than theirs our way to the node of the tree takes."""
    profiled = andorra.under("car")
    place, start = _snapped(profiled, row["node_lonlat"]), _snapped(profiled, row["from"])
    way = find_nearest_facility(profiled, place, start, "from_facility")
    return float(way.minutes[0]) * 60 / float(row["time_s"])


def _snapped(profiled: ProfileNetwork, place: list[float]) -> Any:
    return Snapper(profiled).snap(np.array([place[0]]), np.array([place[1]]), SNAP_CAP_M)


def main(data: Path) -> None:
    """
    Print the table.

    Parameters
    ----------
    data
        The folder with ``roads`` and ``reference``.
    """
    truth = json.loads((data / "reference/graphhopper-andorra.json").read_text("utf-8"))["andorra"]
    andorra = Andorra(data)
    print("| row | place (lon, lat) | stated | ours | our way | same |")
    print("|---|---|---|---|---|---|")
    rows = truth["isochrone_point_in_polygon_assertions_lonlat"]
    for row, (speeds, minutes) in zip(rows, STATED, strict=True):
        print("\n".join(said_of(andorra, row, speeds, minutes)))
    tree = truth["shortest_path_tree_row"]
    print("\n".join(said_of_tree(andorra, tree)))
    pace = _pace(andorra, tree)
    for row, (speeds, minutes) in zip(rows, STATED, strict=True):
        if speeds == "car":
            print("\n".join(said_of(andorra, row, speeds, minutes, pace)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
