"""``gis-service propose graph``: answers to graphs from a file, and what is said of bad ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from gis_service.boundaries.proposals.graph_file import GraphTask, read_graph_file
from gis_service.boundaries.proposals.search import partition
from gis_service.commands.proposals import propose_app
from gis_service.errors import InputError, NotFoundError

RING = {"k": 2, "low": 3, "high": 3, "population": [1] * 6,
        "edges": [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [5, 0]]}  # fmt: skip


def ask(path: Path, content: Any, *options: str) -> Result:
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    arguments = ["graph", str(path), "--effort", "0.02", *options]
    return CliRunner().invoke(propose_app, arguments, env={"GIS_LANGUAGE": "en"})


def test_every_graph_of_a_file_is_answered_and_checked(tmp_path: Path) -> None:
    told = ask(
        tmp_path / "two.json", {"ring": {**RING, "fewest_cut_edges": 2}, "row": RING}, "--json"
    )
    assert told.exit_code == 0
    ring, row = json.loads(told.stdout)
    assert (ring["name"], ring["k"], ring["cut_edges"], ring["proven"]) == ("ring", 2, 2, 2)
    assert (row["name"], row["proven"], row["problem"]) == ("row", None, None)
    assert ring["feasible"]
    assert ring["contiguous"]
    assert ring["populations"] == [3, 3]
    assert sorted(ring["owner"]) == [0, 0, 0, 1, 1, 1]
    assert ring["seconds"] >= 0


def test_a_graph_alone_has_the_name_of_its_file_and_a_table_is_for_people(tmp_path: Path) -> None:
    told = ask(tmp_path / "lonely.json", RING)
    assert told.exit_code == 0
    assert told.stdout.startswith("lonely")
    assert "cut edges    2" in told.stdout


def test_a_file_as_windows_writes_it_is_read(tmp_path: Path) -> None:
    told = ask(tmp_path / "ring.json", f"\N{BOM}{json.dumps(RING)}", "--json")
    assert told.exit_code == 0
    assert json.loads(told.stdout)[0]["feasible"]


def test_the_same_seed_prints_the_same_answer(tmp_path: Path) -> None:
    wide = {**RING, "low": 1, "high": 5}
    owners = [
        json.loads(ask(tmp_path / "a.json", wide, "--json", "--seed", seed).stdout)[0]["owner"]
        for seed in ("4", "4")
    ]
    assert owners[0] == owners[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"low": 4, "high": 4}, "No answer can be inside: 2 districts of 4 to 4"),
        ({"population": [4, 0, 0, 0, 1, 1]}, "population[0] alone is 4"),
        ({"population": [2] * 3 + [0] * 3}, "No answer inside 3 to 3 was found"),
    ],
)
def test_where_nothing_is_inside_the_best_is_printed_and_said(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    told = ask(tmp_path / "bad.json", {"tight": {**RING, **change}}, "--json")
    assert told.exit_code == 1
    [answer] = json.loads(told.stdout)
    assert said in answer["problem"]
    assert f"tight: {answer['problem']}" in told.stderr
    assert not answer["feasible"]
    assert answer["contiguous"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"k": None}, "k must be a whole number from 1"),
        ({"k": 0}, "k must be a whole number from 1"),
        ({"k": 7}, "k is 7, but 6 atoms"),
        ({"low": 5, "high": 3}, "low is 5 and above high, which is 3"),
        ({"high": "3"}, "high must be a whole number from 0"),
        ({"population": [1, 1, 1, 1, 1, 1.5]}, "population[5]"),
        ({"population": [1, 1, 1, 1, 1, -1]}, "population[5]"),
        ({"population": {}}, "population must be a list"),
        ({"population": []}, "population must be a list"),
        ({"edges": [[0, 6]]}, "edges[0] names an atom that is not there"),
        ({"edges": [[0, 1], [2]]}, "edges[1] is not a pair"),
        ({"edges": 5}, "edges must be a list"),
        ({"edges": [[0, 1], [2, 3], [4, 5]]}, "edges leave the graph in 3 parts"),
        ({"fewest_cut_edges": -1}, "fewest_cut_edges must be"),
    ],
)
def test_a_bad_graph_gets_its_sentence_and_the_others_their_answer(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    told = ask(tmp_path / "mixed.json", {"odd": {**RING, **change}, "good": RING}, "--json")
    assert told.exit_code == 2
    bad, good = json.loads(told.stdout)
    assert said in bad["problem"]
    assert bad["name"] == "odd"
    assert told.stderr.startswith("odd: ")
    assert good["feasible"]


@pytest.mark.parametrize("field", ["k", "low", "high", "population", "edges"])
def test_a_missing_field_is_named(tmp_path: Path, field: str) -> None:
    graph = {name: value for name, value in RING.items() if name != field}
    told = ask(tmp_path / "missing.json", {"short": graph})
    assert told.exit_code == 2
    assert told.stderr == f"short: The field {field} is missing.\n"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "5", "[" * 100_000, '"edges"'])
def test_a_file_without_graphs_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "none.json"
    file.write_text(content, "utf-8")
    with pytest.raises(InputError, match=r"none\.json"):
        read_graph_file(file)
    with pytest.raises(NotFoundError):
        read_graph_file(tmp_path / "nowhere.json")


def test_real_graphs_are_parted_with_the_proven_fewest_cut_edges(real_data: Path) -> None:
    file = real_data / "reference/districting/cut_edges_proven.json"
    if not file.exists():
        pytest.skip("the graphs are not here")
    more = 0
    for task in read_graph_file(file).values():
        assert isinstance(task, GraphTask)
        assert task.proven is not None
        owner = partition(task.graph, task.districts, task.low, task.high, effort=0.4)
        people = np.bincount(owner, weights=task.graph.population)
        assert task.low <= people.min()
        assert people.max() <= task.high
        assert int(task.graph.pieces(owner).max()) + 1 == task.districts
        more += task.graph.cut_cost(owner) > task.proven
    assert more <= 2
