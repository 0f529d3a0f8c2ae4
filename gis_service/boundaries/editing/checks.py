"""What is right and wrong about drawn boundaries: rules with the names that planners use.

Each rule looks at a draft and says where it is broken; after an edit only at what the edit touched.
That nothing overlaps and nothing is left out is proved by sums: if the borders of all grids, each
with its direction, cancel but for the county's own, every place lies in exactly one grid.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.boundaries.editing.balance import Load, Loads
from gis_service.boundaries.editing.edits import Draft
from gis_service.boundaries.editing.rules import RedrawRules, redraw_rules
from gis_service.boundaries.linework import chains
from gis_service.boundaries.linework.noding import metres_per_degree
from gis_service.boundaries.linework.packed_shapes import PackedShapes
from gis_service.boundaries.linework.tessellation import OUTSIDE, Tessellation
from gis_service.geodesy import GeometryArray, area_m2
from gis_service.messages import Language, text

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
MOST_PLACES: Final = 100
"""So many places of one kind are told; more only make the list long."""


@dataclass(frozen=True)
class Finding:
    """
    A rule that is broken at a place.

    Attributes
    ----------
    rule
        One of the names in ``rules.toml``; the sentence is ``boundaries.rule_<rule>``.
    severity
        ``error`` stops publication, ``warning`` needs a reason.
    keys
        Grids it concerns.
    place
        Geometry in lon, lat; None where the rule has none (a code).
    values
        What fills the sentence.
    """

    rule: str
    severity: Literal["error", "warning"]
    keys: tuple[str, ...]
    place: Any
    values: Mapping[str, object] = field(default_factory=dict)

    def text(self, language: Language, names: Mapping[str, str] | None = None) -> str:
        """
        Say it.

        Parameters
        ----------
        language
            The reader's.
        names
            What grids are called; their keys where None.

        Returns
        -------
        str
            A sentence.
        """
        called = ", ".join((names or {}).get(key, key) for key in self.keys)
        return text(f"boundaries.rule_{self.rule}", language, **{**self.values, "grids": called})

    def as_dict(self, language: Language, names: Mapping[str, str] | None = None) -> dict[str, Any]:
        """
        Write it down for a program.

        Parameters
        ----------
        language, names
            As for :meth:`text`.

        Returns
        -------
        dict
            Rule, severity, keys, text, and the place as GeoJSON.
        """
        place = None if self.place is None else shapely.geometry.mapping(self.place)
        return {
            "rule": self.rule,
            "severity": self.severity,
            "keys": list(self.keys),
            "text": self.text(language, names),
            "place": place,
        }


@dataclass(frozen=True)
class BaseLand:
    """The land that a plan began with; what is worked out of it serves all plans on it."""

    # The linework: its outline is the county's, its parents' land the villages'.
    base: Tessellation
    # Parent of each grid.
    parents: Mapping[str, str]

    @cached_property
    def outline(self) -> GeometryArray:
        """Arcs between a grid and the outside."""
        outer = (self.base.left == OUTSIDE) | (self.base.right == OUTSIDE)
        return np.asarray(self.base.arcs[outer], dtype=object)

    @cached_property
    def villages(self) -> dict[str, Any]:
        """Land of each parent."""
        names = sorted({self.parents[key] for key in self.base.keys})
        position = {name: index for index, name in enumerate(names)}
        owner = np.array([position[self.parents[key]] for key in self.base.keys], dtype=np.int64)
        faces, *_ = self.base.dissolved(owner, names)
        return dict(zip(names, faces, strict=True))

    @cached_property
    def faces(self) -> dict[str, Any]:
        """Land of each grid."""
        return dict(zip(self.base.keys, self.base.faces(), strict=True))


@dataclass(frozen=True)
class Context:
    """What a draft is judged against; what is left empty is not looked at."""

    land: BaseLand
    # Whether the scheme allows a grid in several parts.
    several_parts: bool = True
    # Figures of the draft, brought up to date by the caller.
    loads: Loads | None = None
    # Units that lay in no grid of the base: a fault of the data, not of the draft.
    out_before: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    # Footprints of buildings, lon, lat.
    footprints: PackedShapes | None = None
    # Lines that a border may follow, lon, lat: streets and water.
    streets: PackedShapes | None = None
    # Grids with an officer of post A; None where nobody looks.
    officers: frozenset[str] | None = None
    # Above the parents: from each village its town, and so on.
    upper: Sequence[Mapping[str, str]] = ()
    # Severities and limits.
    rules: RedrawRules = field(default_factory=redraw_rules)


@dataclass(frozen=True)
class CheckScope:
    """What a rule looks at: the draft, its surroundings, and the grids in question."""

    draft: Draft
    context: Context
    keys: tuple[str, ...]
    faces: dict[str, Any]
    whole: bool

    @cached_property
    def land(self) -> GeometryArray:
        """Faces in the order of ``keys``."""
        return np.array([self.faces[key] for key in self.keys], dtype=object)

    @cached_property
    def cover(self) -> list[Any]:
        """What is wrong with the tiling: of all levels where all is looked at."""
        if not self.whole:
            return _check_cover(self)
        broken = check_levels(*build_levels(self.draft, self.context), rules=self.context.rules)
        return [(finding.rule, finding.keys, finding.place, finding.values) for finding in broken]

    @cached_property
    def loads(self) -> dict[str, Load]:
        """Figures of the grids in question."""
        return {} if self.context.loads is None else self.context.loads.of(self.keys)


Rule = Callable[[CheckScope], Iterable[tuple[tuple[str, ...], Any, dict[str, object]]]]


def check(draft: Draft, context: Context, touched: Iterable[str] | None = None) -> list[Finding]:
    """Look for broken rules."""
    faces = draft.faces(touched)
    looked = CheckScope(draft, context, tuple(faces), faces, touched is None)
    broken = []
    for name, rule in RULES.items():
        severity = context.rules.severity_of(name)
        if name == "several_parts" and context.several_parts and severity == "error":
            severity = "warning"
        if severity == "off":
            continue
        broken += [
            Finding(name, severity, keys, place, values) for keys, place, values in rule(looked)
        ]
    order = list(RULES)
    return sorted(
        broken, key=lambda finding: (finding.severity, order.index(finding.rule), finding.keys)
    )


def build_levels(
    draft: Draft, context: Context
) -> tuple[dict[str, Any], list[dict[str, str]], GeometryArray]:
    """Build every level of a draft from its arcs."""
    faces, linework = draft.faces(), draft.tessellation()
    steps = [draft.parents, *(dict(level) for level in context.upper)]
    ancestor = {key: key for key in linework.keys}
    used: list[dict[str, str]] = []
    for step in steps:
        used.append({name: step[name] for name in dict.fromkeys(ancestor.values())})
        ancestor = {key: step[above] for key, above in ancestor.items()}
        names = list(dict.fromkeys(ancestor.values()))
        position = {name: index for index, name in enumerate(names)}
        owner = np.array([position[ancestor[key]] for key in linework.keys], dtype=np.int64)
        upper, *_ = linework.dissolved(owner, names)
        faces.update(zip(names, upper, strict=True))
    return faces, used, context.land.outline


def check_levels(
    faces: Mapping[str, Any],
    parents: Sequence[Mapping[str, str]],
    outline: GeometryArray | None = None,
    rules: RedrawRules | None = None,
) -> list[Finding]:
    """Prove that the grids of every level tile the county and their parents."""
    rules = rules or redraw_rules()
    lowest = list(parents[0]) if parents else list(faces)
    land = np.array([faces[key] for key in lowest], dtype=object)
    every = np.array(list(faces.values()), dtype=object)
    valid = shapely.is_valid(every)
    broken: list[tuple[str, tuple[str, ...], Any, dict[str, object]]] = [
        ("invalid", (key,), faces[key], {})
        for key, good in zip(faces, valid.tolist(), strict=True)
        if not good
    ]
    frame = chains.LocalFrame.around(every, *([] if outline is None else [outline]))
    lowest_chain = chains.of_polygons(land, frame)
    faults: list[int] = []
    below, names = lowest_chain, lowest
    for step in parents:
        above = list(dict.fromkeys(step[name] for name in names))
        position = {name: index for index, name in enumerate(above)}
        owner = np.array([position[step[name]] for name in names], dtype=np.int64)
        upper = chains.of_polygons(np.array([faces[name] for name in above], dtype=object), frame)
        differing = below.owned(owner).differing(upper)
        faults += differing
        broken += [("level", (above[index],), faces[above[index]], {}) for index in differing]
        below, names = upper, above
    # where every level is the sum of the one below, the top one has the same rim as the lowest
    rim = lowest_chain if faults else below
    broken += _check_outline(lowest, land, rim, outline, frame, rules.checks.outline_m.value)
    return [
        Finding(rule, severity, keys, place, values)
        for rule, keys, place, values in broken
        if (severity := rules.severity_of(rule)) != "off"
    ]


Broken = tuple[tuple[str, ...], Any, dict[str, object]]


def _check_outline(
    keys: Sequence[str],
    land: GeometryArray,
    rim: chains.Chain,
    outline: GeometryArray | None,
    frame: chains.LocalFrame,
    tolerance_m: float,
) -> list[tuple[str, tuple[str, ...], Any, dict[str, object]]]:
    """Compare what does not cancel with the county's border; look closer only where it differs."""
    open_ends = rim.reduced(np.zeros(int(rim.owner.max(initial=-1)) + 1, dtype=np.int64))
    drawn = open_ends.lines()
    border = drawn if outline is None else outline
    if outline is not None:
        left_over = open_ends.undirected_difference(chains.of_lines(outline, frame))
        if not len(left_over.lo):
            return []
        metres = _measure_apart_m(left_over.lines(), outline, drawn)
        if metres <= tolerance_m:
            return []
    places = shapely.get_parts(
        shapely.polygonize(shapely.get_parts(shapely.union_all(np.concatenate([drawn, border]))))
    )
    inside = shapely.point_on_surface(places)
    place, grid = shapely.STRtree(land).query(inside, predicate="intersects")
    claims = np.bincount(place, minlength=len(places))
    county = (
        np.ones(len(places), dtype=bool)
        if outline is None
        else shapely.intersects(_polygonize(outline), inside)
    )
    faults: list[tuple[str, tuple[str, ...], Any, dict[str, object]]] = []
    for index in np.flatnonzero((claims > 1) | ((claims == 0) & county)).tolist():
        claimants = tuple(keys[g] for g in np.sort(grid[place == index]).tolist())
        area = f"{float(area_m2(places[index])[0]):,.3f}"
        rule = "overlap" if claimants else "gap"
        faults.append((rule, claimants, places[index], {"area_m2": area}))
    for index in np.flatnonzero((claims == 1) & ~county).tolist():
        claimant = (keys[int(grid[place == index][0])],)
        metres = _measure_apart_m(shapely.boundary(places[[index]]), border, border)
        if metres > tolerance_m:
            faults.append(("outline", claimant, places[index], {"metres": f"{metres:.4f}"}))
    return faults[:MOST_PLACES]


