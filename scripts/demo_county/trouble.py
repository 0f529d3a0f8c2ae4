"""Premises under supervision, hazards found in them, and incidents reported in the demo county.

States follow age: what was found long ago is closed, with a tail that is overdue. The demo's today
is the day after the last report.
"""

from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import shapely

from gis_service.ingest.readers.frames import COLUMNS
from scripts.demo_county import geography as geo
from scripts.demo_county import people_names as names
from scripts.demo_county.buildings import FACTORY, HOUSE, OFFICE, SCHOOL, SHOP, Built
from scripts.demo_county.geography import Bools, Floats, Ints

PREMISES: Final = 3000
HAZARDS: Final = 2000
INCIDENTS: Final = 5000
OUTSIDE: Final = 4
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")

_FIRST_FOUND: Final = date(2024, 7, 1)
_LAST_FOUND: Final = date(2026, 11, 20)
_FIRST_REPORT: Final = date(2024, 11, 20)
_LAST_REPORT: Final = date(2026, 11, 20)

# kind, share, buildings it may be in, grades A to D, name endings
_PREMISES: Final = (
    ("shop", 0.30, (SHOP,), (0.02, 0.18, 0.45, 0.35), ("百货店", "五金店", "服装店", "药店")),
    ("nine_small", 0.26, (SHOP, HOUSE), (0.03, 0.22, 0.45, 0.30), ("小旅馆", "小网吧", "小作坊")),
    ("restaurant", 0.16, (SHOP,), (0.04, 0.26, 0.45, 0.25), ("饭店", "米粉馆", "酒家", "农家乐")),
    ("factory", 0.10, (FACTORY,), (0.15, 0.35, 0.35, 0.15), ("纺织厂", "食品厂", "砖厂", "木器厂")),
    ("warehouse", 0.07, (FACTORY,), (0.12, 0.33, 0.40, 0.15), ("仓库", "粮库", "冷库")),
    ("school", 0.04, (SCHOOL,), (0.20, 0.50, 0.25, 0.05), ("学校", "幼儿园")),
    ("gas_station", 0.02, (SHOP,), (0.70, 0.30, 0.0, 0.0), ("加油站",)),
    ("key_fire_unit", 0.05, (OFFICE, SCHOOL, FACTORY), (0.6, 0.4, 0.0, 0.0), ("大厦", "商场")),
)  # fmt: skip
_SHOP_NAMES: Final = (
    "永兴", "福来", "金辉", "华盛", "湘汀", "宏达", "利民", "顺发", "新农", "兴旺", "同心", "佳惠",
)  # fmt: skip

_HAZARDS: Final = {
    "blocked_exit": ("安全出口堆放杂物", "疏散通道被货物占用"),
    "wiring": ("线路私拉乱接", "配电箱无盖板，线路老化"),
    "extinguisher": ("灭火器过期", "灭火器数量不足"),
    "gas": ("液化气瓶与明火同室", "燃气软管老化"),
    "charging": ("电动车在楼道充电", "电动车电池入户充电"),
    "structure": ("外墙瓷砖脱落", "屋面漏水，梁有裂缝"),
    "storage": ("易燃物品混放", "仓库内违规住人"),
}
_INCIDENTS: Final = {
    "dispute": ("邻里因宅基地界线发生争执", "因噪声与邻居发生口角", "因排水沟堵塞发生纠纷"),
    "rubbish": ("路边垃圾堆积无人清运", "河边倾倒建筑垃圾", "垃圾桶满溢"),
    "noise": ("夜间施工噪声扰民", "广场音响声音过大", "店铺音响扰民"),
    "road_damage": ("路面塌陷，影响通行", "井盖缺失", "路灯不亮"),
    "burst_pipe": ("自来水管爆裂，路面积水", "水管漏水，停水"),
    "illegal_building": ("房前违章搭建雨棚", "占用耕地搭建棚屋"),
    "flood": ("暴雨后低洼处积水", "沟渠水位上涨，进水三户"),
    "fire": ("厨房起火，已扑灭", "田间焚烧秸秆冒烟", "电动车起火"),
    "lost_person": ("老人外出未归", "儿童走失，请协助寻找"),
    "other": ("群众咨询办事流程", "发现流浪犬聚集", "树枝压住电线"),
}
_SHARES: Final = (0.22, 0.19, 0.13, 0.12, 0.08, 0.06, 0.05, 0.04, 0.02, 0.09)


