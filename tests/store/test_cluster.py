"""The private cluster: shared by several processes, and unharmed when any of them is killed."""

import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import psycopg2.extras
import pytest
import sqlalchemy as sa

from gis_service.errors import SetupError, StoreError
from gis_service.settings import store_settings
from gis_service.store import cluster as module
from gis_service.store import find_database, open_store
from gis_service.store.account import Account, find_server_account, run_as
from gis_service.store.cluster import (
    Binaries,
    Cluster,
    choose_cluster_home,
    find_binaries,
    find_installed,
)
from gis_service.store.engine import libpq_address

HOLD = """
import sys, time
from pathlib import Path
from gis_service.store.cluster import Cluster
with Cluster(Path(sys.argv[1]), durable=False) as cluster:
    print(cluster.find_postmaster(), flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def cluster(module_dir: Path) -> Cluster:
    return Cluster(module_dir, durable=False)


def ask(cluster: Cluster, question: str, role: module.Role = "gis_admin") -> object:
    with (
        closing(psycopg2.connect(libpq_address(cluster.url(role)))) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(question)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


class OtherUser:
    """Another process that uses the cluster."""

    def __init__(self, data_dir: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.postmaster = int(self.process.stdout.readline())

    def leave(self) -> None:
        self.process.communicate("\n", timeout=60)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def test_a_new_cluster_has_postgis_and_two_roles_one_of_which_owns_nothing(
    cluster: Cluster,
) -> None:
    with cluster:
        assert str(ask(cluster, "SELECT postgis_lib_version()", "gis_service")) >= "3.1"
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'gis'"
        assert ask(cluster, owner) == "gis_owner"
        assert ask(cluster, "SELECT rolsuper FROM pg_roles WHERE rolname = 'gis_service'") is False
        assert ask(cluster, "SHOW server_encoding") == "UTF8"
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(cluster, "CREATE TABLE t ()", "gis_service")


def test_it_listens_on_no_network_and_its_socket_is_behind_a_closed_folder(
    cluster: Cluster,
) -> None:
    with cluster:
        assert ask(cluster, "SHOW listen_addresses") == ""
        status = cluster.socket.stat()
        assert status.st_mode & 0o777 == 0o700
        account = find_server_account()
        assert status.st_uid == (account.uid if account else os.geteuid())


def test_who_connects_is_whom_the_system_names_and_nobody_on_his_word(cluster: Cluster) -> None:
    with cluster:
        rules = "SELECT string_agg(auth_method, ',' ORDER BY line_number) FROM pg_hba_file_rules"
        assert ask(cluster, rules) == "peer,scram-sha-256"
        assert ask(cluster, "SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL") == 0
        ask(cluster, "CREATE ROLE reader LOGIN PASSWORD 'of-the-test'")
        reader = cluster.url("gis_service").set(username="reader", drivername="postgresql")
        try:
            with pytest.raises(psycopg2.OperationalError, match="password"):
                psycopg2.connect(reader.render_as_string(hide_password=False))
            known = reader.set(password="of-the-test")
            psycopg2.connect(known.render_as_string(hide_password=False)).close()
        finally:
            ask(cluster, "DROP ROLE reader")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_another_account_of_the_machine_is_not_let_in(cluster: Cluster) -> None:
    stranger = Account("nobody", pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
    psql = ["psql", cluster_of(cluster), "--no-psqlrc", "--command=SELECT 1"]
    with cluster:
        folders = (cluster.home, cluster.socket)
        try:
            for folder in folders:  # even where the closed folder is not closed any more
                folder.chmod(0o755)
            refused = run_as(stranger, psql)
            assert run_as(cluster.account, psql).returncode == 0
        finally:
            for folder in folders:
                folder.chmod(0o700)
    assert refused.returncode != 0
    assert "eer authentication failed" in refused.stdout


def cluster_of(cluster: Cluster) -> str:
    """Say how psql finds a cluster that is open or was."""
    with cluster:
        return libpq_address(cluster.url("gis_admin"))


TRUSTING = "local all all trust\n"


def test_a_cluster_that_trusted_everybody_is_closed_at_the_next_start(cluster: Cluster) -> None:
    with cluster:
        file = cluster.data / "pg_hba.conf"
    file.write_text(TRUSTING)
    with cluster:
        methods = "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method = 'trust'"
        assert ask(cluster, methods) == 0
        assert "trust" not in file.read_text()


def test_a_running_server_that_trusts_everybody_is_closed_by_who_joins(
    cluster: Cluster, module_dir: Path
) -> None:
    with cluster:
        (cluster.data / "pg_hba.conf").write_text(TRUSTING)
        cluster._pg_ctl("reload")
        reason = 'role "nobody_there" does not exist'  # let in, and unknown only then
        wait_for(lambda: reason in refusal(cluster))
        with Cluster(module_dir, durable=False):
            wait_for(lambda: reason not in refusal(cluster))


def refusal(cluster: Cluster) -> str:
    with pytest.raises(psycopg2.OperationalError) as caught:
        psycopg2.connect(libpq_address(cluster.url("gis_service")), user="nobody_there")
    return str(caught.value)


def test_what_serves_is_the_superuser_at_no_time(
    cluster: Cluster, module_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    connect = psycopg2.connect

    def seeing(*arguments: str, **options: object) -> object:
        seen.append(f"{arguments} {options}")
        return connect(*arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setenv("GIS_DATA_DIR", str(module_dir))
    monkeypatch.delenv("GIS_DATABASE_URL", raising=False)
    store_settings.cache_clear()
    try:
        with cluster:
            monkeypatch.setattr(psycopg2, "connect", seeing)
            assert find_database("gis") == "gis"
            with open_store(migrate=False, watch=True) as store, store.engine.connect() as found:
                assert found.scalar(sa.text("SELECT current_user")) == "gis_service"
    finally:
        store_settings.cache_clear()
    assert seen
    assert not [one for one in seen if "gis_admin" in one or "gis_owner" in one]


def test_the_last_to_leave_stops_the_server_and_the_data_stays(cluster: Cluster) -> None:
    with cluster:
        ask(cluster, "CREATE TABLE kept AS SELECT 7 AS n")
        pid = cluster.find_postmaster()
        assert pid is not None
    wait_for(lambda: not Path("/proc", str(pid)).exists())
    with cluster:
        assert ask(cluster, "SELECT n FROM kept") == 7
        assert cluster.find_postmaster() != pid
        ask(cluster, "DROP TABLE kept")


def test_a_second_user_keeps_the_server_running(cluster: Cluster, module_dir: Path) -> None:
    cluster.open()
    pid = cluster.find_postmaster()
    other = OtherUser(module_dir)
    assert other.postmaster == pid
    cluster.close()
    assert cluster.find_postmaster() == pid
    other.leave()
    assert cluster.find_postmaster() is None


def test_two_that_come_at_once_share_one_server(module_dir: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(module_dir)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    numbers = {process.stdout.readline() for process in processes if process.stdout}
    for process in processes:
        process.communicate("\n", timeout=60)
    assert len(numbers) == 1
    assert [process.returncode for process in processes] == [0, 0]


def test_a_killed_user_leaves_a_server_that_the_next_one_adopts(
    cluster: Cluster, module_dir: Path
) -> None:
    other = OtherUser(module_dir)
    other.kill()
    with cluster:
        assert cluster.find_postmaster() == other.postmaster
    assert cluster.find_postmaster() is None


def test_a_killed_server_is_started_again_with_its_data(module_dir: Path) -> None:
    with Cluster(module_dir) as cluster:
        ask(cluster, "CREATE TABLE survivor AS SELECT 1 AS n")
        busy = psycopg2.connect(libpq_address(cluster.url("gis_service")))
        pid = cluster.find_postmaster()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: cluster.find_postmaster() is None)
        with Cluster(module_dir) as again:
            assert ask(again, "SELECT n FROM survivor") == 1
            ask(again, "DROP TABLE survivor")
            assert again.find_postmaster() != pid
        busy.close()


def test_a_backend_that_outlives_the_killed_server_is_ended(cluster: Cluster) -> None:
    """A busy one does not notice by itself, and holds the shared memory."""
    with cluster:
        busy = psycopg2.connect(libpq_address(cluster.url("gis_service")), async_=True)
        psycopg2.extras.wait_select(busy)
        cursor = busy.cursor()
        cursor.execute("SELECT count(*) FROM generate_series(1, 1000000000) AS n WHERE n % 7 = 3")
        time.sleep(0.3)
        pid = cluster.find_postmaster()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: cluster.find_postmaster() is None)
        with Cluster(cluster.data_dir, durable=False) as again:
            assert ask(again, "SELECT 1") == 1
        busy.close()


def test_the_watch_starts_a_killed_server_again(cluster: Cluster) -> None:
    with cluster, cluster.watch(every_s=0.1):
        pid = cluster.find_postmaster()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: cluster.find_postmaster() not in {None, pid})
        cluster._wait_until_ready()
        assert ask(cluster, "SELECT 1") == 1


def test_a_number_that_now_belongs_to_a_stranger_does_not_keep_the_server_out(
    cluster: Cluster,
) -> None:
    with cluster:
        pid_file = cluster.data / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with cluster:
        assert ask(cluster, "SELECT 1") == 1


def test_half_a_cluster_is_made_anew(short_dir: Path) -> None:
    home = choose_cluster_home(short_dir, find_server_account(), short_dir / "apart")
    (home / "pg.new-0000").mkdir()
    (home / "pg.new-0000/PG_VERSION").write_text("15\n")
    (home / "pg").mkdir()
    (home / "pg/base").mkdir()
    with Cluster(short_dir, durable=False) as cluster:
        assert ask(cluster, "SELECT 1") == 1
        assert not list(home.glob("pg.new-*"))


def test_a_half_made_database_is_finished(short_dir: Path) -> None:
    """Killed between the start of the server and the making of the database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cluster, "_make_database", lambda _: None)
        with Cluster(short_dir, durable=False):
            pass
    with Cluster(short_dir, durable=False) as cluster:
        assert ask(cluster, "SELECT count(*) > 0 FROM spatial_ref_sys") is True