def _polygonize(lines: GeometryArray) -> Any:
    return shapely.union_all(shapely.get_parts(shapely.polygonize(lines)))


def _measure_apart_m(lines: GeometryArray, *others: GeometryArray) -> float:
    """Measure how far lines are from the nearest of each of the others, at their vertices."""
    lat = float(shapely.get_coordinates(lines)[:, 1].mean())
    scale = metres_per_degree(lat)
    points = shapely.points(shapely.get_coordinates(lines) * scale)
    farthest_m = 0.0
    for lines_apart in others:
        flat = shapely.transform(lines_apart, lambda xy: xy * scale)
        tree = shapely.STRtree(flat)
        farthest_m = max(
            farthest_m, float(tree.query_nearest(points, return_distance=True)[1].max(initial=0))
        )
    return farthest_m


# --- the rules ---------------------------------------------------------------------------------


def _check_cover(looked: CheckScope) -> list[tuple[str, tuple[str, ...], Any, dict[str, object]]]:
    """Compare each face with its arcs, and the outer arcs with the county's border."""
    arcs = looked.draft.edges(looked.keys)
    position = {key: index for index, key in enumerate(looked.keys)}
    lines = np.empty(len(arcs), dtype=object)
    lines[:] = [arc.line for arc in arcs]
    left = np.array([position.get(arc.left or "", -1) for arc in arcs], dtype=np.int64)
    right = np.array([position.get(arc.right or "", -1) for arc in arcs], dtype=np.int64)
    frame = chains.LocalFrame.around(looked.land, lines)
    chain = chains.of_polygons(looked.land, frame)
    wrong = chain.differing(chains.of_arcs(lines, left, right, frame))
    faults: list[tuple[str, tuple[str, ...], Any, dict[str, object]]] = [
        ("gap", (looked.keys[i],), looked.land[i], {"area_m2": "?"}) for i in wrong
    ]
    faults += [
        ("invalid", (key,), face, {})
        for key, face, good in zip(
            looked.keys, looked.land, shapely.is_valid(looked.land), strict=True
        )
        if not good
    ]
    outer = np.array([arc.left is None or arc.right is None for arc in arcs], dtype=bool)
    if outer.any():
        metres = _measure_apart_m(lines[outer], looked.context.land.outline)
        if metres > looked.context.rules.checks.outline_m.value:
            keys = tuple(
                sorted({arcs[i].left or arcs[i].right or "" for i in np.flatnonzero(outer)})
            )
            place = shapely.multilinestrings(lines[outer])
            faults.append(("outline", keys, place, {"metres": f"{metres:.4f}"}))
    return faults


