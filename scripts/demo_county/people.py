"""The people's side of the demo county: addresses, households, administrative units, all together.

``make_people_side`` is the door: it takes the grids and the roads and fills everything that stands
or happens on the land. All of it is made up and comes out the same for the same seed.
"""

from datetime import date
from typing import Final

import numpy as np
import pandas as pd
import shapely

from gis_service.ingest.readers.frames import COLUMNS, CountyFrames
from gis_service.records import RECORDS
from scripts.demo_county import geography as geo
from scripts.demo_county import people_names as names
from scripts.demo_county.buildings import APARTMENT, Built, in_metres, make_buildings
from scripts.demo_county.facilities import make_facilities
from scripts.demo_county.geography import Bools, Ints
from scripts.demo_county.officers import make_officers
from scripts.demo_county.trouble import make_hazards, make_incidents, make_premises

SEED: Final = 990_101
CARE_TAGS: Final = RECORDS["household"].field("care_tags").choices
_UNITS_FROM: Final = date(2020, 1, 1)
_FLATS_A_FLOOR: Final = 2


def make_people_side(
    faces: pd.DataFrame,
    grids: pd.DataFrame,
    road_nodes: pd.DataFrame,
    road_edges: pd.DataFrame,
    water: shapely.Geometry,
    seed: int = SEED,
) -> CountyFrames:
    """
    Make everything that stands on given boundaries and roads.

    Parameters
    ----------
    faces
        Base grids in force today: key, name, parent, town, kind, urban, geometry (degrees).
    grids
        Grids of all ranks: key, name, rank, parent, kind, urban_rural_class, code, admin_code,
        versions.
    road_nodes, road_edges
        As in ``frames.COLUMNS``; handed on as they are.
    water
        Where nothing stands, degrees.
    seed
        Of all chance.

    Returns
    -------
    CountyFrames
        All frames but ``land_cover``.
    """
    streams = [np.random.default_rng([seed, number]) for number in range(8)]
    outline = shapely.coverage_union_all(faces["geometry"].to_numpy())
    built = make_buildings(faces, road_edges, water, streams[0])
    address = addresses(built, faces, grids, road_edges)
    built.frame["address"] = (
        address["town"] + address["street"] + address["group"] + address["number"]
    ).to_numpy()
    premises, owner = make_premises(built, faces, streams[2])
    officers, duties, leaves = make_officers(faces, grids, built, streams[5])
    return CountyFrames(
        admin_units=make_admin_units(grids),
        road_nodes=road_nodes,
        road_edges=road_edges,
        buildings=built.frame[list(COLUMNS["buildings"])],
        households=make_households(built, address, streams[1]),
        facilities=make_facilities(built, faces, grids, address, streams[3]),
        premises=premises,
        hazards=make_hazards(premises, built, owner, streams[4]),
        incidents=make_incidents(built, outline, address, streams[6]),
        officers=officers,
        duties=duties,
        leaves=leaves,
    )


def addresses(
    built: Built, faces: pd.DataFrame, grids: pd.DataFrame, road_edges: pd.DataFrame
) -> pd.DataFrame:
    """
    Give each building its address.

    Parameters
    ----------
    built
        The buildings.
    faces, grids
        As in :func:`make_people_side`.
    road_edges
        As in ``frames.COLUMNS``.

    Returns
    -------
    pandas.DataFrame
        A row a building: ``street`` (road in town, village in the country), ``group`` (``3组`` or
        empty), ``group_number`` (None in town), ``number`` (``12号``), ``village``, ``town``.
    """
    name_of = grids.set_index("key")["name"]
    village = faces["parent"].map(name_of).to_numpy(dtype=object)[built.face]
    town = faces["town"].map(name_of).to_numpy(dtype=object)[built.face]
    urban = faces["urban"].to_numpy(dtype=bool)[built.face]
    street = _nearest_names(built, road_edges)
    street = np.where(urban & (street != ""), street, village)
    group = _groups(built, faces)
    number = _house_numbers(built, town, street, np.where(urban, 0, group), urban)
    return pd.DataFrame(
        {
            "street": street,
            "group": np.where(urban, "", group.astype(str).astype(object) + "组"),
            "group_number": _unless(urban, group),
            "number": number,
            "village": village,
            "town": town,
        }
    )


