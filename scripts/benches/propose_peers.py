"""Peers of the proposals: each parts a graph of atoms into districts in its own way.

They get what the search gets: households, who lies beside whom, metres of border, centres of the
atoms, how many districts and the rule. METIS and KaHIP are told how uneven districts may be, SKATER
how many there are, max-p how many households each must have, ReCom both.
"""

# ruff: noqa: PLC0415
# A peer is imported where it is asked, since it may be missing.

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import numpy.typing as npt

from gis_service.boundaries.proposals.graph import DistrictGraph, IntArray, Neighbours

ROOT: Final = Path(__file__).resolve().parents[2]
LOCK: Final = ROOT / "requirements-gerrychain.lock"
RECOM: Final = Path(__file__).with_name("propose_recom.py")
RECOM_STEPS: Final = 1000
RECOM_S: Final = 120
"""ReCom looks for its first partition as long as it finds none."""
MAX_P_TURNS: Final = 1
"""Constructions of max-p, of which one with its annealing takes about a minute already."""


@dataclass(frozen=True)
class Problem:
    """
    What every side is asked.

    Attributes
    ----------
    graph
        Households of the atoms; the cost of an edge is its metres.
    centre
        Of each atom, lon, lat, shape (n, 2).
    districts, low, high
        How many, and households of each.
    home
        Today's grid of each atom.
    """

    graph: DistrictGraph
    centre: npt.NDArray[np.float64]
    districts: int
    low: int
    high: int
    home: IntArray

    @cached_property
    def beside(self) -> Neighbours:
        """Neighbours in flat arrays, which METIS and KaHIP take."""
        return self.graph.csr()

    @cached_property
    def metres(self) -> IntArray:
        """Whole metres of each neighbour's border, at least 1."""
        return np.maximum(np.rint(self.beside.cost), 1).astype(np.int64)

    @property
    def slack(self) -> float:
        """How much above the mean a district may be, as a share of it."""
        return float(self.high * self.districts / self.graph.population.sum() - 1)


Peer = Callable[[Problem], IntArray]


def metis(problem: Problem) -> IntArray:
    """Part by METIS, each district in one piece."""
    import pymetis

    options = pymetis.Options(ufactor=max(int(1000 * problem.slack), 1), seed=0)
    _, owner = pymetis.part_graph(
        problem.districts,
        xadj=problem.beside.start.tolist(),
        adjncy=problem.beside.atom.tolist(),
        vweights=problem.graph.population.tolist(),
        eweights=problem.metres.tolist(),
        recursive=False,
        contiguous=True,
        options=options,
    )
    return np.array(owner, dtype=np.int64)


def kahip(problem: Problem) -> IntArray:
    """Part by KaHIP's program with connected blocks, in its strong configuration."""
    beside = problem.beside
    with tempfile.TemporaryDirectory() as folder:
        file, answer = Path(folder, "graph"), Path(folder, "answer")
        lines = [f"{problem.graph.atoms} {len(problem.graph.edges)} 11"]
        for atom, households in enumerate(problem.graph.population.tolist()):
            sides = slice(beside.start[atom], beside.start[atom + 1])
            pairs = zip(beside.atom[sides] + 1, problem.metres[sides], strict=True)
            lines.append(" ".join([str(households), *(f"{one} {cost}" for one, cost in pairs)]))
        file.write_text("\n".join(lines) + "\n", "ascii")
        subprocess.run(
            [
                _find_kaffpa(), str(file), f"--k={problem.districts}", "--preconfiguration=strong",
                f"--imbalance={100 * problem.slack:.2f}", "--connected_blocks", "--seed=0",
                f"--output_filename={answer}",
            ],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        return np.loadtxt(answer, dtype=np.int64)


def _find_kaffpa() -> str:
    wheel = distribution("kahip")
    return next(str(wheel.locate_file(f)) for f in wheel.files or () if f.match("bin/kaffpa"))


def _frame(problem: Problem) -> gpd.GeoDataFrame:
    points = gpd.points_from_xy(*problem.centre.T)
    values = {
        "x": problem.centre[:, 0], "y": problem.centre[:, 1],
        "households": problem.graph.population,
    }  # fmt: skip
    return gpd.GeoDataFrame(values, geometry=points, crs=4490)


def _weights(problem: Problem) -> Any:
    from libpysal.weights import W

    start, atom, _ = problem.beside
    return W({i: atom[start[i] : start[i + 1]].tolist() for i in range(problem.graph.atoms)})


def skater(problem: Problem) -> IntArray:
    """Part by spopt's SKATER on the atoms' places."""
    from spopt.region import Skater

    model = Skater(
        _frame(problem), _weights(problem), ["x", "y"], n_clusters=problem.districts, floor=1
    )
    model.solve()
    return np.unique(np.asarray(model.labels_), return_inverse=True)[1].astype(np.int64)


def max_p(problem: Problem) -> IntArray:
    """Part by spopt's max-p on the atoms' places, the least households as its threshold."""
    from spopt.region import MaxPHeuristic

    np.random.seed(0)  # noqa: NPY002 (max-p draws from it)
    model = MaxPHeuristic(
        _frame(problem), _weights(problem), ["x", "y"], "households", problem.low, top_n=2,
        max_iterations_construction=MAX_P_TURNS,
    )  # fmt: skip
    model.solve()
    return np.unique(np.asarray(model.labels_), return_inverse=True)[1].astype(np.int64)


class Recom:
    """
    GerryChain in an environment of its own, whose libraries differ from ours.

    Parameters
    ----------
    folder
        Where the environment is made.
    """

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=True)
        self._python = str(folder / "bin" / "python")
        subprocess.run(
            [self._python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--require-hashes", "--no-deps", "-r", str(LOCK)],
            check=True, stdout=sys.stderr,
        )  # fmt: skip

    def __call__(self, problem: Problem) -> IntArray:
        """Run the chain and give the best answer that it met."""
        asked = {
            "population": problem.graph.population.tolist(),
            "edges": problem.graph.edges.tolist(),
            "metres": problem.graph.cost.tolist(),
            "districts": problem.districts,
            "low": problem.low,
            "high": problem.high,
            "steps": RECOM_STEPS,
        }
        ran = subprocess.run(
            [self._python, "-W", "ignore", str(RECOM)],
            input=json.dumps(asked), capture_output=True, text=True, check=True, timeout=RECOM_S,
        )  # fmt: skip
        return np.array(json.loads(ran.stdout), dtype=np.int64)


def find_missing() -> list[str]:
    """Name the peers that are not installed here."""
    missing = []
    for name in ("pymetis", "kahip", "spopt"):
        try:
            distribution(name)
        except PackageNotFoundError:
            missing.append(name)
    return missing
