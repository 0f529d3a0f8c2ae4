"""The system account that the private database and the service run as when root starts them.

Root never serves and never runs the database: both belong to one account without a shell, made at
the first start. Whoever is not root runs both himself, and nothing here changes anything.
"""

import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gis_service.errors import SetupError

ACCOUNT: Final = "gis_service"
FALLBACK_ROOT: Final = Path("/var/lib/gis_service")
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Account:
    """A user of the system."""

    name: str
    uid: int
    gid: int


def find_server_account(data: Path | None = None) -> Account | None:
    """Tell which account root's database and service run as."""
    if os.geteuid() != 0:
        return None
    owner = data.stat().st_uid if data and data.exists() else 0
    try:
        entry = pwd.getpwuid(owner) if owner else _find_own_account()
    except KeyError as error:
        raise SetupError("store.no_server_account", account=owner or ACCOUNT) from error
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _find_own_account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        program = shutil.which("useradd", path=PATH)
        if program:
            options = ["--system", "--user-group", "--no-create-home", "--home-dir=/nonexistent"]
            run_as(None, [program, *options, "--shell=/usr/sbin/nologin", ACCOUNT])
        return pwd.getpwnam(ACCOUNT)


def run_as(
    account: Account | None, command: list[str], cwd: Path | str = "/"
) -> subprocess.CompletedProcess[str]:
    """
    Run a program as an account, in a session of its own (Ctrl-C passes it by).

    Parameters
    ----------
    account
        None is the caller.
    command
        The program and its arguments.
    cwd
        Where it starts.

    Returns
    -------
    subprocess.CompletedProcess
        Both outputs together in ``stdout``.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=cwd,
        env={"PATH": PATH, "LC_ALL": "C.UTF-8"},
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    ) as process:
        output, _ = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, output)


def can_enter(folder: Path, account: Account | None) -> bool:
    """Try, as an account, whether it reaches a folder through all that lie above."""
    return run_as(account, ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)]).returncode == 0


def find_free_place(root: Path, data_dir: Path) -> Path:
    """Name a folder that does not exist yet, after the data folder that it is for."""
    try:
        root.mkdir(mode=0o755, parents=True, exist_ok=True)
        root.chmod(0o755)
    except OSError as error:
        raise SetupError("store.no_place", data_dir=data_dir, fallback=root) from error
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:8]
    place, number = root / name, 1
    while place.exists():  # of a data folder that was deleted: not ours to use or to remove
        number += 1
        place = root / f"{name}-{number}"
    return place


def move_within_reach(data_dir: Path, account: Account | None, root: Path = FALLBACK_ROOT) -> Path:
    """
    Give a data folder a place that the account can enter; a link stays where it was.

    Parameters
    ----------
    data_dir
        Exists.
    account
        Who must get in; None is the caller, who does.
    root
        Where a folder goes that lies behind a closed one, such as a clone under ``/root``.

    Returns
    -------
    Path
        The folder, or where it has gone.

    Raises
    ------
    SetupError
        It is in use, cannot be moved, or the account cannot enter the other place either.
    """
    if account is None or can_enter(data_dir, account):
        return data_dir
    if data_dir.is_symlink() and can_enter(data_dir.resolve(), account):
        return data_dir.resolve()
    place = find_free_place(root, data_dir)
    try:
        with (data_dir / "users.lock").open("a") as users:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            place.mkdir(mode=0o755)
            if not can_enter(place, account):
                raise SetupError("store.no_place", data_dir=data_dir, fallback=place)
            move = ["mv", "--", *(str(child) for child in data_dir.iterdir()), str(place)]
            if run_as(None, move).returncode != 0:  # unlike Python's, it keeps whose a file is
                raise SetupError("store.no_place", data_dir=data_dir, fallback=place)
            note = place / "elsewhere"
            if note.exists():
                note.write_text(f"{place}\n{note.read_text('utf-8').splitlines()[1]}\n", "utf-8")
            data_dir.rmdir()
            data_dir.symlink_to(place)
    except BlockingIOError as error:
        raise SetupError("store.in_use", data_dir=data_dir) from error
    except OSError as error:
        raise SetupError("store.no_place", data_dir=data_dir, fallback=place) from error
    return place