def make_premises(
    built: Built, faces: pd.DataFrame, rng: np.random.Generator
) -> tuple[pd.DataFrame, Ints]:
    """
    Make the places under supervision.

    Parameters
    ----------
    built
        The buildings.
    faces
        As in ``people.make_people_side``.
    rng
        Where chance comes from.

    Returns
    -------
    tuple
        ``premises``, and for each the row number of its building.
    """
    urban = faces["urban"].to_numpy(dtype=bool)[built.face]
    free = np.ones(len(built.kind), dtype=bool)
    parts, owners = [], []
    for kind, share, kinds, grades, endings in reversed(_PREMISES):
        fits = free & np.isin(built.kind, kinds)
        here = np.flatnonzero(fits)
        wish = round(PREMISES * share)
        if len(here) < wish:  # the rest are in houses
            here = np.concatenate([here, np.flatnonzero(free & ~fits & (built.kind == HOUSE))])
        best = np.isin(built.kind[here], kinds) * 2.0 + urban[here] * 0.5 + rng.random(len(here))
        picked = here[np.argsort(-best, kind="stable")[:wish]]
        free[picked] = False
        owners.append(picked)
        parts.append(
            pd.DataFrame(
                {
                    "kind": kind,
                    "grade": np.array(list("ABCD"), dtype=object)[
                        rng.choice(4, len(picked), p=grades)
                    ],
                    "name": names.pick(_SHOP_NAMES, len(picked), rng)
                    + names.pick(endings, len(picked), rng),
                }
            )
        )
    owner = np.concatenate(owners)
    frame = pd.concat(parts, ignore_index=True)
    order = np.argsort(owner, kind="stable")
    frame, owner = frame.iloc[order].reset_index(drop=True), owner[order]
    frame["key"] = names.numbered("P", len(frame), 4)
    frame["responsible_name"] = names.people_names(len(frame), rng)
    frame["phone"] = names.phones(len(frame), rng)
    for column, source in (("building_key", "key"), ("lon", "lon"), ("lat", "lat")):
        frame[column] = built.frame[source].to_numpy()[owner]
    return frame[list(COLUMNS["premises"])], owner


def make_hazards(
    premises: pd.DataFrame, built: Built, owner: Ints, rng: np.random.Generator
) -> pd.DataFrame:
    """
    Make the hazards found on inspections.

    Parameters
    ----------
    premises
        From :func:`make_premises`.
    built
        The buildings.
    owner
        The building of each of the premises.
    rng
        Where chance comes from.

    Returns
    -------
    pandas.DataFrame
        ``hazards``.
    """
    weight = premises["grade"].map({"A": 4.0, "B": 2.5, "C": 1.4, "D": 0.8}).to_numpy(dtype=float)
    at = np.sort(rng.choice(len(premises), HAZARDS, p=weight / weight.sum()))
    span = (_LAST_FOUND - _FIRST_FOUND).days
    age = (span * rng.random(HAZARDS) ** 1.35).astype(np.int64)
    major = rng.random(HAZARDS) < 0.09
    term = np.where(major, rng.integers(15, 61, HAZARDS), rng.integers(3, 31, HAZARDS))
    taken = np.maximum(1, (term * rng.gamma(4.0, 0.19, HAZARDS)).astype(np.int64))
    stuck = rng.random(HAZARDS) < 0.05
    rectified = (taken <= age) & ~stuck
    closing = taken + rng.integers(0, 9, HAZARDS)
    closed = rectified & (closing <= age)
    begun = ~rectified & (age >= 2)
    handed = begun & stuck & (age > term + 90)
    state = np.select(
        [closed, rectified, handed, begun],
        ["closed", "rectified", "handed_over", "rectifying"],
        "found",
    ).astype(object)
    found = _LAST_FOUND - pd.to_timedelta(age, unit="D").to_pytimedelta()
    days = [timedelta(days=int(day)) for day in range(1200)]
    kinds = np.array(list(_HAZARDS), dtype=object)[rng.integers(0, len(_HAZARDS), HAZARDS)]
    notes = [
        _HAZARDS[kind][turn]
        for kind, turn in zip(kinds, rng.integers(0, 2, HAZARDS).tolist(), strict=True)
    ]
    where = built.frame.iloc[owner[at]]
    return pd.DataFrame(
        {
            "key": names.numbered("Z", HAZARDS, 4),
            "kind": kinds,
            "grade": np.where(major, "major", "ordinary"),
            "status": state,
            "note": notes,
            "premises_key": premises["key"].to_numpy()[at],
            "found_on": list(found),
            "due_on": [day + days[n] for day, n in zip(found, term.tolist(), strict=True)],
            "rectified_on": _later(found, taken, rectified),
            "closed_on": _later(found, closing, closed),
            "lon": where["lon"].to_numpy(),
            "lat": where["lat"].to_numpy(),
        }
    )[list(COLUMNS["hazards"])]


def _later(first: np.ndarray, days: Ints, there: Bools) -> names.Texts:
    """Days after a day, None where there is none."""
    values = np.full(len(days), None, dtype=object)
    for row in np.flatnonzero(there).tolist():
        values[row] = first[row] + timedelta(days=int(days[row]))
    return values


