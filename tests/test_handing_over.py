"""From preparing to serving: what serves is not root, knows no owner, and finds all it needs."""

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gis_service.commands.handing_over import (
    bind,
    must_hand_over,
    prepare_folders,
    readable_code,
)
from gis_service.errors import SetupError
from gis_service.settings import SERVICE_FOLDERS
from gis_service.store.account import Account, find_server_account, run_as
from gis_service.store.engine import Store

LIBRARY = "web/node_modules/leaflet/package.json"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives root up")


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[str]) -> Any:
    deadline = time.monotonic() + 120
    while True:
        found = condition()
        if found:
            return found
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)


def of_process(pid: int, name: str) -> str:
    return Path("/proc", str(pid), name).read_text("utf-8", "replace")


def user_of(pid: int) -> set[str]:
    found = re.search(r"^Uid:(.*)$", of_process(pid, "status"), re.MULTILINE)
    assert found is not None
    return set(found[1].split())


def children_of(pid: int) -> list[int]:
    return [int(one) for one in of_process(pid, f"task/{pid}/children").split()]


@pytest.fixture
def account() -> Account:
    found = find_server_account()
    assert found is not None
    return found


@pytest.fixture
def settings(store: Store, short_dir: Path) -> dict[str, str]:
    """Of somebody who has the owner's login in the environment."""
    owner = store.url.set(username="gis_owner")
    return {
        **os.environ,
        "GIS_LANGUAGE": "en",
        "GIS_DATA_DIR": str(short_dir / "var"),
        "GIS_DATABASE_URL": store.url.render_as_string(hide_password=False),
        "GIS_DATABASE_OWNER_URL": owner.render_as_string(hide_password=False),
    }


