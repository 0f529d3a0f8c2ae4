"""The best next sites as a job: told of, stopped, answered once, stale when the county changes."""

from typing import Any

import pytest
import sqlalchemy as sa

from gis_service import job_queries, jobs
from gis_service.access import SYSTEM
from gis_service.coverage.runs.staleness import find_stale_parts
from gis_service.coverage.siting import job as sites_job
from gis_service.coverage.siting.sites import choose_sites
from gis_service.coverage.standards.book import standard_book
from gis_service.messages import LANGUAGES, text
from gis_service.snapshot import Snapshot
from gis_service.store import Store
from gis_service.store import tables as t
from tests.coverage.drawn_county import EAST_OFFICER
from tests.coverage.drawn_roads import at_m

WISH = {"standard": "fire-20", "add": 1, "candidates": "places", "places": [at_m(20_000, 0)]}


def asked(store: Store, **more: Any) -> int:
    return jobs.submit(store, SYSTEM, sites_job.KIND, {**WISH, **more})


def state(store: Store, job_id: int) -> job_queries.JobState:
    with store.transaction(SYSTEM) as connection:
        return job_queries.find_job(connection, job_id)


def because(store: Store, job: job_queries.JobState) -> tuple[str, ...]:
    with store.transaction(SYSTEM) as connection:
        answered = sites_job.AnsweredSites.from_job(job)
        return find_stale_parts(Snapshot(), connection, answered, standard_book())


def test_the_answer_is_kept_and_says_when_it_is_stale(county: Store) -> None:
    job_id = asked(county)
    jobs.perform(county, job_id)
    done = state(county, job_id)
    assert done.status == "done"
    assert done.result is not None
    (site,) = done.result["sites"]
    assert site["gain_households"] == 1  # the house at 19.5 km
    assert site["name"]
    assert because(county, done) == ()
    with county.transaction(SYSTEM) as connection:
        moved = sa.func.ST_Translate(t.facility.c.point, 0.01, 0)
        connection.execute(sa.update(t.facility).values(point=moved))
    assert because(county, done) == ("facilities",)


def test_the_same_question_is_answered_once(county: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = asked(county)
    jobs.perform(county, first)
    monkeypatch.setattr(sites_job, "choose_sites", _fail)
    again = asked(county)
    jobs.perform(county, again)
    assert state(county, again).result == state(county, first).result
    other = asked(county, problem="p_centre")
    with pytest.raises(AssertionError):
        jobs.perform(county, other)


def _fail(*_given: object) -> None:
    raise AssertionError


def test_progress_rises_in_steps_that_have_a_text(county: Store) -> None:
    steps: list[tuple[float, str]] = []
    wish = {**WISH, "problem": "p_median"}
    sites_job.sites_as_job(county, SYSTEM, wish, lambda share, step: steps.append((share, step)))
    shares = [share for share, _ in steps]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= 1
    assert len({step for _, step in steps}) >= 3
    for _, step in steps:
        assert all(text(step, language) != step for language in LANGUAGES)


def test_a_cancelled_search_leaves_nothing(county: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = asked(county)

    def choose_and_be_cancelled(*given: Any) -> Any:
        sites = choose_sites(*given)
        jobs.cancel(county, SYSTEM, job_id)
        return sites

    monkeypatch.setattr(sites_job, "choose_sites", choose_and_be_cancelled)
    jobs.perform(county, job_id)
    assert (state(county, job_id).status, state(county, job_id).result) == ("cancelled", None)


def test_a_search_whose_worker_died_is_done_by_the_next_one(
    county: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = asked(county)
    monkeypatch.setattr(sites_job, "choose_sites", _die)
    with pytest.raises(KeyboardInterrupt):
        jobs.perform(county, job_id)
    monkeypatch.undo()
    assert state(county, job_id).status == "running"
    jobs.perform(county, job_id)
    assert state(county, job_id).status == "done"


def _die(*_given: object) -> None:
    raise KeyboardInterrupt


def test_what_cannot_be_is_said_by_the_job(county: Store) -> None:
    job_id = asked(county, places=[at_m(0, 90_000)])
    jobs.perform(county, job_id)
    failed = state(county, job_id)
    assert failed.status == "failed"
    assert failed.error_in("en") == text("coverage.sites_no_candidates", "en")


def test_who_sees_a_part_gets_no_sites(county: Store) -> None:
    with pytest.raises(Exception, match="whole county"):
        sites_job.sites_as_job(county, EAST_OFFICER, WISH, lambda _share, _step: None)
