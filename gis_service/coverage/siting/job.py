"""The best next sites as a job: progress, cancel, and an answer that says when it is stale.

The answer is kept with the job, under the fingerprint of all that it stands on; the same question
on the same county is answered by the job that has answered it before.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from gis_service.access import Actor
from gis_service.coverage.areas.service import AreaService
from gis_service.coverage.county.queries import check_whole_county
from gis_service.coverage.measuring import fingerprints
from gis_service.coverage.siting.sites import SiteRequest, choose_kind, choose_sites
from gis_service.coverage.siting.what_if_answers import measure_county
from gis_service.coverage.standards.book import standard_book
from gis_service.job_queries import JobState, find_result
from gis_service.jobs import Progress, work
from gis_service.snapshot import Snapshot
from gis_service.store import Store

KIND: Final = "coverage_sites"
_READ: Final = 0.3


@dataclass(frozen=True)
class AnsweredSites:
    """
    What an answer stands on, as a run tells it.

    Attributes
    ----------
    inputs
        ``digests`` by part, and the ``counts`` of changes then.
    """

    standard: str
    scenario: str
    kinds: tuple[str, ...]
    inputs: Mapping[str, Any]

    @classmethod
    def from_job(cls, state: JobState) -> "AnsweredSites":
        """
        Read it from a job that is done.

        Parameters
        ----------
        state
            Of the kind :data:`KIND`.

        Returns
        -------
        AnsweredSites
            For :func:`gis_service.coverage.runs.staleness.find_stale_parts`.
        """
        result = state.result or {}
        return cls(result["standard"], result["scenario"], tuple(result["kinds"]), result["inputs"])


def read_request(arguments: Mapping[str, Any]) -> tuple[str, str, SiteRequest]:
    """
    Read what a job was asked.

    Parameters
    ----------
    arguments
        ``standard``, and of ``scenario`` and the attributes of a request what is not usual.

    Returns
    -------
    standard, scenario, request
        The request's kind is one of the standard's.

    Raises
    ------
    NotFoundError
        There is no such standard or scenario.
    InputError
        The standard has no such kind.
    """
    book = standard_book()
    standard, scenario = str(arguments["standard"]), str(arguments.get("scenario", "normal"))
    book.scenario(scenario)
    given = {name: arguments[name] for name in asdict(SiteRequest()) if name in arguments}
    given["places"] = tuple((float(lon), float(lat)) for lon, lat in given.get("places", ()))
    request = SiteRequest(**given)
    choose_kind(book.standard(standard), request)
    return standard, scenario, request


@work(KIND)
def sites_as_job(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """
    Do what a job of the kind ``coverage_sites`` asks for.

    Parameters
    ----------
    store
        Where the county is.
    actor
        Must see every household of the county.
    arguments
        As :func:`read_request` reads them.
    progress
        Told the share done and the step.

    Returns
    -------
    dict
        JSON: the sites with their names, the figures before and after, the proven gap, and what
        it stands on: ``fingerprint``, ``inputs``, ``standard``, ``scenario``, ``wish``.
    """
    check_whole_county(actor)
    standard, scenario, request = read_request(arguments)
    progress(0.0, "coverage.step_reading")
    snapshot = Snapshot()
    with store.transaction(actor) as connection:
        measured = measure_county(snapshot, connection, actor, standard, scenario)
        prepared, inputs = measured.prepared, measured.inputs
        question = fingerprints.digest_settings(asdict(request))
        fingerprint = fingerprints.digest_settings(
            {"county": fingerprints.combine_digests(inputs["digests"]), "wish": question}
        )
        answered = find_result(connection, KIND, fingerprint)
    if answered is not None:
        return dict(answered)
    progress(_READ, "coverage.step_candidates")
    best = choose_sites(
        prepared, request, lambda share, step: progress(_READ + (1 - _READ) * share, step)
    )
    places = [(site.lon, site.lat) for site in best.sites]
    with store.transaction(actor) as connection:
        names = AreaService(snapshot).read_names_at(connection, places)
    answer = asdict(best)
    answer["sites"] = [
        {**site, "name": name} for site, name in zip(answer["sites"], names, strict=True)
    ]
    return {
        **answer,
        "standard": standard,
        "scenario": scenario,
        "kinds": list(prepared.standard.kinds),
        "wish": asdict(request),
        "fingerprint": fingerprint,
        "inputs": inputs,
    }
