"""docker-compose.yml: passwords are required, and what serves is not given the owner's login."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILE = (ROOT / "docker-compose.yml").read_text("utf-8")
PASSWORDS = {"GIS_ADMIN_PASSWORD": "of1the2test", "GIS_SERVICE_PASSWORD": "of3the4test"}


def services(text: str) -> dict[str, str]:
    """Cut the file, or what compose makes of it, into its services."""
    inside = re.split(r"^\w+:.*\n", text.partition("\nservices:\n")[2], flags=re.MULTILINE)[0]
    parts = re.split(r"^  (\w+):\n", inside, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_only_the_one_shot_service_is_given_the_owners_login() -> None:
    found = services(FILE)
    assert set(found) == {"database", "migrate", "service"}
    holding = {name for name, text in found.items() if "GIS_ADMIN_PASSWORD" in text}
    assert holding == {"database", "migrate"}
    assert "GIS_DATABASE_OWNER_URL" not in found["service"]
    assert "service_completed_successfully" in found["service"]
    assert 'restart: "no"' in found["migrate"]


def test_no_password_has_a_value_of_its_own() -> None:
    used = re.findall(r"\$\{(GIS_\w+PASSWORD)([^}]*)\}", FILE)
    assert {name for name, _ in used} == set(PASSWORDS)
    assert all(rest.startswith(":?") for _, rest in used)


@pytest.fixture
def compose() -> str:
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed")
    return program


def config(program: str, **passwords: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in PASSWORDS}
    return subprocess.run(
        [program, "--file", str(ROOT / "docker-compose.yml"), "config"],
        env={**kept, **passwords}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("missing", list(PASSWORDS))
def test_compose_refuses_to_start_without_a_password(compose: str, missing: str) -> None:
    rest = {name: value for name, value in PASSWORDS.items() if name != missing}
    refused = config(compose, **rest)
    assert refused.returncode != 0
    assert missing in refused.stderr
    assert config(compose, **rest, **{missing: ""}).returncode != 0


def test_compose_hands_the_owners_password_to_nobody_else(compose: str) -> None:
    told = config(compose, **PASSWORDS)
    assert told.returncode == 0, told.stderr
    resolved = services("\n" + told.stdout)
    assert PASSWORDS["GIS_ADMIN_PASSWORD"] not in resolved["service"]
    assert PASSWORDS["GIS_ADMIN_PASSWORD"] in resolved["migrate"]