def _from_cover(rule: str) -> Rule:
    def find_broken(looked: CheckScope) -> Iterable[Broken]:
        return [tuple(rest) for name, *rest in looked.cover if name == rule]

    return find_broken


def _several_parts(looked: CheckScope) -> Iterable[Broken]:
    for index in np.flatnonzero(shapely.get_num_geometries(looked.land) > 1).tolist():
        parts = shapely.get_parts(looked.land[index])
        smaller_parts = np.delete(parts, int(np.argmax(shapely.area(parts))))
        yield (looked.keys[index],), shapely.multipolygons(smaller_parts), {"n": len(parts)}


def _hole(looked: CheckScope) -> Iterable[Broken]:
    parts, owner = shapely.get_parts(looked.land, return_index=True)
    holes = shapely.get_num_interior_rings(parts)
    for index in np.unique(owner[holes > 0]).tolist():
        rings = [ring for part in parts[owner == index] for ring in part.interiors]
        place = shapely.multipolygons([shapely.Polygon(ring) for ring in rings])
        yield (looked.keys[index],), place, {"n": len(rings)}


def _outside_village(looked: CheckScope) -> Iterable[Broken]:
    context, above = looked.context, looked.draft.parents
    if not any(change.crosses for change in looked.draft.changes):
        return
    for key, face in zip(looked.keys, looked.land, strict=True):
        base = context.land.faces.get(key)
        if base is not None and shapely.equals_identical(base, face):
            continue
        village = context.land.villages.get(above[key])
        if village is None:
            continue
        beyond = shapely.difference(face, village)
        area = float(area_m2(beyond)[0]) if beyond.area * 1.3e10 > _CRUMB_M2 else 0.0
        if area > context.rules.checks.village_m2.value:
            yield (key,), beyond, {"area_m2": f"{area:,.0f}"}


