"""``gis-service propose graph``: a graph from a file parted into districts."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gis_service.commands.terminal import language, say
from gis_service.errors import InputError
from gis_service.messages import text

if TYPE_CHECKING:
    from gis_service.boundaries.proposals.graph_file import GraphTask

propose_app = typer.Typer(help="Proposals for districts.", no_args_is_help=True)


@propose_app.callback()
def propose() -> None:
    """Proposals for districts."""


@dataclass(frozen=True)
class GraphAnswer:
    """An answer to one graph of a file, with what was checked of it."""

    name: str
    k: int
    cut_edges: int
    # The fewest that any answer cuts, where the file says so.
    proven: int | None
    feasible: bool
    contiguous: bool
    populations: list[int]
    # The district of each atom, from 0.
    owner: list[int]
    seconds: float


@propose_app.command("graph")
def propose_graph(
    file: Annotated[
        Path,
        typer.Argument(help="JSON: k, low, high, population and edges, of one graph or by name."),
    ],
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same answer.")] = 0,
    effort: Annotated[
        float, typer.Option(min=0.01, max=100, help="How long to search; 1 is some seconds.")
    ] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answers as JSON.")] = False,
) -> None:
    """Part graphs into districts of the wanted population with the fewest edges cut."""
    from gis_service.boundaries.proposals.compiling import compile_all
    from gis_service.boundaries.proposals.graph_file import read_graph_file

    tasks = read_graph_file(file)
    compile_all()  # some seconds once a machine, which are not those of the first graph
    rows: list[dict[str, object]] = []
    code = 0
    problem: str | None
    for name, task in tasks.items():
        try:
            if isinstance(task, InputError):
                raise task
            answer = _answer(task, seed, effort)
        except InputError as error:
            problem, code = error.say(language()), InputError.exit_code
            rows.append({"name": name, "problem": problem})
        else:
            problem = None if answer.feasible else _describe_outside(task, answer)
            rows.append({**asdict(answer), "problem": problem})
            if not as_json:
                _print_row(answer)
        if problem:
            say(f"{name}: {problem}")
            code = code or 1
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
    raise typer.Exit(code)


def _answer(task: "GraphTask", seed: int, effort: float) -> GraphAnswer:
    import numpy as np

    from gis_service.boundaries.proposals.search import partition

    began = time.perf_counter()
    owner = partition(task.graph, task.districts, task.low, task.high, seed=seed, effort=effort)
    seconds = time.perf_counter() - began
    people = np.bincount(owner, weights=task.graph.population, minlength=task.districts)
    return GraphAnswer(
        task.name, task.districts, round(task.graph.cut_cost(owner)), task.proven,
        bool(((task.low <= people) & (people <= task.high)).all()),
        int(task.graph.pieces(owner).max()) + 1 == len(np.unique(owner)) == task.districts,
        [int(one) for one in people], owner.tolist(), round(seconds, 3),
    )  # fmt: skip


def _describe_outside(task: "GraphTask", answer: GraphAnswer) -> str:
    """Say why no answer can be inside the bounds, or that none was found."""
    whole, heaviest = int(task.graph.population.sum()), int(task.graph.population.max())
    values = {"low": task.low, "high": task.high, "k": task.districts}
    if not task.low * task.districts <= whole <= task.high * task.districts:
        return text("districts.total_outside", language(), population=whole, **values)
    if heaviest > task.high:
        atom = int(task.graph.population.argmax())
        return text("districts.atom_too_large", language(), atom=atom, people=heaviest, **values)
    outside = sum(max(task.low - one, one - task.high, 0) for one in answer.populations)
    return text("districts.none_found", language(), outside=outside, **values)


def _print_row(answer: GraphAnswer) -> None:
    proven = "" if answer.proven is None else f" (proven fewest {answer.proven})"
    inside = "inside" if answer.feasible else "NOT inside"
    whole = "in one piece each" if answer.contiguous else "NOT in one piece each"
    people = " ".join(str(one) for one in answer.populations)
    print(
        f"{answer.name:<16} k {answer.k:>2}  cut edges {answer.cut_edges:>4}{proven}  "
        f"{inside}, {whole}  {answer.seconds:.2f} s  {people}"
    )
