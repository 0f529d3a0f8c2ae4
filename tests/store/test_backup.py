"""The documented backup, restored as documented into another cluster, has all that matters."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.incidents import photos
from gis_service.incidents.watching import read_changes_since, read_present_mark
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.cluster import DATABASE, Cluster
from gis_service.store.engine import libpq_address
from gis_service.store.migrate import upgrade
from tests.conftest import ROOT

REGION = "gis_region_0123456789ab"
PICTURE = photos.CleanPhoto("ab" * 32, b"picture", 1, 1)
STEPS = 1200


def documented() -> list[str]:
    """The shell of the operator's page: how to back up, how to restore."""
    text = (ROOT / "docs/operator.md").read_text("utf-8")
    part = text[text.index("**Back up**") : text.index("**What goes by itself.**")]
    return re.findall(r"```sh\n(.*?)```", part, re.DOTALL)


def run(script: str, folder: Path) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture
def clusters(short_dir: Path) -> Iterator[tuple[Path, Cluster, Path, Cluster]]:
    """Two machines: one that has done a lot, and a fresh one."""
    found: list[Path | Cluster] = []
    for name in ("a", "b"):
        folder = short_dir / name
        (folder / "var").mkdir(parents=True)
        for one in (folder, folder / "var"):
            one.chmod(0o755)
        found += [folder, Cluster(folder / "var", durable=False)]
    first, old, second, new = found
    assert isinstance(old, Cluster)
    assert isinstance(new, Cluster)
    assert isinstance(first, Path)
    assert isinstance(second, Path)
    with old, new:
        upgrade(old.url("gis_admin", DATABASE))
        upgrade(new.url("gis_admin", DATABASE))
        yield first, old, second, new


def facilities(cluster: Cluster, database: str) -> list[str]:
    with (
        closing(Store(cluster.url("gis_service", database))) as store,
        store.transaction(SYSTEM) as connection,
    ):
        return list(connection.execute(sa.select(t.facility.c.name)).scalars())


def test_a_backup_is_restored_into_another_cluster_as_documented(
    clusters: tuple[Path, Cluster, Path, Cluster],
) -> None:
    backup, restore = documented()
    first, old, second, new = clusters
    old.ensure_database(REGION)
    upgrade(old.url("gis_admin", REGION))
    for database in (DATABASE, REGION):
        with (
            closing(Store(old.url("gis_service", database))) as store,
            store.transaction(SYSTEM) as connection,
        ):
            connection.execute(
                sa.insert(t.facility).values(
                    key="f", kind="clinic", name=f"卫生室 {database}",
                    point=sa.func.ST_SetSRID(sa.func.ST_MakePoint(112.9, 28.7), 4490),
                )
            )  # fmt: skip
    with closing(psycopg2.connect(libpq_address(old.url("gis_admin")))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(
                "DO $$ BEGIN FOR i IN 1..5000 LOOP PERFORM pg_current_xact_id(); COMMIT;"
                " END LOOP; END $$"
            )
    step = {
        "incident_id": 1, "actor_id": 1, "actor_role": "county_office", "move": "note",
        "to_state": "accepted", "tier": "village",
    }  # fmt: skip
    with closing(Store(old.url("gis_service", DATABASE))) as store:
        with store.transaction(SYSTEM) as connection:
            steps = [{**step, "seq": seq} for seq in range(1, STEPS + 1)]
            connection.execute(sa.insert(t.incident_step), steps)
        with store.transaction(SYSTEM) as connection:
            before = read_present_mark(connection)
    photos.save_photo(first / "var/photos", PICTURE)

    run(backup, first)
    (first / "backup").rename(second / "backup")
    run(restore, second)

    for database in (DATABASE, REGION):
        assert facilities(new, database) == [f"卫生室 {database}"]
    assert photos.read_photo(second / "var/photos", PICTURE.sha256) == PICTURE.body
    with closing(Store(new.url("gis_service", DATABASE))) as store:
        with store.transaction(SYSTEM) as connection:
            fresh = read_present_mark(connection)
        assert fresh.step_id == before.step_id
        assert fresh.xmin < before.xmin, "the new cluster has done less than the old one"
        with store.transaction(SYSTEM) as connection:
            connection.execute(sa.insert(t.incident_step).values(**step, seq=STEPS + 1))
        for mark in (fresh, before):
            with store.transaction(SYSTEM) as connection:
                changes, _, too_many = read_changes_since(connection, mark)
            assert [one.seq for one in changes] == [STEPS + 1]
            assert not too_many
