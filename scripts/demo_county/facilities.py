"""Service points, stations and water sources of the demo county, beside its roads.

What a town has stands near its centre; what villages have stands among their houses. Each stands
before a building at the road, a few metres off it, in the building's own grid.
"""

from typing import Final

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from gis_service.ingest.readers.frames import COLUMNS
from scripts.demo_county import geography as geo
from scripts.demo_county import people_names as names
from scripts.demo_county.buildings import Built
from scripts.demo_county.geography import Floats, Ints

FIRE_TOWNS: Final = (
    "汀城街道", "汀城街道", "望湖镇", "双渡镇", "石埠镇", "白鹭镇", "沙洲镇", "竹泉乡",
)  # fmt: skip
"""Towns with a fire station, one each time it is named; villages far from all are left out."""

_OFF_ROAD_M: Final = 4.5

_NEAR: Final = 4000  # as many places are looked at around a point
_NTH: Final = ("", *(f"第{digit}" for digit in "二三四五六七八九十"))


def make_facilities(
    built: Built,
    faces: pd.DataFrame,
    grids: pd.DataFrame,
    address: pd.DataFrame,
    rng: np.random.Generator,
    fire_towns: tuple[str, ...] = FIRE_TOWNS,
) -> pd.DataFrame:
    """
    Place what serves the people.

    Parameters
    ----------
    built
        The buildings.
    faces, grids
        As in ``people.make_people_side``.
    address
        From ``people.addresses``.
    rng
        Where chance comes from.
    fire_towns
        Names of the towns with a fire station.

    Returns
    -------
    pandas.DataFrame
        ``facilities``.
    """
    sites = _Sites(built, address, rng)
    centres = _town_centres(faces, grids, built)
    parts = [
        _town_ones(sites, centres),
        _village_ones(sites, rng),
        _fire_stations(sites, centres, fire_towns),
        _spread(sites, "police_room", 26, "警务室", 900.0),
        _spread(sites, "grocery", 350, "便民超市", 160.0),
        _spread(sites, "bank", 30, "营业所", 350.0, in_town=True),
        _spread(sites, "school", 80, "小学", 700.0),
        _spread(sites, "mini_fire_station", 60, "微型消防站", 800.0),
        _spread(sites, "water_source", 190, "消火栓", 130.0, in_town=True),
        _spread(sites, "water_source", 110, "消防取水点", 700.0),
    ]
    frame = pd.concat(parts, ignore_index=True)
    building = frame.pop("building").to_numpy(dtype=np.int64)
    lonlat = geo.to_lonlat(sites.beside_road(building))
    frame["key"] = names.numbered("F", len(frame), 4)
    frame["address"] = built.frame["address"].to_numpy()[building]
    frame["phone"] = names.phones(len(frame), rng)
    frame.loc[frame["kind"] == "water_source", "phone"] = ""
    frame["grade"] = (
        frame["kind"]
        .map({"fire_station": "town", "mini_fire_station": "mini", "clinic": "village"})
        .fillna("")
    )
    frame["turnout_minutes"] = None
    frame["lon"], frame["lat"] = lonlat.T
    return frame[list(COLUMNS["facilities"])]


class _Sites:
    """Places at roads that are still free."""

    def __init__(self, built: Built, address: pd.DataFrame, rng: np.random.Generator) -> None:
        self.built = built
        self.address = address
        self.rng = rng
        self.open = (built.row == 0) & (built.households > 0)
        self.in_town = (address["group"] == "").to_numpy()
        self.tree = cKDTree(built.xy)

    def beside_road(self, building: Ints) -> Floats:
        """Points a little off the road, towards the building."""
        front = self.built.front[building]
        way = self.built.xy[building] - front
        far = np.hypot(way[:, 0], way[:, 1])
        share = np.minimum(_OFF_ROAD_M / np.maximum(far, 1e-9), 0.5)
        return np.asarray(front + way * share[:, None])

    def nearest(self, x: float, y: float, count: int, apart_m: float) -> list[int]:
        """Find the free places nearest to a point, some metres from each other."""
        _, near = self.tree.query((x, y), k=min(_NEAR, self.tree.n))
        order = np.asarray(near, dtype=np.int64)
        return self._take(order[self.open[order]], count, apart_m)

    def anywhere(self, count: int, apart_m: float, *, in_town: bool | None) -> list[int]:
        """Free places where many households are, some metres from each other."""
        fits = self.open if in_town is None else self.open & (self.in_town == in_town)
        here = np.flatnonzero(fits)
        weight = self.built.households[here] ** 0.5
        chance = self.rng.random(len(here)) ** (1.0 / weight)
        return self._take(here[np.argsort(-chance, kind="stable")], count, apart_m)

    def _take(self, order: Ints, count: int, apart_m: float) -> list[int]:
        taken: list[int] = []
        spots: list[tuple[float, float]] = []
        for building in order[:20_000].tolist():
            if len(taken) == count:
                break
            x, y = self.built.xy[building]
            if self.open[building] and all(abs(x - a) + abs(y - b) >= apart_m for a, b in spots):
                taken.append(building)
                spots.append((float(x), float(y)))
        self.open[taken] = False
        return taken


