"""Coverage runs: a standard measured for the whole county, stored whole or not at all.

Puts reading, measuring, counting and writing together; what other rooms ask of runs stands here
by name.
"""

from collections.abc import Mapping
from typing import Any

from gis_service import __version__
from gis_service.access import SYSTEM, Actor, record
from gis_service.coverage.areas.service import AreaService, find_area_folder
from gis_service.coverage.county import parts as kept
from gis_service.coverage.county.queries import (
    check_whole_county,
    read_stations,
)
from gis_service.coverage.measuring import fingerprints
from gis_service.coverage.measuring.measurement import measure_standard, prepare_setup
from gis_service.coverage.measuring.notes import check_same_region, find_notes, make_outside_note
from gis_service.coverage.measuring.statistics import HOUSEHOLDS, count_figures
from gis_service.coverage.measuring.summary import Figures, count_inside, summarise
from gis_service.coverage.runs import staleness
from gis_service.coverage.runs.households import (
    ServingStation,
    Unreached,
    find_blind_spots,
    list_serving_stations,
    list_unreached,
    read_household,
)
from gis_service.coverage.runs.reading import (
    GridFigures,
    Run,
    find_grid_rank,
    find_latest_run,
    find_run,
    list_runs,
    read_county_figures,
    read_figures_by_grid,
    read_grid_figures,
    read_named_figures,
)
from gis_service.coverage.runs.writing import write_run
from gis_service.coverage.standards.book import StandardBook, collect_parameters, standard_book
from gis_service.coverage.travel.travel_time import STATUS_NAMES
from gis_service.errors import InputError, Place
from gis_service.jobs import Progress, complete_job, work
from gis_service.snapshot import Snapshot
from gis_service.store import Store

__all__ = [
    "Figures",
    "GridFigures",
    "Run",
    "ServingStation",
    "Unreached",
    "collect_parameters",
    "find_blind_spots",
    "find_grid_rank",
    "find_latest_run",
    "find_run",
    "list_runs",
    "list_serving_stations",
    "list_unreached",
    "measure",
    "measure_as_job",
    "read_county_figures",
    "read_figures_by_grid",
    "read_grid_figures",
    "read_household",
    "read_named_figures",
    "summarise",
]


def measure(
    store: Store,
    actor: Actor,
    standard_code: str,
    scenario: str = "normal",
    progress: Progress = lambda _share, _step: None,
    *,
    book: StandardBook | None = None,
    job_id: int | None = None,
    snapshot: Snapshot | None = None,
) -> dict[str, Any]:
    """
    Measure one standard for every household and store the run.

    Reading, measuring and writing are one transaction: a run is there whole or not at all.

    Parameters
    ----------
    store
        Where the county is.
    actor
        Must see every household of the county.
    standard_code
        Such as ``fire-20``.
    scenario
        Such as ``normal`` or ``emergency_privilege``.
    progress
        Told the share done, 0 to 1, and the message key of the step.
    book
        The standards; without it those in force.
    job_id
        The job that does it, if one does.
    snapshot
        Keeps what is read, for what follows; without it nothing stays.

    Returns
    -------
    dict
        ``run_id``, ``standard``, ``scenario``, ``fingerprint`` and the summary of the run, with
        ``notes`` on what is wrong with its input (:mod:`gis_service.coverage.measuring.notes`).

    Raises
    ------
    NotFoundError
        There is no such standard or scenario.
    NotAllowedError
        The actor sees a part of the county only.
    ConflictError
        No boundaries are in force today.
    InputError
        The roads are those of another region, or read in another coordinate system.
    """
    book, snapshot = book or standard_book(), snapshot or Snapshot()
    standard, circumstances = book.standard(standard_code), book.scenario(scenario)
    check_whole_county(actor)
    parameters = collect_parameters(book, standard_code, scenario)
    with store.transaction(actor) as connection:
        progress(0.0, "coverage.step_reading")
        changes = staleness.read_change_counts(connection)
        roads = kept.get_roads(snapshot, connection)
        network = roads.network
        county = kept.get_county(snapshot, connection)
        places = county.places
        progress(0.2, "coverage.step_snapping")
        setup = prepare_setup(network, book, standard, circumstances, places.lon, places.lat)
        check_same_region(setup, places.lon, places.lat)
        measured = measure_standard(
            setup,
            book,
            standard,
            county.facilities,
            progress=lambda share, step: progress(0.4 + 0.2 * share, step),
        )
        progress(0.6, "coverage.step_counting")
        table = count_figures(
            county.hierarchy, places.base_grid, measured.list_outcomes(), places.weights
        )
        stations = read_stations(connection, standard.kinds)
        households = places.weights[HOUSEHOLDS]
        notes = find_notes(setup, measured, county.facilities, stations, households, book.place)
        summary = {**summarise(table, measured), "notes": notes}
        inside = count_inside(table)
        if inside is not None:
            summary |= {
                "inside": inside,
                "notes": [*notes, make_outside_note(summary["n"], inside)],
            }
        digests = fingerprints.digest_inputs(
            __version__, parameters, roads.digest, county.facilities, standard.kinds, county.inputs
        )
        progress(0.7, "coverage.step_writing")
        run = {
            "standard": standard_code,
            "scenario": scenario,
            "network_id": roads.network_id,
            "version_id": county.version_id,
            "kinds": list(standard.kinds),
            "parameters": parameters,
            "fingerprint": fingerprints.combine_digests(digests),
            "inputs": {"digests": digests, "counts": changes},
            "software_version": __version__,
            "summary": summary,
            "actor_id": actor.actor_id,
            "job_id": job_id,
        }
        run_id = write_run(connection, run, county, measured, table)
        counts = {name: summary[name] for name in ("n", *STATUS_NAMES, "status")}
        record(
            connection,
            actor,
            "run",
            "coverage_run",
            run_id,
            after={"standard": standard_code, "scenario": scenario, **counts},
        )
        progress(1.0, "coverage.step_writing")
        named = {key: run[key] for key in ("standard", "scenario", "fingerprint")}
        result = {"run_id": run_id, **named, **summary}
        if job_id is not None:  # the run stands if and only if its job is done
            complete_job(connection, job_id, result)
    return result


@work("coverage_run")
def measure_as_job(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """
    Do what a job of the kind ``coverage_run`` asks for.

    Parameters
    ----------
    store
        Where the county is.
    actor
        Who asked.
    arguments
        ``standard``, ``scenario`` where it is not ``normal``, and the job's own ``job_id``.
    progress
        Told the share done and the step.

    Returns
    -------
    dict
        As :func:`measure` gives it.

    Raises
    ------
    InputError
        An argument is missing or no text.
    """
    given = {"scenario": "normal", **arguments}
    for name in ("standard", "scenario"):
        if not isinstance(given.get(name), str):
            raise InputError("coverage.argument_missing", place=Place(field=name), argument=name)
    standard, scenario = given["standard"], given["scenario"]
    snapshot = Snapshot()
    result = measure(
        store, actor, standard, scenario, progress, job_id=given.get("job_id"), snapshot=snapshot
    )
    # The run is there already; its bands are drawn so that the first look need not wait.
    with store.transaction(SYSTEM) as connection:
        AreaService(snapshot, find_area_folder()).prepare(connection, standard, scenario)
    return result