def _unless(barred: Bools, values: Ints) -> names.Texts:
    """Give whole numbers, None where they are barred."""
    result = np.asarray(values.astype(object), dtype=object)
    result[barred] = None
    return result


def _nearest_names(built: Built, road_edges: pd.DataFrame) -> names.Texts:
    """Give the name of the building's own road, or of the nearest one that has a name."""
    own = road_edges["name"].fillna("").to_numpy(dtype=object)
    street = np.array(own[built.edge], dtype=object)
    named = np.flatnonzero(own != "")
    blank = np.flatnonzero(street == "")
    if len(named) and len(blank):
        lines = in_metres(road_edges["geometry"].to_numpy()[named])
        points = shapely.points(built.xy[blank])
        found, line = shapely.STRtree(lines).query_nearest(
            points, max_distance=400.0, all_matches=False
        )
        street[blank[found]] = own[named[line]]
    return street


def _groups(built: Built, faces: pd.DataFrame) -> Ints:
    """Count the 村民小组: two a base grid, side by side, counted through the village."""
    middle = faces["parent"].to_numpy(dtype=object)
    order = faces.groupby("parent", sort=False).cumcount().to_numpy()
    count = np.maximum(np.bincount(built.face, minlength=len(middle)), 1)
    mean = np.bincount(built.face, built.xy[:, 0], len(middle)) / count
    east = built.xy[:, 0] > mean[built.face]
    return np.asarray(2 * order[built.face] + 1 + east, dtype=np.int64)


def _house_numbers(
    built: Built, town: names.Texts, street: names.Texts, group: Ints, urban: np.ndarray
) -> names.Texts:
    """Count the houses along each street, odd on one side, or through each village group."""
    where, _ = pd.factorize(pd.Series(town) + "/" + pd.Series(street))
    side = np.where(urban, built.left.astype(np.int64), 0)
    keys = pd.DataFrame({"where": where, "group": group, "side": side})
    keys["way"] = np.round(built.xy @ (0.8, -0.6), 1)
    order = keys.sort_values(["where", "group", "side", "way"], kind="stable").index
    turn = keys.loc[order].groupby(["where", "group", "side"], sort=False).cumcount()
    turn = turn.sort_index().to_numpy()
    number = np.where(urban, 2 * turn + 1 + side, turn + 1)
    return np.asarray(number.astype(str).astype(object) + "号", dtype=object)


