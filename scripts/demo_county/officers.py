"""Grid heads and grid officers of the demo county, their posts A and B, and their leave.

The officers of a middle grid share its base grids, neighbours first. About a tenth of the posts
changed hands once; a duty never reaches beyond the versions in which its grid exists.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np
import pandas as pd

from gis_service.ingest.readers.frames import COLUMNS
from scripts.demo_county import people_names as names
from scripts.demo_county.buildings import Built

OFFICERS_A_GRID: Final = 0.585
LEAVES: Final = 250
FIRST_DAY: Final = date(2024, 7, 1)
REDRAWN_DAY: Final = date(2025, 7, 1)
TODAY: Final = date(2026, 11, 22)
_EMPLOYED_FROM: Final = date(2024, 1, 1)
_CHANGED: Final = 0.2  # of base grids, one post each: a tenth of the posts

Span = tuple[date, date | None]


@dataclass
class _Book:
    """Officers and duties as they are written down, row by row; ``home`` is a base grid's key."""

    homes: list[str | None] = field(default_factory=list)
    duties: list[tuple[int, str, str, str, date, date | None]] = field(default_factory=list)

    def hire(self, home: str | None) -> int:
        self.homes.append(home)
        return len(self.homes) - 1

    def assign(self, officer: int, grid: str, role: str, post: str, span: Span) -> None:
        self.duties.append((officer, grid, role, post, *span))


def make_officers(
    faces: pd.DataFrame, grids: pd.DataFrame, built: Built, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """
    Make who answers for the grids.

    Parameters
    ----------
    faces, grids
        As in ``people.make_people_side``.
    built
        The buildings: an officer's duty post is in one of them.
    rng
        Where chance comes from.

    Returns
    -------
    tuple
        ``officers``, ``duties``, ``leaves``.
    """
    book = _Book()
    base = _base_in_order(faces, grids)
    for _, group in base.groupby("parent", sort=True):
        _staff(book, group, rng)
    _heads(book, faces, grids, base)
    officers = _officer_frame(book, faces, built, rng)
    keys = officers["key"].to_numpy(dtype=object)
    duties = pd.DataFrame(book.duties, columns=list(COLUMNS["duties"])).astype(object)
    duties["officer_key"] = keys[duties["officer_key"].to_numpy(dtype=np.int64)]
    duties["valid_to"] = duties["valid_to"].where(duties["valid_to"].notna(), None)
    return officers, duties, _leaves(keys, rng)


def _span(versions: list[int]) -> Span:
    """From when to when a grid exists."""
    first = FIRST_DAY if 1 in versions else REDRAWN_DAY
    return first, None if 2 in versions else REDRAWN_DAY


def _base_in_order(faces: pd.DataFrame, grids: pd.DataFrame) -> pd.DataFrame:
    """All base grids ever, within each middle grid from west to east; gone ones by their code."""
    base = grids[grids["rank"] == 3].copy()
    points = faces["geometry"].map(lambda shape: shape.representative_point().x)
    west = pd.Series(points.to_numpy(), index=faces["key"])
    base["x"] = base["key"].map(west)
    base["x"] = base["x"].fillna(base.groupby("parent")["x"].transform("mean")).fillna(0.0)
    today = set(faces["key"])
    base["today"] = base["key"].isin(today)
    return base.sort_values(["parent", "x", "code"], kind="stable")


def _staff(book: _Book, group: pd.DataFrame, rng: np.random.Generator) -> None:
    """Give posts A and B in the base grids of one middle grid; some changed hands."""
    count = max(2, round(OFFICERS_A_GRID * max(int(group["today"].sum()), 1)))
    keys = group["key"].tolist()
    share = [position * count // len(keys) for position in range(len(keys))]
    homes = [keys[share.index(number)] if number in share else keys[-1] for number in range(count)]
    staff = [book.hire(home) for home in homes]
    for position, versions in enumerate(group["versions"].tolist()):
        span = _span(list(versions))
        first = share[position]
        holder = {"A": staff[first], "B": staff[(first + 1) % count]}
        changes = count >= 3 and rng.random() < _CHANGED
        changed = "AB"[int(rng.integers(0, 2))] if changes else ""
        for post, officer in holder.items():
            if post != changed:
                book.assign(officer, keys[position], "officer", post, span)
                continue
            until = span[1] or TODAY - timedelta(days=10)
            day = span[0] + timedelta(days=int(rng.integers(30, (until - span[0]).days)))
            new = staff[(first + 2) % count]
            book.assign(officer, keys[position], "officer", post, (span[0], day))
            book.assign(new, keys[position], "officer", post, (day, span[1]))


def _heads(book: _Book, faces: pd.DataFrame, grids: pd.DataFrame, base: pd.DataFrame) -> None:
    """Give each middle and town grid its head."""
    of_middle = base[base["today"]].drop_duplicates("parent").set_index("parent")["key"]
    of_town = faces.drop_duplicates("town").set_index("town")["key"]
    upper = grids[grids["rank"].isin((1, 2))].sort_values(["rank", "code"], kind="stable")
    for grid in upper.itertuples():
        home = of_town.get(grid.key) if grid.rank == 1 else of_middle.get(grid.key)
        book.assign(book.hire(home), grid.key, "head", "A", _span(list(grid.versions)))


def _officer_frame(
    book: _Book, faces: pd.DataFrame, built: Built, rng: np.random.Generator
) -> pd.DataFrame:
    """Give the officers names, telephones and a duty post in their home grid."""
    count = len(book.homes)
    row_of = pd.Series(np.arange(len(faces)), index=faces["key"])
    home = pd.Series(book.homes, dtype=object).map(row_of).fillna(-1).to_numpy(dtype=np.int64)
    start = np.searchsorted(built.face, home)
    stop = np.searchsorted(built.face, home, side="right")
    there = (home >= 0) & (stop > start)
    building = start + (rng.random(count) * np.maximum(stop - start, 1)).astype(np.int64)
    building[~there] = 0
    at = built.frame[["lon", "lat"]].to_numpy(dtype=object)[building]
    at[~there] = None
    return pd.DataFrame(
        {
            "key": names.numbered("G", count, 4),
            "name": names.people_names(count, rng),
            "phone": names.phones(count, rng),
            "full_time": rng.random(count) < 0.93,
            "valid_from": pd.Series([_EMPLOYED_FROM] * count, dtype=object),
            "valid_to": None,
            "lon": at[:, 0],
            "lat": at[:, 1],
        }
    )[list(COLUMNS["officers"])]


def _leaves(keys: names.Texts, rng: np.random.Generator) -> pd.DataFrame:
    """Give officers leave, one of them once; some are away today."""
    away = rng.choice(len(keys), min(LEAVES, len(keys)), replace=False)
    rows = []
    for turn, officer in enumerate(away.tolist()):
        days = int(rng.integers(2, 15))
        if turn < 18:
            first = TODAY - timedelta(days=int(rng.integers(0, days)))
        else:
            first = date(2024, 9, 1) + timedelta(days=int(rng.integers(0, 840)))
        rows.append((keys[officer], first, first + timedelta(days=days)))
    frame = pd.DataFrame(rows, columns=list(COLUMNS["leaves"])).astype(object)
    return frame.sort_values(["valid_from", "officer_key"], kind="stable", ignore_index=True)
