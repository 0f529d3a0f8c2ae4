"""An edit as a planner sends it becomes one that can be done again just so.

New grids get a key and a name that follows the village's pattern, and buildings that are handed
over get their land.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, Final

import numpy as np
import shapely

from gis_service.boundaries.editing.grid_names import find_new_name
from gis_service.boundaries.editing.handing_over import find_region
from gis_service.boundaries.plans.drafts import DraftState, names_of_new_grids
from gis_service.errors import InputError, Place

MOST_BUILDINGS: Final = 5000
_LONGEST_NAME: Final = 100


def complete_edit(state: DraftState, edit: Mapping[str, Any]) -> dict[str, Any]:
    """Write into an edit what is needed to do it again just so."""
    completed = dict(edit)
    kind = completed.get("kind")
    if kind in ("split", "draw"):
        completed["key"] = next(_free_keys(state))
        source = str(edit.get("grid", "")) or _find_source(state, edit.get("region"))
        completed["name"] = _written_name(edit.get("name")) or _new_name(
            state, source, completed["key"], {}
        )
    if kind == "redraw" and isinstance(edit.get("regions"), Mapping):
        completed |= _complete_redraw(state, edit)
    if kind == "hand_over_buildings":
        completed["region"] = _as_geojson(_land_of_buildings(state, completed))
    return completed


def _complete_redraw(state: DraftState, edit: Mapping[str, Any]) -> dict[str, Any]:
    """Give the new grids of a redraw their keys and names, in the order of those they came with."""
    regions: Mapping[str, Any] = edit["regions"]
    given = edit["names"] if isinstance(edit.get("names"), Mapping) else {}
    new = sorted(set(regions) - {str(key) for key in edit.get("grids", ())}, key=_by_number)
    renamed = dict(zip(new, _free_keys(state), strict=False))
    names: dict[str, str] = {}
    for key in new:
        source = _find_source(state, regions[key])
        names[renamed[key]] = _written_name(given.get(key)) or _new_name(
            state, source, renamed[key], names
        )
    land = {renamed.get(key, key): _as_geojson(region) for key, region in regions.items()}
    return {"regions": land, "names": names}


def _by_number(key: str) -> tuple[int, str]:
    return len(key), key


def _written_name(name: object) -> str:
    return str(name or "").strip()[:_LONGEST_NAME]


def _free_keys(state: DraftState) -> Iterator[str]:
    """Give new grids a number; one that was undone may come again, since its edit is gone."""
    used = {key for edit in state.edits for key in names_of_new_grids(edit)}
    return (key for key in (f"new-{number}" for number in count(1)) if key not in used)


def _find_source(state: DraftState, region: Any) -> str:
    """Find the grid that gives a new one most of its land; empty where nobody does."""
    try:
        land = region if isinstance(region, shapely.Geometry) else shapely.geometry.shape(region)
        faces = state.draft.faces(state.draft.within(*shapely.bounds(land)))
        given = {key: shapely.intersection(face, land).area for key, face in faces.items()}
    except (TypeError, ValueError, AttributeError, KeyError, IndexError, shapely.GEOSException):
        return ""  # the edit itself says what is wrong with it
    return max(given, key=lambda key: (given[key], key), default="")


def _new_name(state: DraftState, source: str, key: str, given: Mapping[str, str]) -> str:
    """Count on from the names of the village's grids; none that one of them has or had."""
    names, parents = state.names, state.draft.parents
    parent = parents.get(source)
    siblings = [names.get(grid, "") for grid, above in parents.items() if above == parent]
    drawn = [name for edit in state.edits for name in names_of_new_grids(edit).values()]
    taken = {*state.base.past_names.get(parent or "", ()), *drawn, *given.values()}
    found = find_new_name(names.get(source, ""), siblings, taken)
    return found or f"{names.get(source, '')}新{key.removeprefix('new-')}"


def _as_geojson(geometry: Any) -> Any:
    is_shape = isinstance(geometry, shapely.Geometry)
    return json.loads(shapely.to_geojson(geometry)) if is_shape else geometry


def _land_of_buildings(state: DraftState, edit: Mapping[str, Any]) -> Any:
    base, target = state.base, str(edit.get("to"))
    building_ids = np.unique(
        np.array([int(building_id) for building_id in edit.get("buildings", ())], dtype=np.int64)
    )
    position = np.searchsorted(base.building_ids, building_ids).clip(
        max=max(len(base.building_ids) - 1, 0)
    )
    chosen = (
        position[base.building_ids[position] == building_ids]
        if len(base.building_ids)
        else position
    )
    if not len(chosen) or len(building_ids) > MOST_BUILDINGS:
        raise InputError("boundaries.no_buildings", place=Place(field="buildings"))
    if target not in state.draft.faces([target]):
        raise InputError("boundaries.no_such_grid", place=Place(field="to"), grid=target)
    places = shapely.point_on_surface(base.footprints[chosen])
    losing = {
        key
        for place in places
        for key, face in state.draft.faces(state.draft.within(*place.bounds)).items()
        if shapely.intersects(face, place)
    }
    around = {target, *losing, *(near for key in losing for near in state.draft.neighbours(key))}
    faces = state.draft.faces(sorted(around))
    box = shapely.box(*shapely.total_bounds(np.array(list(faces.values()), dtype=object)))
    near = np.unique(np.concatenate([base.footprints.query(np.array([box]))[1], chosen]))
    return find_region(np.isin(near, chosen), base.footprints[near], faces, target)


__all__ = ["MOST_BUILDINGS", "complete_edit"]
