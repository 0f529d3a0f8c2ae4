"""The browser libraries as files: fetched by npm into a folder, unpacked from it without a network.

What is unpacked is exactly what ``web/package-lock.json`` names: every file is held against the
lock's own digest first.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

WEB = Path(__file__).resolve().parents[2] / "web"


def libraries() -> Iterator[tuple[str, str, str]]:
    """
    Read the lock.

    Yields
    ------
    tuple of str
        Folder below ``web``, version, digest as ``sha512-…``.
    """
    packages = json.loads((WEB / "package-lock.json").read_text("utf-8"))["packages"]
    for folder, entry in packages.items():
        if folder and not entry.get("dev"):
            yield folder, entry["version"], entry["integrity"]


def file_of(folder: str, version: str) -> str:
    """
    Name the file of a library.

    Parameters
    ----------
    folder
        As ``node_modules/@scope/name``.
    version
        Its version.

    Returns
    -------
    str
        As npm itself names it.
    """
    name = folder.rpartition("node_modules/")[2]
    return f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"


def fetch(target: Path, npm: list[str]) -> None:
    """
    Let npm fetch every library.

    Parameters
    ----------
    target
        The folder; made where it is missing.
    npm
        The command.
    """
    target.mkdir(parents=True, exist_ok=True)
    for folder, version, digest in libraries():
        file = target / file_of(folder, version)
        if not file.is_file():
            name = folder.rpartition("node_modules/")[2]
            subprocess.run(
                [*npm, "pack", "--silent", "--pack-destination", str(target), f"{name}@{version}"],
                check=True, stdout=subprocess.DEVNULL, env=dict(os.environ),
            )  # fmt: skip
        check(file, digest)


def check(file: Path, digest: str) -> None:
    """
    Hold a file against the lock.

    Parameters
    ----------
    file
        The library.
    digest
        As the lock has it.

    Raises
    ------
    SystemExit
        It is another file, or not there.
    """
    if not file.is_file():
        sys.exit(f"{file} is missing: make the folder again with scripts/bundle")
    kind, _, wanted = digest.partition("-")
    found = base64.b64encode(hashlib.new(kind, file.read_bytes()).digest()).decode()
    if found != wanted:
        sys.exit(f"{file} is not the file that web/package-lock.json names")


def unpack(source: Path) -> None:
    """
    Put every library into ``web/node_modules``, in place of what is there.

    Parameters
    ----------
    source
        The folder that :func:`fetch` filled.
    """
    for folder, version, digest in libraries():
        check(source / file_of(folder, version), digest)
    shutil.rmtree(WEB / "node_modules", ignore_errors=True)
    for folder, version, _ in libraries():
        with tarfile.open(source / file_of(folder, version)) as archive:
            for member in archive:
                # npm packs below one folder. Written by hand: Debian 12's tarfile has no filters.
                parts = PurePosixPath(member.name).parts[1:]
                if not member.isfile() or not parts:
                    continue
                if ".." in parts:
                    sys.exit(f"{member.name} in {archive.name!r} leaves its folder")
                packed = archive.extractfile(member)
                target = WEB.joinpath(folder, *parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(packed.read() if packed else b"")


if __name__ == "__main__":
    action, where, *command = sys.argv[1:]
    if action == "fetch":
        fetch(Path(where).resolve(), command)
    else:
        unpack(Path(where).resolve())
