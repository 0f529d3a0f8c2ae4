"""The locks: what is tested is what runs, and they say nothing about where packages come from."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def pins(name: str) -> set[str]:
    return set(re.findall(r"^[\w.-]+==\S+", (ROOT / name).read_text("utf-8"), re.MULTILINE))


def test_what_is_tested_holds_everything_that_runs_in_the_same_version() -> None:
    """The set-up takes the later ones for the first."""
    assert pins("requirements.lock")
    assert pins("requirements.lock") <= pins("requirements-dev.lock")
    assert pins("requirements-dev.lock") <= pins("requirements-bench.lock")


@pytest.mark.parametrize(
    "name", ["requirements.lock", "requirements-dev.lock", "requirements-bench.lock"]
)
def test_every_python_package_has_hashes_and_no_place(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^-|@ |file:", text, re.MULTILINE)
    packages = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in package for package in packages)


def test_every_browser_library_has_a_hash_and_no_place() -> None:
    packages = json.loads((ROOT / "web/package-lock.json").read_text("utf-8"))["packages"]
    libraries = {name: entry for name, entry in packages.items() if name}
    assert libraries
    for entry in libraries.values():
        assert entry["integrity"].startswith("sha512-")
        assert "resolved" not in entry
