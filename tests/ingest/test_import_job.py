"""Files taken in by a worker: what the job says, what is kept, and what a killed worker leaves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gis_service import job_queries, jobs
from gis_service.access import SYSTEM, Actor
from gis_service.coordinate_systems import CoordinateSystem
from gis_service.errors import NotAllowedError, NotFoundError
from gis_service.ingest.importing import refusals_path, submit_import
from gis_service.ingest.kinds.kind import ImportOptions
from gis_service.store import Store
from gis_service.store import tables as t
from tests.support import SIDE, SOUTH, WEST, publish_nine

WGS84 = CoordinateSystem("wgs84")


@pytest.fixture(scope="module", autouse=True)
def county(store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        publish_nine(connection)


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    """A file as an upload lies there: without its own name."""
    x, y = WEST + SIDE / 2, SOUTH + SIDE / 2
    path = tmp_path / "0123456789abcdef"
    path.write_text(f"编号,类型,经度,纬度\nF1,消防站,{x},{y}\nF2,飞机场,{x},{y}\n", "utf-8")
    return path


def options(**more: Any) -> ImportOptions:
    return ImportOptions(crs=WGS84, original_name="设施.csv", **more)


def run(store: Store, path: Path, **more: Any) -> job_queries.JobState:
    """Submit and work until it has ended."""
    job_id = submit_import(store, SYSTEM, "facilities", path, options(**more))
    return jobs.wait_for(store, job_id)


def keys(store: Store) -> list[str]:
    with store.transaction(SYSTEM) as connection:
        return list(connection.execute(sa.select(t.facility.c.key)).scalars())


def result_of(state: job_queries.JobState) -> Mapping[str, Any]:
    assert state.status == "done", state.error
    assert state.result is not None
    return state.result


def test_a_preview_keeps_the_file_and_the_real_run_takes_it(store: Store, upload: Path) -> None:
    preview = result_of(run(store, upload, dry_run=True))
    assert (preview["new"], preview["refused_count"], preview["dry_run"]) == (1, 1, True)
    assert preview["file"] == "设施.csv"
    assert upload.is_file()
    assert keys(store) == []

    result = result_of(run(store, upload))
    assert (result["new"], result["import_id"] is not None) == (1, True)
    assert keys(store) == ["F1"]
    assert not upload.exists()
    back = refusals_path(upload).read_text("utf-8-sig")
    assert "飞机场" in back
    assert "消防站" not in back.splitlines()[1]
    (chinese,), (english,) = result["refused"], result["in_english"]["refused"]
    assert chinese["row"] == english["row"] == 3
    assert chinese["reason"] != english["reason"]


def test_a_file_that_cannot_be_taken_fails_with_its_reason(store: Store, upload: Path) -> None:
    upload.write_bytes(b"")
    state = run(store, upload)
    assert state.status == "failed"
    assert "设施.csv" in str(state.error_in("zh-CN"))
    assert state.error_in("zh-CN") != state.error_in("en")


def test_a_worker_that_dies_on_the_way_leaves_nothing_and_the_next_one_does_it(
    store: Store, upload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload.write_text(upload.read_text("utf-8").replace("F1", "F9"), "utf-8")
    job_id = submit_import(store, SYSTEM, "facilities", upload, options())

    def killed(*_: Any) -> None:
        raise SystemExit  # nobody writes down how it ended, as after kill -9

    with monkeypatch.context() as dying:
        dying.setattr("gis_service.ingest.importing.complete_job", killed)
        with pytest.raises(SystemExit):
            jobs.perform(store, job_id)
    with store.transaction(SYSTEM) as connection:
        assert job_queries.find_job(connection, job_id).status == "running"
    assert "F9" not in keys(store)
    jobs.perform(store, job_id)
    with store.transaction(SYSTEM) as connection:
        assert result_of(job_queries.find_job(connection, job_id))["new"] == 1
    assert "F9" in keys(store)


def test_who_may_not_import_submits_nothing(store: Store, upload: Path) -> None:
    with pytest.raises(NotAllowedError):
        submit_import(store, Actor(1, "", "", "analyst"), "facilities", upload, options())
    with pytest.raises(NotFoundError):
        submit_import(store, SYSTEM, "castles", upload, options())
    with pytest.raises(NotFoundError):
        submit_import(store, SYSTEM, "facilities", upload.with_name("gone"), options())


def test_options_survive_the_way_through_a_job() -> None:
    given = options(columns={"key": "编号"}, replace=True, extra={"a": "b"}, layer="x")
    assert ImportOptions.from_json(given.as_json()) == given
    assert ImportOptions.from_json(ImportOptions().as_json()) == ImportOptions()