def make_households(built: Built, address: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """
    Let households live in the buildings.

    Parameters
    ----------
    built
        The buildings.
    address
        From :func:`addresses`.
    rng
        Where chance comes from.

    Returns
    -------
    pandas.DataFrame
        ``households``, in the order of the buildings, on their points.
    """
    home = np.repeat(np.arange(len(built.households)), built.households)
    count = len(home)
    frame = built.frame
    shares = np.array([0.15, 0.29, 0.26, 0.16, 0.09, 0.035, 0.015])
    people = rng.choice(np.arange(1, 8), count, p=shares / shares.sum())
    at = frame.loc[home, ["lon", "lat"]].to_numpy()
    return pd.DataFrame(
        {
            "key": names.numbered("H", count, 6),
            "building_key": frame["key"].to_numpy()[home],
            "street": (address["town"] + address["street"]).to_numpy()[home],
            "house_number": address["number"].to_numpy()[home],
            "group_number": address["group_number"].to_numpy(dtype=object)[home],
            "room": _rooms(built, home),
            "head_name": names.people_names(count, rng),
            "phone": names.phones(count, rng),
            "people": people,
            "care_tags": _care_tags(built.xy[home], people, rng),
            "lon": at[:, 0],
            "lat": at[:, 1],
        }
    )[list(COLUMNS["households"])]


def _rooms(built: Built, home: Ints) -> names.Texts:
    """Name the flats of blocks: stairwell, floor and door."""
    start = np.cumsum(built.households) - built.households
    turn = np.arange(len(home)) - start[home]
    floors = np.maximum(built.frame["storeys"].to_numpy(dtype=np.int64), 1)
    least = np.ceil(built.households / floors / 3).astype(np.int64)
    doors = np.where(built.households > 100, 7, np.clip(least, _FLATS_A_FLOOR, 6))[home]
    floor = turn // doors
    unit, floor = floor // floors[home], floor % floors[home]
    table = {
        (a, b, c): f"{a}单元{b}{c:02d}"
        for a, b, c in set(
            zip(
                *((unit + 1).tolist(), (floor + 1).tolist(), (turn % doors + 1).tolist()),
                strict=True,
            )
        )
    }
    flats = np.flatnonzero(built.kind[home] == APARTMENT)
    rooms = np.full(len(home), "", dtype=object)
    rooms[flats] = [
        table[key]
        for key in zip(
            (unit[flats] + 1).tolist(),
            (floor[flats] + 1).tolist(),
            (turn % doors + 1)[flats].tolist(),
            strict=True,
        )
    ]
    return rooms


def _care_tags(xy: np.ndarray, people: Ints, rng: np.random.Generator) -> names.Texts:
    """Mark about one household in twelve as one to look after, some of them twice."""
    count = len(people)
    remote = np.hypot(*(xy - (13_700, 13_900)).T) < 5_000
    remote |= np.hypot(*(xy - (-15_300, 9_300)).T) < 3_500
    shares = np.column_stack(
        [
            np.where(people == 1, 0.085, 0.0),
            np.full(count, 0.016),
            np.where(people >= 2, 0.012, 0.0),
            np.where(people <= 2, 0.030, 0.006),
            np.where(remote, 0.09, 0.0),
            np.full(count, 0.018),
        ]
    )
    marked = rng.random(shares.shape) < shares
    code = marked @ (1 << np.arange(len(CARE_TAGS)))
    lists = [
        [tag for bit, tag in enumerate(CARE_TAGS) if number >> bit & 1]
        for number in range(1 << len(CARE_TAGS))
    ]
    tags = np.empty(count, dtype=object)
    tags[:] = [lists[number] for number in code.tolist()]
    return tags


def make_admin_units(grids: pd.DataFrame) -> pd.DataFrame:
    """
    Make county, towns and villages out of the grids that are drawn on them.

    Parameters
    ----------
    grids
        As in :func:`make_people_side`; ``admin_code`` of 9 or 12 digits.

    Returns
    -------
    pandas.DataFrame
        ``admin_units``, without outlines, parents first.
    """
    drawn = grids[grids["rank"].isin((1, 2)) & grids["admin_code"].notna()]
    drawn = drawn.assign(code=drawn["admin_code"].astype(str))
    drawn = drawn[drawn["code"].str.len().isin((9, 12))].drop_duplicates("code")
    drawn = drawn.sort_values(["rank", "code"], kind="stable")
    village = (drawn["code"].str.len() == 12).to_numpy()
    codes = drawn["code"].to_numpy(dtype=object)
    county = pd.DataFrame(
        {
            "code": [geo.COUNTY_CODE],
            "name": [geo.COUNTY_NAME],
            "level": ["county"],
            "parent_code": [None],
            "urban_rural_class": [None],
        }
    )
    below = pd.DataFrame(
        {
            "code": codes,
            "name": drawn["name"].to_numpy(dtype=object),
            "level": np.where(village, "village", "town"),
            "parent_code": [code[:9] if len(code) == 12 else geo.COUNTY_CODE for code in codes],
            "urban_rural_class": np.where(village, drawn["urban_rural_class"], None),
        }
    )
    units = pd.concat([county.astype(object), below.astype(object)], ignore_index=True)
    units["source_list"] = "demo"
    units["valid_from"] = _UNITS_FROM
    units["valid_to"] = None
    units["geometry"] = None
    return units[list(COLUMNS["admin_units"])]
