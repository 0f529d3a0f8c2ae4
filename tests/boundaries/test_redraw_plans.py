"""A redraw of many grids as a plan: completed, done again on a newer version, published."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.boundaries.history import changes as history
from gis_service.boundaries.plans.completing import complete_edit
from gis_service.boundaries.plans.drafts import DraftCache, DraftState
from gis_service.boundaries.plans.queries import StoredEdit
from gis_service.boundaries.plans.work import summarize_edit
from gis_service.boundaries.publication.queries import find_newest_version
from gis_service.store import tables as t
from tests.boundaries import redrawing
from tests.boundaries.test_publishing import (
    connection,
    day,
    grid_ids,
    in_force,
    merge,
    publish,
    split,
    strip,
)
from tests.support import SIDE, SOUTH, WEST

__all__ = ["connection", "day", "grid_ids"]  # fixtures


@contextmanager
def opened(connection: sa.Connection, edits: list[dict[str, Any]]) -> Iterator[DraftState]:
    stored = [StoredEdit(number, edit) for number, edit in enumerate(edits, 1)]
    version = find_newest_version(connection, "base")
    with DraftCache().open(connection, 1, version, stored) as state:
        yield state


def call(connection: sa.Connection, ids: dict[str, int], names: dict[str, str]) -> None:
    for key, name in names.items():
        state = t.grid_state
        connection.execute(sa.update(state).where(state.c.grid_id == ids[key]).values(name=name))


def three(ids: dict[str, int]) -> dict[str, Any]:
    """The middle and its eastern neighbour, of one village, become four."""
    middle, east = str(ids["g11"]), str(ids["g21"])
    return {
        "kind": "redraw", "grids": [middle, east],
        "regions": {
            "new-10": strip(1.7, 2), "new-2": strip(1.3, 1.7),
            middle: strip(1, 1.3), east: strip(2, 3),
        },
    }  # fmt: skip


def test_new_grids_get_keys_and_the_next_names_of_their_village(
    connection: sa.Connection, grid_ids: dict[str, int], day: date
) -> None:
    call(connection, grid_ids, {"g01": "东村十组", "g11": "东村一组", "g21": "东村八组"})
    publish(connection, [merge(grid_ids, "g01", "g00")], day)  # 十组 is history now
    with opened(connection, []) as state:
        edit = complete_edit(state, three(grid_ids))
    assert edit["names"] == {"new-1": "东村十一组", "new-2": "东村十二组"}
    assert shapely.geometry.shape(edit["regions"]["new-1"]).equals(
        shapely.geometry.shape(strip(1.3, 1.7))
    )
    drawn = {"kind": "split", "key": "new-1", "name": "东村十一组", "grid": str(grid_ids["g12"]),
             "line": split(grid_ids, "g12")["line"]}  # fmt: skip
    with opened(connection, [drawn]) as state:
        asked = {**three(grid_ids), "names": {"new-10": " 桥头 "}}
        edit = complete_edit(state, asked)
        assert edit["names"] == {"new-2": "东村十二组", "new-3": "桥头"}
        state.apply(StoredEdit(2, edit))
        assert state.names["new-3"] == state.name_of("new-3") == "桥头"
        assert complete_edit(state, split(grid_ids, "g20"))["key"] == "new-4"
        assert summarize_edit(edit, state.names, "zh-CN") == "重新划分 2 个网格，其中新设 2 个"
        assert summarize_edit(edit, state.names, "en") == "2 grids drawn anew, 2 of them new"


def test_a_redraw_is_done_again_on_a_newer_version_to_the_same_borders(
    connection: sa.Connection, grid_ids: dict[str, int], day: date
) -> None:
    with opened(connection, []) as state:
        edit = complete_edit(state, three(grid_ids))
    with opened(connection, [edit]) as state:
        faces, bytes_before = state.draft.faces(edit["regions"]), redrawing.wkb(state.draft)
        state.undo()
        state.apply(StoredEdit(1, edit))
        assert redrawing.wkb(state.draft) == bytes_before
    x = WEST + 1.43 * SIDE  # a cut below the middle puts a vertex on its border
    line = [[x, SOUTH - SIDE / 10], [x + SIDE / 7, SOUTH + SIDE * 1.1]]
    below = {**split(grid_ids, "g10"), "line": {"type": "LineString", "coordinates": line}}
    publish(connection, [below], day)
    with opened(connection, [edit]) as state, opened(connection, [edit]) as again:
        now = state.draft.faces(edit["regions"])
        assert redrawing.wkb(state.draft) == redrawing.wkb(again.draft)
        apart = shapely.symmetric_difference(
            np.array(list(now.values()), dtype=object), np.array(list(faces.values()), dtype=object)
        )
        assert shapely.area(apart).max() < 1e-14
        assert shapely.coverage_is_valid(
            shapely.get_parts(np.array(list(state.draft.faces().values()), dtype=object))
        )


def test_a_redraw_is_published_with_codes_history_and_officers(
    connection: sa.Connection, grid_ids: dict[str, int], day: date
) -> None:
    before = in_force(connection, day)
    whole = {
        "kind": "redraw", "grids": [str(grid_ids[key]) for key in ("g01", "g11", "g21")],
        "regions": {str(grid_ids["g11"]): strip(0, 1.6), "new-1": strip(1.6, 3)},
    }  # fmt: skip
    with opened(connection, []) as state:
        edit = complete_edit(state, whole)
    published = publish(connection, [edit], day)
    assert (published.changed, published.retired) == (2, 2)
    assert published.moved["building"] == published.moved["household"] / 10 == 2
    new = published.grid_ids["new-1"]
    now = in_force(connection, day)
    codes = {row[0]: row[1] for row in now["states"]}
    old = {row[0]: row[1] for row in before["states"]}
    assert codes[str(new)] not in set(old.values())
    assert codes[str(grid_ids["g11"])] == old[str(grid_ids["g11"])]
    on_duty = {row[0] for row in now["duties"]}
    assert str(grid_ids["g11"]) in on_duty
    assert not on_duty & {str(grid_ids["g01"]), str(grid_ids["g21"]), str(new)}
    later = day + timedelta(days=1)
    history.withdraw_version(connection, SYSTEM, published.version.version_id, later, "弄错")
    assert in_force(connection, later) == before