def make_incidents(
    built: Built, county: shapely.Geometry, address: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """
    Make the incidents of two years.

    Parameters
    ----------
    built
        The buildings.
    county
        Its outline, degrees: a few incidents lie a little outside.
    address
        From ``people.addresses``.
    rng
        Where chance comes from.

    Returns
    -------
    pandas.DataFrame
        ``incidents``, in the order of reporting.
    """
    moments = _report_moments(rng)
    kind = np.array(list(_INCIDENTS), dtype=object)[
        rng.choice(len(_INCIDENTS), INCIDENTS, p=np.array(_SHARES) / sum(_SHARES))
    ]
    weight = built.households + 0.25
    at = rng.choice(len(built.kind), INCIDENTS, p=weight / weight.sum())
    front = built.front[at]
    spot = np.where(
        (rng.random(INCIDENTS) < 0.5)[:, None], built.xy[at], 0.75 * front + 0.25 * built.xy[at]
    )
    lonlat = geo.to_lonlat(spot)
    away = rng.choice(INCIDENTS - 400, OUTSIDE, replace=False)
    lonlat[away] = _outside_points(county, rng)
    hours = np.exp(rng.normal(2.6, 1.1, INCIDENTS))
    slow = rng.random(INCIDENTS) < 0.045
    hours[slow] = 1e6
    end = datetime(2026, 11, 21, tzinfo=SHANGHAI)
    place = address["street"].to_numpy() + address["group"].to_numpy()
    states = ("reported", "accepted", "dispatched", "handled", "verified", "returned")
    rows_state, rows_closed, texts = [], [], []
    stages = rng.choice(6, INCIDENTS, p=[0.12, 0.18, 0.30, 0.22, 0.10, 0.08])
    turns = rng.integers(0, 6, INCIDENTS)
    outside = set(away.tolist())
    for row, moment in enumerate(moments):
        closed = moment + timedelta(minutes=round(60 * hours[row])) if hours[row] < 1e5 else None
        done = closed is not None and closed < end
        rows_state.append("closed" if done else states[stages[row]])
        rows_closed.append(closed if done else None)
        lines = _INCIDENTS[kind[row]]
        where = "县界外" if row in outside else f"{place[at[row]]}附近"
        texts.append(f"{where}{lines[turns[row] % len(lines)]}")
    anonymous = rng.random(INCIDENTS) < 0.12
    return pd.DataFrame(
        {
            "key": names.numbered("E", INCIDENTS, 5),
            "kind": kind,
            "status": rows_state,
            "text": texts,
            "reported_at": pd.Series(moments, dtype=object),
            "closed_at": pd.Series(rows_closed, dtype=object),
            "reporter_name": np.where(anonymous, "", names.people_names(INCIDENTS, rng)),
            "reporter_phone": np.where(anonymous, "", names.phones(INCIDENTS, rng)),
            "lon": lonlat[:, 0],
            "lat": lonlat[:, 1],
        }
    )[list(COLUMNS["incidents"])]


def _report_moments(rng: np.random.Generator) -> list[datetime]:
    """Moments of reporting, sorted: more by day than by night, fewer at weekends, more in June."""
    span = (_LAST_REPORT - _FIRST_REPORT).days + 1
    days = [_FIRST_REPORT + timedelta(days=number) for number in range(span)]
    weight = np.array(
        [
            (0.68 if day.weekday() >= 5 else 1.0)
            * (1.3 if day.month in (6, 7) else 1.0)
            * (0.8 + 0.4 * number / span)
            for number, day in enumerate(days)
        ]
    )
    day = rng.choice(span, INCIDENTS, p=weight / weight.sum())
    by_hour = np.array(
        [2, 1, 1, 1, 1, 2, 4, 8, 12, 13, 12, 10, 7, 8, 11, 12, 11, 10, 9, 10, 9, 6, 4, 3]
    )
    hour = rng.choice(24, INCIDENTS, p=by_hour / by_hour.sum())
    minute, second = rng.integers(0, 60, (2, INCIDENTS))
    order = np.lexsort((second, minute, hour, day))
    midnights = [datetime(one.year, one.month, one.day, tzinfo=SHANGHAI) for one in days]
    return [
        midnights[day[row]]
        + timedelta(hours=int(hour[row]), minutes=int(minute[row]), seconds=int(second[row]))
        for row in order.tolist()
    ]


def _outside_points(county: shapely.Geometry, rng: np.random.Generator) -> Floats:
    """Points 60 to 400 m outside the county's outline."""
    outline = shapely.transform(county, geo.to_metres)
    middle = shapely.get_coordinates(shapely.centroid(outline))[0]
    found: list[Floats] = []
    while len(found) < OUTSIDE:
        angle = rng.uniform(0, 2 * np.pi)
        way = np.array([np.cos(angle), np.sin(angle)])
        ray = shapely.linestrings([middle, middle + 90_000 * way])
        hit = shapely.get_coordinates(shapely.intersection(ray, shapely.boundary(outline)))
        if not len(hit):
            continue
        far = hit[np.hypot(*(hit - middle).T).argmax()]
        point = far + way * rng.uniform(80, 350)
        if 60 <= shapely.distance(shapely.points(point), outline) <= 400:
            found.append(point)
    return geo.to_lonlat(np.array(found))
