"""What an answer costs, beside the same figures of today.

Households and people that lie in another grid, grids with other land, who gains and who loses,
buildings that a border cuts, borders and how many of the new ones follow streets, grids inside the
rule, and how round they are. Costs of several villages add up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.boundaries.editing.checks import measure_compactness
from gis_service.boundaries.editing.rules import redraw_rules
from gis_service.boundaries.linework.noding import metres_per_degree
from gis_service.boundaries.linework.packed_shapes import PackedShapes
from gis_service.boundaries.proposals.blocks import Blocks
from gis_service.boundaries.proposals.task import NO_LIMIT, Answer, ProposalTask, count

IntArray = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Costs:
    """
    What an answer costs, as sums.

    Attributes
    ----------
    grids_changed
        Grids with other land than today, new ones and those given up among them.
    households_moved, people_moved
        That lie in another grid than today.
    buildings_cut
        Buildings that a border of the asked grids cuts, as the checks have it.
    border_m, new_border_m, new_street_m
        Metres of border among the asked grids; of it where none is today; of that along streets,
        footpaths and banks.
    inside, of
        Grids inside the rule, of those that have one.
    roundness, grids
        Sum over the grids of 4π · area / outline², 1 for a circle, and how many grids.
    """

    grids_changed: int = 0
    households_moved: int = 0
    people_moved: int = 0
    buildings_cut: int = 0
    border_m: float = 0.0
    new_border_m: float = 0.0
    new_street_m: float = 0.0
    inside: int = 0
    of: int = 0
    roundness: float = 0.0
    grids: int = 0

    @property
    def along_streets(self) -> float | None:
        """Share of the new borders' length that follows streets; None without new borders."""
        return self.new_street_m / self.new_border_m if self.new_border_m else None

    @property
    def compactness(self) -> float:
        """Mean roundness of the grids."""
        return self.roundness / max(self.grids, 1)


def add_up(costs: Iterable[Costs]) -> Costs:
    """
    Add up the costs of several villages.

    Parameters
    ----------
    costs
        Of answers in different villages.

    Returns
    -------
    Costs
        Of all of them together.
    """
    rows = list(costs)
    return Costs(**{one.name: sum(getattr(row, one.name) for row in rows) for one in fields(Costs)})


def measure_costs(
    task: ProposalTask,
    blocks: Blocks,
    answer: Answer,
    faces: Mapping[int, Any],
    footprints: PackedShapes,
) -> Costs:
    """Measure an answer."""
    first, second = task.graph.edges.T
    is_border = answer.owner[first] != answer.owner[second]
    is_new = is_border & (task.home[first] == task.home[second])
    metres = blocks.on_street_m + blocks.off_street_m
    moved = answer.owner != task.home
    changed, held = answer.changed(task), answer.held(task)
    has_rule = held & (answer.limits(task)[1] < NO_LIMIT)
    land = np.array([faces[label] for label in np.flatnonzero(held).tolist()], dtype=object)
    return Costs(
        int(changed.sum()),
        answer.moved(task),
        round(float(blocks.people[moved].sum())),
        count_cut_buildings(land, footprints),
        float(metres[is_border].sum()),
        float(metres[is_new].sum()),
        float(blocks.on_street_m[is_new].sum()),
        int((answer.inside(task) & has_rule).sum()),
        int(has_rule.sum()),
        float(measure_compactness(land).sum()),
        len(land),
    )


def count_gains_and_losses(task: ProposalTask, answer: Answer) -> tuple[IntArray, IntArray]:
    """Count the households that each grid gains and loses."""
    moved, size = answer.owner != task.home, answer.labels(task)
    population = task.graph.population[moved]
    return count(answer.owner[moved], population, size), count(task.home[moved], population, size)


def count_cut_buildings(land: npt.NDArray[np.object_], footprints: PackedShapes) -> int:
    """Count the buildings of which a border of some land cuts off more than the checks allow."""
    if not len(footprints) or not len(land):
        return 0
    face, building = footprints.query(shapely.boundary(land), "crosses")
    shapes = footprints[building]
    scale = metres_per_degree(float(shapely.bounds(land)[:, [1, 3]].mean())).prod()
    inside_m2 = shapely.area(shapely.intersection(shapes, land[face])) * scale
    cut_off_m2 = np.minimum(inside_m2, shapely.area(shapes) * scale - inside_m2)
    return len(np.unique(building[cut_off_m2 > redraw_rules().checks.building_cut_m2.value]))
