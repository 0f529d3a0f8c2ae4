"""Root runs nothing itself: the account, and where its data folder goes if it cannot get in."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gis_service.errors import SetupError
from gis_service.store.account import ACCOUNT, can_enter, find_server_account, move_within_reach
from gis_service.store.cluster import Cluster

NUMBER = """
import sys
from pathlib import Path
from gis_service.store.cluster import Cluster
with Cluster(Path(sys.argv[1]), durable=False) as cluster:
    print(cluster.find_postmaster())
"""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as somebody else")


@pytest.fixture
def closed(short_dir: Path) -> Path:
    """A data folder behind a closed one, like that of a clone under /root."""
    folder = short_dir / "closed"
    (folder / "var").mkdir(parents=True)
    folder.chmod(0o700)
    return folder / "var"


@pytest.mark.skipif(os.geteuid() == 0, reason="of everybody but root")
def test_who_is_not_root_runs_it_himself(closed: Path) -> None:
    assert find_server_account() is None
    assert move_within_reach(closed, None) == closed


@needs_root
def test_root_has_an_account_of_its_own_for_it_without_a_shell() -> None:
    account = find_server_account()
    assert account is not None
    assert account.name == ACCOUNT
    assert account.uid != 0
    line = subprocess.run(["getent", "passwd", ACCOUNT], capture_output=True, text=True, check=True)
    assert line.stdout.strip().endswith("/nologin")


@needs_root
def test_a_cluster_stays_whose_it_was(short_dir: Path) -> None:
    (short_dir / "pg").mkdir()
    os.chown(short_dir / "pg", 65534, 65534)
    account = find_server_account(short_dir / "pg")
    assert account is not None
    assert account.uid == 65534


@needs_root
def test_a_data_folder_behind_a_closed_one_goes_elsewhere_and_a_link_stays(closed: Path) -> None:
    account, root = find_server_account(), closed.parents[1] / "apart"
    (closed / "maps").mkdir()
    (closed / "maps/map.html").write_text("a map")
    os.chown(closed / "maps/map.html", 65534, 65534)
    (closed / "elsewhere").write_text(f"{closed}\n/somewhere\n")
    place = move_within_reach(closed, account, root)
    assert place.parent == root
    assert can_enter(place, account)
    assert (closed / "maps/map.html").read_text() == "a map"
    assert (closed / "maps/map.html").stat().st_uid == 65534
    assert (place / "elsewhere").read_text() == f"{place}\n/somewhere\n"
    assert move_within_reach(closed, account, root) == place
    assert move_within_reach(place, account, root) == place


@needs_root
def test_a_data_folder_in_use_is_not_moved(closed: Path) -> None:
    with (closed / "users.lock").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        with pytest.raises(SetupError) as caught:
            move_within_reach(closed, find_server_account(), closed.parents[1] / "apart")
    assert caught.value.key == "store.in_use"
    assert not closed.is_symlink()


@needs_root
def test_a_cluster_of_a_closed_data_folder_is_found_by_both_names(closed: Path) -> None:
    with Cluster(closed, durable=False, fallback_root=closed.parents[1] / "apart") as cluster:
        with Cluster(cluster.data_dir, durable=False) as again:
            assert again.find_postmaster() == cluster.find_postmaster()
        for name in (closed, cluster.data_dir):
            command = [sys.executable, "-c", NUMBER, str(name)]
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert int(told) == cluster.find_postmaster()