_CRUMB_M2: Final = 0.01


def _building_cut(looked: CheckScope) -> Iterable[Broken]:
    context = looked.context
    if context.footprints is None or not len(context.footprints):
        return
    arcs = looked.draft.edges(looked.keys)
    lines = np.array([arc.line for arc in arcs], dtype=object)
    arc, building = context.footprints.query(lines, "crosses")
    cut: dict[tuple[str, ...], set[int]] = {}
    limit = context.rules.checks.building_cut_m2.value
    for arc_index, building_index in zip(arc.tolist(), building.tolist(), strict=True):
        sides = tuple(
            sorted(side for side in (arcs[arc_index].left, arcs[arc_index].right) if side)
        )
        footprint = context.footprints[building_index]
        faces = looked.draft.faces(sides)
        scale = float(np.prod(metres_per_degree(footprint.bounds[1])))
        parts = sorted(
            shapely.intersection(footprint, face).area * scale for face in faces.values()
        )
        cut_off_m2 = footprint.area * scale - parts[-1]
        if cut_off_m2 > limit:
            cut.setdefault(sides, set()).add(building_index)
    for sides, buildings in sorted(cut.items()):
        land = shapely.get_parts(context.footprints[sorted(buildings)])
        yield sides, shapely.multipolygons(land[:MOST_PLACES]), {"n": len(buildings)}


