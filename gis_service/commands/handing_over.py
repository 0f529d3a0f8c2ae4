"""From preparing to serving: the process becomes one that is not root and knows no owner.

Preparing needs the owner of the tables, and root where root started it. Serving needs neither, so
the process is replaced (``exec``) by one whose environment names the service's login only and that
runs as the account of the database. What it must read and write is put in order before.
"""

import fcntl
import hashlib
import os
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from gis_service.errors import SetupError
from gis_service.settings import ROOT, SERVICE_FOLDERS, store_settings
from gis_service.store.account import FALLBACK_ROOT, Account, move_within_reach, run_as

OWNERS: Final = "GIS_DATABASE_OWNER_URL"
_WAITING: Final = 2048
_CODE: Final = ("gis_service", "scripts", "data", "docs", "web")
_INSTALLED: Final = (".venv", "web/node_modules")
_STAMPS: Final = (".venv/.requirements*.sha256", "web/node_modules/.gis-service.sha256")


def must_hand_over() -> bool:
    """
    Tell whether this process may not serve or work on jobs as it is.

    Returns
    -------
    bool
        True for root, and where the environment holds the owner's address.
    """
    return os.geteuid() == 0 or OWNERS in os.environ


def bind(host: str, port: int) -> socket.socket:
    """
    Take the port.

    Parameters
    ----------
    host, port
        Where to listen.

    Returns
    -------
    socket.socket
        Those who come before the server is ready wait in it.

    Raises
    ------
    SetupError
        Something else listens there, or the port may not be taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_WAITING)
    except OSError as error:
        listener.close()
        raise SetupError("api.port_taken", host=host, port=port) from error
    return listener


def hand_over(
    arguments: Sequence[str], account: Account | None, keep: Sequence[int] = ()
) -> NoReturn:
    """
    Become ``gis-service`` with other arguments, without root and without the owner's address.

    Parameters
    ----------
    arguments
        Of the command.
    account
        Whom to become; None stays who the caller is.
    keep
        Open files that the new process takes over.

    Raises
    ------
    SetupError
        The account cannot read the program, or may not be taken.
    """
    environment = {name: value for name, value in os.environ.items() if name != OWNERS}
    python = sys.executable
    if account is not None:
        data_dir = prepare_folders(
            move_within_reach(store_settings().data_dir.absolute(), account), account
        )
        code = readable_code(ROOT, account, FALLBACK_ROOT)
        if code != ROOT and Path(python).is_relative_to(ROOT):
            python = str(code / Path(python).relative_to(ROOT))
        environment |= {
            "GIS_DATA_DIR": str(data_dir),
            "HOME": str(data_dir / "home"),
            "USER": account.name,
            "LOGNAME": account.name,
        }
        if code != ROOT:
            environment["PYTHONPATH"] = str(code)
    for file in keep:
        os.set_inheritable(file, True)
    sys.stdout.flush()
    sys.stderr.flush()
    if account is not None:
        os.chdir("/")
        try:
            os.setgroups([])
            os.setresgid(account.gid, account.gid, account.gid)
            os.setresuid(account.uid, account.uid, account.uid)
        except PermissionError as error:
            raise SetupError("store.stays_root", account=account.name) from error
    os.execve(python, [python, "-P", "-m", "gis_service", *arguments], environment)  # noqa: S606


def prepare_folders(data_dir: Path, account: Account) -> Path:
    """Give the account what the service writes in the data folder; the rest stays root's."""
    for name in SERVICE_FOLDERS:
        (data_dir / name).mkdir(mode=0o700, exist_ok=True)
        for _, _, files, at in os.fwalk(data_dir / name):
            os.chown(at, account.uid, account.gid)
            for file in files:
                status = os.stat(file, dir_fd=at, follow_symlinks=False)
                # A file with a second name may be another's, put there for root to give away.
                if status.st_uid != account.uid and status.st_nlink == 1:
                    os.chown(file, account.uid, account.gid, dir_fd=at, follow_symlinks=False)
    for lock in ("start.lock", "users.lock"):
        if (data_dir / lock).exists():
            os.chown(data_dir / lock, account.uid, account.gid, follow_symlinks=False)
    return data_dir


def _can_run(code: Path, root: Path, account: Account) -> bool:
    """Try, as the account, whether it reads of a copy what the clone holds."""
    needed = ("gis_service/front.py", "web/node_modules/leaflet/package.json", ".venv/pyvenv.cfg")
    test = 'for file do test -r "$file" || exit 1; done'
    files = [str(code / name) for name in needed if (root / name).exists()]
    return run_as(account, ["/bin/sh", "-c", test, "sh", *files]).returncode == 0


def readable_code(root: Path, account: Account, fallback_root: Path) -> Path:
    """Find the program where the account can read it, or make a copy outside ``/root``."""
    # What is installed is linked, not copied, where both stand on one disk; both belong to root.
    # The copy is named after what is in it, and made anew when that has changed.
    if _can_run(root, root, account):
        return root
    ours = f"code-{hashlib.sha256(os.fsencode(root)).hexdigest()[:8]}-"
    copy = fallback_root / (ours + _fingerprint(root))
    fallback_root.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (fallback_root / "code.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove_unused(fallback_root, ours, copy)
        if not copy.exists():
            new = copy.with_name(f"{copy.name}.new")
            for name in _CODE:
                ignored = shutil.ignore_patterns("node_modules")
                shutil.copytree(root / name, new / name, symlinks=True, ignore=ignored)
            # Root's umask may have closed the files of the clone; there is no secret in them.
            run_as(None, ["chmod", "-R", "a+rX", str(new)])
            for name in _INSTALLED:
                if (root / name).exists():
                    shutil.copytree(root / name, new / name, symlinks=True, copy_function=_link)
            new.rename(copy)
    if not _can_run(copy, root, account):
        raise SetupError("store.code_closed", root=root, account=account.name)
    return copy


def _fingerprint(root: Path) -> str:
    digest = hashlib.sha256()
    for pattern in _STAMPS:
        for file in sorted(root.glob(pattern)):
            digest.update(file.read_bytes())
    for name in _CODE:
        for parent, folders, files in os.walk(root / name):
            folders[:] = sorted(set(folders) - {"node_modules", "__pycache__"})
            for path in (Path(parent, file) for file in sorted(files)):
                status = path.lstat()
                digest.update(f"{path} {status.st_mtime_ns} {status.st_size}\n".encode())
    return digest.hexdigest()[:12]


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another disk
        shutil.copy2(source, target, follow_symlinks=False)


def _remove_unused(folder: Path, ours: str, but: Path) -> None:
    """Remove copies of before that no process runs from any more."""
    running = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                running.add((process / "cmdline").read_bytes().partition(b"\0")[0])
            except OSError:
                continue
    for old in folder.glob(f"{ours}*"):
        if old != but and not any(program.startswith(os.fsencode(old)) for program in running):
            shutil.rmtree(old, ignore_errors=True)