@pytest.fixture
def start(
    settings: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start ``gis-service``; what it says on standard error stands in a file."""
    started: list[subprocess.Popen[str]] = []

    def go(*arguments: str) -> subprocess.Popen[str]:
        (Path(settings["GIS_DATA_DIR"])).mkdir(exist_ok=True)
        with (tmp_path / "said").open("w") as said:
            command = [sys.executable, "-m", "gis_service", *arguments]
            started.append(subprocess.Popen(command, env=settings, stderr=said, text=True))
        return started[-1]

    yield go
    for process in started:
        process.terminate()
        process.wait(timeout=60)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as told:
            return bool(told.status == 200)
    except OSError:
        return False


def test_what_serves_is_not_root_and_knows_no_owner(
    start: Callable[..., subprocess.Popen[str]], settings: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    server = start("serve", "--port", str(port))
    wait_for(lambda: answers(port), server)
    (worker,) = wait_for(lambda: children_of(server.pid), server)
    expected = find_server_account()
    uid = expected.uid if expected else os.geteuid()
    for pid in (server.pid, worker):
        assert user_of(pid) == {str(uid)}
        assert "GIS_DATABASE_OWNER_URL" not in of_process(pid, "environ")
        assert "gis_owner" not in of_process(pid, "environ")
        if expected:
            assert re.search(r"^CapEff:\s*0+$", of_process(pid, "status"), re.MULTILINE)
            assert re.search(r"^Groups:\s*$", of_process(pid, "status"), re.MULTILINE)
    said = (tmp_path / "said").read_text()
    assert f"http://localhost:{port}/sign-in#" in said  # nobody has marked this store as made up
    assert not expected or f"account {expected.name}" in said
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=60) == 0
    assert not Path("/proc", str(worker)).exists()


def test_the_token_is_printed_once_and_in_no_log(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    port = free_port()
    server = start("serve", "--port", str(port))
    wait_for(lambda: answers(port), server)
    said = (tmp_path / "said").read_text()
    (token,) = re.findall(r"/sign-in#(\S+)", said)
    for path in (f"/sign-in?token={token}", f"/api/session/{token}", "/sign-in"):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20).close()
        except urllib.error.HTTPError as error:
            error.close()
    assert (tmp_path / "said").read_text().count(token) == 1
    assert token not in of_process(server.pid, "cmdline")
    assert token not in of_process(server.pid, "environ")


def test_what_serves_reads_its_certificate_and_not_the_key_that_signs(
    start: Callable[..., subprocess.Popen[str]], settings: dict[str, str], tmp_path: Path
) -> None:
    data = Path(settings["GIS_DATA_DIR"])
    assert start("cert", "map.county.lan").wait(timeout=60) == 0
    port = free_port()
    server = start("serve", "--port", str(port))
    trusting = ssl.create_default_context(cafile=str(data / "authority/ca.crt"))

    def answers_by_https() -> bool:
        try:
            address = f"https://127.0.0.1:{port}/health"
            with urllib.request.urlopen(address, timeout=5, context=trusting) as told:
                return bool(told.status == 200)
        except OSError:
            return False

    wait_for(answers_by_https, server)
    said = (tmp_path / "said").read_text()
    assert f"https://localhost:{port}" in said
    assert f"http://localhost:{port}/trust" in said
    account = find_server_account()
    if account is not None:
        assert (data / "authority/ca.key").stat().st_uid == 0
        assert run_as(account, ["/bin/cat", str(data / "authority/ca.key")]).returncode != 0
        assert run_as(account, ["/bin/cat", str(data / "tls/server.key")]).returncode == 0


def test_a_worker_gives_root_and_the_owner_up_by_itself(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    worker = start("worker")
    expected = find_server_account()
    uid = str(expected.uid if expected else os.geteuid())
    wait_for(
        lambda: (
            user_of(worker.pid) == {uid}
            and "GIS_DATABASE_OWNER_URL" not in of_process(worker.pid, "environ")
        ),
        worker,
    )


def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        with pytest.raises(SetupError) as caught:
            bind("127.0.0.1", one.getsockname()[1])
    assert caught.value.key == "api.port_taken"


def test_whoever_holds_the_owners_address_must_hand_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.delenv("GIS_DATABASE_OWNER_URL", raising=False)
    assert not must_hand_over()
    monkeypatch.setenv("GIS_DATABASE_OWNER_URL", "postgresql://owner@db/gis")
    assert must_hand_over()
    monkeypatch.delenv("GIS_DATABASE_OWNER_URL")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert must_hand_over()


@needs_root
def test_the_account_owns_what_the_service_writes_and_nothing_else(
    short_dir: Path, account: Account
) -> None:
    for name in ("maps", "photos/ab", "home"):
        (short_dir / name).mkdir(parents=True)
    for name in ("maps/map.html", "photos/ab/one.jpg", "users.lock", "secret"):
        (short_dir / name).touch()
    (short_dir / "photos/link").symlink_to(short_dir / "secret")
    os.link(short_dir / "secret", short_dir / "photos/second-name")
    prepare_folders(short_dir, account)

    def owner(name: str) -> int:
        return (short_dir / name).lstat().st_uid

    theirs = (*SERVICE_FOLDERS, "photos/ab", "photos/ab/one.jpg", "users.lock")
    assert {name: owner(name) for name in theirs} == dict.fromkeys(theirs, account.uid)
    ours = (".", "maps", "maps/map.html", "secret")
    assert {name: owner(name) for name in ours} == dict.fromkeys(ours, 0)


@pytest.fixture
def clone(short_dir: Path) -> Path:
    """A program behind a closed folder, with something installed."""
    root = short_dir / "closed/clone"
    files = (
        "gis_service/front.py", "scripts/run", "data/some.gz", "docs/guide.md", "web/js/main.js",
        LIBRARY, ".venv/pyvenv.cfg", ".venv/.requirements.lock.sha256",
    )  # fmt: skip
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    root.parent.chmod(0o700)
    return root


def reads(file: Path, account: Account) -> str:
    return run_as(account, ["/bin/cat", str(file)]).stdout


@needs_root
def test_a_program_that_can_be_read_is_run_where_it_is(clone: Path, account: Account) -> None:
    clone.parent.chmod(0o755)
    assert readable_code(clone, account, clone.parents[1] / "apart") == clone
    assert not (clone.parents[1] / "apart").exists()


@needs_root
def test_a_program_behind_a_closed_folder_is_run_from_a_copy_that_root_owns(
    clone: Path, account: Account
) -> None:
    apart = clone.parents[1] / "apart"
    copy = readable_code(clone, account, apart)
    assert copy.parent == apart
    for name in (
        "gis_service/front.py",
        ".venv/pyvenv.cfg",
        LIBRARY,
    ):
        assert reads(copy / name, account) == name
        assert (copy / name).stat().st_uid == 0
    assert run_as(account, ["/usr/bin/touch", str(copy / "new")]).returncode != 0
    # What is installed takes no room a second time; our own files are not the clone's.
    assert (copy / ".venv/pyvenv.cfg").samefile(clone / ".venv/pyvenv.cfg")
    assert not (copy / "gis_service/front.py").samefile(clone / "gis_service/front.py")
    assert readable_code(clone, account, apart) == copy


@needs_root
def test_a_clone_made_with_a_narrow_umask_is_run_from_a_copy(clone: Path, account: Account) -> None:
    clone.parent.chmod(0o755)
    (clone / "gis_service").chmod(0o700)
    (clone / "gis_service/front.py").chmod(0o600)
    copy = readable_code(clone, account, clone.parents[1] / "apart")
    assert reads(copy / "gis_service/front.py", account) == "gis_service/front.py"
    assert (clone / "gis_service/front.py").stat().st_mode & 0o077 == 0


@needs_root
@pytest.mark.parametrize("changed", ["gis_service/front.py", ".venv/.requirements.lock.sha256"])
def test_a_changed_program_is_copied_anew_and_the_old_copy_goes(
    clone: Path, account: Account, changed: str
) -> None:
    apart = clone.parents[1] / "apart"
    old = readable_code(clone, account, apart)
    (clone / changed).unlink()
    (clone / changed).write_text("changed")
    new = readable_code(clone, account, apart)
    assert reads(new / changed, account) == "changed"
    assert not old.exists()


@needs_root
def test_files_that_nobody_else_may_read_are_said(clone: Path, account: Account) -> None:
    (clone / ".venv/pyvenv.cfg").chmod(0o600)
    with pytest.raises(SetupError) as caught:
        readable_code(clone, account, clone.parents[1] / "apart")
    assert caught.value.key == "store.code_closed"
    assert "chmod" in caught.value.say("en")