def _town_centres(
    faces: pd.DataFrame, grids: pd.DataFrame, built: Built
) -> dict[str, tuple[float, float]]:
    """Centre of each town in metres: as told by the geography, else where its buildings are."""
    told = {town.name: (town.x, town.y) for town in geo.TOWNS}
    towns = grids[grids["rank"] == 1].set_index("key")["name"]
    of_building = faces["town"].to_numpy(dtype=object)[built.face]
    centres = {}
    for key, name in towns.items():
        here = of_building == key
        if name in told:
            centres[str(name)] = told[name]
        elif here.any():
            x, y = np.median(built.xy[here], axis=0)
            centres[str(name)] = (float(x), float(y))
    return centres


def _rows(kind: str, buildings: list[int], titles: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"kind": kind, "name": titles, "building": buildings})


def _town_ones(sites: _Sites, centres: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """Place what each town has once or more, near its centre."""
    plan = (
        ("service_centre", 1, ("便民服务中心",)),
        ("police_room", 1, ("派出所",)),
        ("clinic", 1, ("中心卫生院",)),
        ("school", 2, ("中学", "中心小学")),
        ("bank", 1, ("农商银行",)),
    )
    parts = []
    for name, (x, y) in centres.items():
        short = name.removesuffix("街道")
        for kind, count, titles in plan:
            found = sites.nearest(x, y, count, 150.0)
            parts.append(_rows(kind, found, [f"{short}{title}" for title in titles[: len(found)]]))
    return pd.concat(parts, ignore_index=True)


def _village_ones(sites: _Sites, rng: np.random.Generator) -> pd.DataFrame:
    """Clinics of the villages, and service centres of about half of them."""
    village = sites.address["town"] + "/" + sites.address["village"]
    numbers, labels = pd.factorize(village)
    centre_of = pd.DataFrame(sites.built.xy).groupby(numbers).median().to_numpy()
    served = rng.random(len(labels)) < 0.5
    parts = []
    for number, label in enumerate(labels):
        short = label.rpartition("/")[2]
        x, y = centre_of[number].tolist()
        kinds = [("clinic", "卫生室")]
        if served[number]:
            kinds.append(("service_centre", "便民服务点"))
        for kind, title in kinds:
            found = sites.nearest(x, y, 1, 0.0)
            parts.append(_rows(kind, found, [f"{short}{title}"] * len(found)))
    return pd.concat(parts, ignore_index=True)


def _fire_stations(
    sites: _Sites, centres: dict[str, tuple[float, float]], fire_towns: tuple[str, ...]
) -> pd.DataFrame:
    """One station near the centre of each town named; a second one stands apart."""
    parts = []
    for turn, name in enumerate(fire_towns):
        if name not in centres:
            continue
        x, y = centres[name]
        again = fire_towns[:turn].count(name)
        found = sites.nearest(x + 350 + 900 * again, y - 250 + 1100 * again, 1, 0.0)
        title = f"{name.removesuffix('街道')}{'第二' if again else ''}消防救援站"
        parts.append(_rows("fire_station", found, [title] * len(found)))
    return pd.concat(parts, ignore_index=True) if parts else _rows("fire_station", [], [])


def _spread(
    sites: _Sites, kind: str, count: int, title: str, apart_m: float, *, in_town: bool | None = None
) -> pd.DataFrame:
    """Places of one kind all over the county, named by village or street and numbered."""
    found = sites.anywhere(count, apart_m, in_town=in_town)
    place = sites.address["village"].to_numpy()[found]
    turn = pd.Series(place).groupby(place).cumcount().to_numpy()
    numbered = kind in ("grocery", "water_source")
    titles = [
        f"{name}{title}{number + 1}号" if numbered else f"{name}{_NTH[min(number, 9)]}{title}"
        for name, number in zip(place, turn.tolist(), strict=True)
    ]
    return _rows(kind, found, titles)