def test_a_server_that_will_not_start_says_why(cluster: Cluster) -> None:
    with cluster:
        extra = cluster.data / "postgresql.auto.conf"
        before = extra.read_text()
    try:
        extra.write_text("max_connections = 'many'\n")
        with pytest.raises(StoreError, match="max_connections") as caught:
            cluster.open()
        assert caught.value.key == "store.cluster_not_started"
    finally:
        extra.write_text(before)


def test_a_socket_path_that_is_too_long_moves_the_cluster_and_stays_moved(
    short_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    account = find_server_account()
    data_dir = short_dir / ("long" * 25)
    data_dir.mkdir()
    apart = short_dir / "apart"
    home = choose_cluster_home(data_dir, account, apart)
    assert home.parent == apart
    assert len(home.name) == 8
    assert str(home) in caplog.text
    assert choose_cluster_home(data_dir, account, apart) == home
    (data_dir / "elsewhere").unlink()  # a new data folder at the path of one that was deleted
    assert choose_cluster_home(data_dir, account, apart) == home.with_name(f"{home.name}-2")


def test_no_place_at_all_is_said(short_dir: Path) -> None:
    data_dir = short_dir / ("long" * 25)
    data_dir.mkdir()
    with pytest.raises(SetupError, match="GIS_DATA_DIR"):
        choose_cluster_home(data_dir, find_server_account(), short_dir / ("far" * 33))


def test_without_postgis_the_package_and_docker_are_named(tmp_path: Path) -> None:
    (tmp_path / "usr/lib/postgresql/15/bin").mkdir(parents=True)
    for name in ("initdb", "pg_ctl"):
        (tmp_path / "usr/lib/postgresql/15/bin" / name).touch()
    assert find_installed(tmp_path, pg_config=None) == []
    with pytest.raises(SetupError) as caught:
        find_binaries(candidates=[])
    for language in ("zh-CN", "en"):
        sentence = caught.value.say(language)
        assert "postgresql-postgis" in sentence
        assert "docker compose up" in sentence


def test_the_newest_installation_with_postgis_is_taken_and_the_one_that_made_the_data(
    tmp_path: Path,
) -> None:
    for major in (13, 15, 16, 17):
        (tmp_path / f"usr/lib/postgresql/{major}/bin").mkdir(parents=True)
        for name in ("initdb", "pg_ctl"):
            (tmp_path / f"usr/lib/postgresql/{major}/bin" / name).touch()
        if major != 17:
            extension = tmp_path / f"usr/share/postgresql/{major}/extension"
            extension.mkdir(parents=True)
            (extension / "postgis.control").touch()
    found = find_installed(tmp_path, pg_config=None)
    assert [binaries.major for binaries in found] == [16, 15]
    assert find_binaries(candidates=found).major == 16
    (tmp_path / "PG_VERSION").write_text("15\n")
    assert find_binaries(tmp_path, found).major == 15
    (tmp_path / "PG_VERSION").write_text("14\n")
    with pytest.raises(SetupError, match="postgresql-14-postgis-3"):
        find_binaries(tmp_path, [Binaries(15, tmp_path)])


def test_a_closed_cluster_has_no_address(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        Cluster(tmp_path).url("gis_service")


def test_databases_of_one_server_are_migrated_at_the_same_time(short_dir: Path) -> None:
    """Roles belong to the server: each migration finds that one is missing, and one makes it."""
    code = "import sys; from gis_service.store.migrate import upgrade; upgrade(sys.argv[1])"
    with Cluster(short_dir, durable=False) as cluster:
        urls = [cluster.url("gis_admin", f"gis_test_{place}") for place in range(3)]
        for url in urls:
            assert url.database is not None
            cluster.ensure_database(url.database)
        runs = [
            subprocess.Popen([sys.executable, "-c", code, url.render_as_string(False)])
            for url in urls
        ]
        assert [run.wait() for run in runs] == [0, 0, 0]