def _household_out(looked: CheckScope) -> Iterable[Broken]:
    loads = looked.context.loads
    if loads is None:
        return
    households, points = loads.households_outside(looked.context.out_before)
    if households:
        yield (), points, {"n": households}


def _size(looked: CheckScope) -> Iterable[Broken]:
    for key, load in looked.loads.items():
        if load.target is not None and not load.target[0] <= load.households <= load.target[1]:
            least, most = load.target
            values: dict[str, object] = {
                "households": load.households,
                "least": least,
                "most": most,
            }
            yield (key,), looked.faces[key], values


def _thin(looked: CheckScope) -> Iterable[Broken]:
    least = looked.context.rules.checks.thin_compactness.value
    values = measure_compactness(looked.land)
    for index in np.flatnonzero(values < least).tolist():
        filling: dict[str, object] = {"value": f"{values[index]:.2f}", "least": f"{least:g}"}
        yield (looked.keys[index],), looked.land[index], filling


def measure_compactness(faces: GeometryArray) -> FloatArray:
    """Measure how round pieces of land are."""
    middle = np.nan_to_num(shapely.bounds(faces)[:, [1, 3]].mean())
    scale = metres_per_degree(float(middle))
    flat = shapely.transform(faces, lambda xy: xy * scale)
    around = np.maximum(shapely.length(flat), 1e-9)
    return np.asarray(4 * np.pi * shapely.area(flat) / around**2)


def _not_along_streets(looked: CheckScope) -> Iterable[Broken]:
    context, limits = looked.context, looked.context.rules.checks
    if context.streets is None or not len(context.streets):
        return
    runs: dict[tuple[str, ...], list[Any]] = {}
    for arc in looked.draft.edges(looked.keys):
        if arc.drawn and arc.left is not None and arc.right is not None:
            runs.setdefault(tuple(sorted((arc.left, arc.right))), []).append(arc.line)
    for sides, lines in sorted(runs.items()):
        line = shapely.multilinestrings(lines)
        scale = metres_per_degree(line.bounds[1])
        flat = _scale(line, scale)
        length = float(flat.length)
        if length < limits.street_from_m.value:
            continue
        reach = limits.street_within_m.value
        box = shapely.box(*line.bounds).buffer(2 * reach / scale.min())
        near = context.streets[context.streets.query(np.array([box]))[1]]
        belt = shapely.buffer(_scale(near, scale), reach, quad_segs=3)
        free = shapely.difference(flat, shapely.union_all(belt))
        share = float(free.length) / length
        if share > 1 - limits.street_share.value:
            place = _scale(free, 1 / scale)
            yield sides, place, {"percent": round(100 * share)}


def _scale(geometry: Any, scale: FloatArray) -> Any:
    return shapely.transform(geometry, lambda xy: xy * scale)


def _no_officer(looked: CheckScope) -> Iterable[Broken]:
    officers = looked.context.officers
    if officers is not None:
        for key in looked.keys:
            if key not in officers:
                yield (key,), looked.faces[key], {}


RULES: Final[dict[str, Rule]] = {
    "gap": _from_cover("gap"),
    "overlap": _from_cover("overlap"),
    "outline": _from_cover("outline"),
    "invalid": _from_cover("invalid"),
    "level": _from_cover("level"),
    "outside_village": _outside_village,
    "several_parts": _several_parts,
    "hole": _hole,
    "building_cut": _building_cut,
    "household_out": _household_out,
    "size": _size,
    "thin": _thin,
    "not_along_streets": _not_along_streets,
    "no_officer": _no_officer,
}
"""What is looked at; a rule of a county's own is one more entry, with its sentence and severity."""
